/*
 * Text as an array of characters, each with its class beside the code point, so that a
 * pre-tokenizer's set of characters is a mask of classes and a test of one bit. The top
 * bit of a character is set where a piece begins.
 */
#ifndef HYPURA_TEXT_CHARS_H
#define HYPURA_TEXT_CHARS_H

#include "base/view.h"
#include "text/unicode.h"

// Bits 0-20: code point, 21-25: UnicodeClass, 26: Han, 31: a piece begins.
typedef uint32_t Char;

#define CHAR_BEGINS      0x80000000u
#define CHAR_CLASS_SHIFT 21

#define CLASS(name)  (1u << UNICODE_##name)
#define CLASS_LETTER (CLASS(LU) | CLASS(LL) | CLASS(LT) | CLASS(LM) | CLASS(LO))
#define CLASS_MARK   (CLASS(MN) | CLASS(MC) | CLASS(ME))
#define CLASS_NUMBER (CLASS(ND) | CLASS(NL) | CLASS(NO))
#define CLASS_SYMBOL (CLASS(SM) | CLASS(SC) | CLASS(SK) | CLASS(SO))
#define CLASS_PUNCTUATION \
    (CLASS(PC) | CLASS(PD) | CLASS(PS) | CLASS(PE) | CLASS(PI) | CLASS(PF) | CLASS(PO))
#define CLASS_SPACE (CLASS(SPACE) | CLASS(NEWLINE)) // what patterns call \s

static inline uint32_t char_code(Char c)
{
    return c & 0x1fffffu;
}

static inline bool char_is_in(Char c, uint32_t classes)
{
    return (classes >> (c >> CHAR_CLASS_SHIFT & UNICODE_CLASS_MASK) & 1) != 0;
}

static inline bool char_is_han(Char c)
{
    return (c >> CHAR_CLASS_SHIFT & UNICODE_HAN) != 0;
}

/*
 * Decodes `text` (any bytes) into out[0..n_bytes) and returns the number of characters.
 * The decoder is that of GGUF's users: it takes overlong forms and surrogates as they
 * are written, and gives U+FFFD for each single byte that begins no sequence with the
 * right number of continuation bytes or no code point below 0x110000.
 */
size_t chars_decode(StringView text, Char *out);

/* Writes 1 to 4 bytes; surrogates as three. */
size_t char_encode(Char c, uint8_t out[4]);

#endif

/*
 * What Unicode says about a character, as far as tokenizers ask: one class each. The
 * tables are of one stated Unicode version (unicode_tables.c, made by
 * tools/unicode_tables.c), so that the same text gives the same tokens on every machine.
 */
#ifndef HYPURA_TEXT_UNICODE_H
#define HYPURA_TEXT_UNICODE_H

#include <stdint.h>

/* A class is the general category, but white space (the property White_Space, 25 code
 * points) has two classes of its own: every set that a pre-tokenizer names is then a set
 * of classes. */
typedef enum UnicodeClass {
    UNICODE_CN, // not assigned
    UNICODE_LU,
    UNICODE_LL,
    UNICODE_LT,
    UNICODE_LM,
    UNICODE_LO,
    UNICODE_MN,
    UNICODE_MC,
    UNICODE_ME,
    UNICODE_ND,
    UNICODE_NL,
    UNICODE_NO,
    UNICODE_PC,
    UNICODE_PD,
    UNICODE_PS,
    UNICODE_PE,
    UNICODE_PI,
    UNICODE_PF,
    UNICODE_PO,
    UNICODE_SM,
    UNICODE_SC,
    UNICODE_SK,
    UNICODE_SO,
    UNICODE_ZS, // all white space, so never given; likewise the next two
    UNICODE_ZL,
    UNICODE_ZP,
    UNICODE_CC,
    UNICODE_CF,
    UNICODE_CS,
    UNICODE_CO,
    UNICODE_SPACE,  // white space but for the next two characters
    UNICODE_NEWLINE // carriage return and line feed
} UnicodeClass;

#define UNICODE_CLASS_MASK 0x1fu
#define UNICODE_HAN        0x20u // the script, besides the class

/* UnicodeClass | UNICODE_HAN of a code point below 0x110000 (asserted). */
uint8_t unicode_class(uint32_t code_point);

/* The generated tables. */
extern const uint32_t unicode_n_runs;
extern const uint32_t unicode_runs[];
extern const uint8_t unicode_ascii[128];

#endif

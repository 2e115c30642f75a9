/*
 * Finds special and user-defined tokens in raw text, before anything else is done to it.
 * Longer tokens are cut out first, over the whole text; among equally long ones the
 * leftmost. What is between them is left for the tokenizer.
 */
#ifndef HYPURA_TEXT_SPECIALS_H
#define HYPURA_TEXT_SPECIALS_H

#include "base/error.h"
#include "base/view.h"
#include "text/vocab.h"

/* A stretch of the text: one token, or raw. */
typedef struct Fragment {
    size_t begin, end;
    int32_t token; // TOKEN_NONE: raw
} Fragment;

typedef struct FragmentList { // MEM_TEXT; zeroed is empty
    Fragment *items;
    size_t n, capacity;
} FragmentList;

/* The special tokens of one length. */
typedef struct SpecialLength {
    uint32_t n_bytes;
    bool has_user_defined;   // else all need parse_special
    uint8_t first_bytes[32]; // bit set: one of them begins with this byte
    int only_first_byte;     // where it is one byte alone, else -1
} SpecialLength;

typedef struct Specials {
    SpecialLength *lengths; // longest first
    uint32_t n;
} Specials;

/* The vocabulary's texts and attributes are there. */
CHECKED bool specials_init(Specials *specials, const Vocab *vocab, Error *err);
void specials_destroy(Specials *specials);

/* Cuts `text` into fragments, none of them empty. Control and unknown tokens are found
 * only with parse_special. The caller ends `out` with fragment_list_free. */
CHECKED bool specials_partition(
    const Vocab *vocab, StringView text, bool parse_special, FragmentList *out, Error *err);
void fragment_list_free(FragmentList *list);

#endif

/*
 * Byte-level BPE (Sennrich et al. 2016, arXiv:1508.07909, over bytes as GPT-2 has it):
 * each byte is written as one printable character, and the file's merges join pairs of
 * texts, the earlier line first, the leftmost of equal pairs first.
 */
#ifndef HYPURA_TEXT_BPE_H
#define HYPURA_TEXT_BPE_H

#include "text/chars.h"
#include "text/text_table.h"
#include "text/vocab.h"

typedef struct BpePair {
    uint32_t left, right; // tokens
    uint32_t rank;        // plus one; 0: the slot is free
} BpePair;

typedef struct TokenizeJob TokenizeJob;

/* Zeroed is empty. */
typedef struct Bpe {
    BpePair *pairs;            // open addressing, at most half full
    uint32_t n_pairs;          // power of two
    uint32_t *results;         // [merges] the joined token
    uint32_t byte_tokens[256]; // TEXT_NONE: the vocabulary has none
} Bpe;

/* Reads the source's merges. TOKENIZER: one is not two tokens that make a third. */
CHECKED bool bpe_init(Bpe *bpe, const TextTable *texts, const VocabSource *source, Error *err);
void bpe_destroy(Bpe *bpe);

/*
 * Appends the ids of one piece, chars[0..n), to the job's list. A byte that is no token
 * gives nothing, as in llama.cpp. Where the pre-tokenizer ignores merges, a piece that is
 * a token is taken whole.
 */
CHECKED bool bpe_add_piece(TokenizeJob *job, const Char *chars, size_t n, Error *err);

/* The printable character of a byte, 0 to 0x143; and back, -1 for other code points. */
uint32_t bpe_letter_of_byte(uint8_t byte);
int bpe_byte_of_letter(uint32_t code_point);

#endif

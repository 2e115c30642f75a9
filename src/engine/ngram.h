/* Guesses from the text itself: what came after the last tokens when they came before.
 *
 * The longest recent match decides (Saxena 2023, "prompt lookup decoding"). Places where two
 * tokens met are chained by a hash, newest first; memory is linear in the context, a token is
 * added in constant time, and a search looks at a bounded number of places. */
#ifndef HYPURA_ENGINE_NGRAM_H
#define HYPURA_ENGINE_NGRAM_H

#include "base/error.h"

typedef struct Ngram {
    uint32_t *heads; // [n_heads] the newest place of a hash, plus 1; 0: none. Owned
    uint32_t *older; // [n_tokens_max] the place before it of the same hash, plus 1. Owned
    uint32_t n_heads, n_tokens_max;
    uint32_t n_tokens; // that were added
} Ngram;

/* For texts of up to n_tokens_max tokens (MEM_STATE); ngram_destroy accepts a zeroed one. */
CHECKED bool ngram_init(Ngram *ngram, uint32_t n_tokens_max, Error *err);
void ngram_destroy(Ngram *ngram);

/* Forgets the text. */
void ngram_reset(Ngram *ngram);

/* Guesses up to n_max tokens behind tokens[0..n_tokens), which goes on from the text of the call
 * before; their number is returned, 0 where the last two tokens did not meet before. Does not
 * allocate. */
uint32_t ngram_guess(
    Ngram *ngram, const int32_t *tokens, uint32_t n_tokens, uint32_t n_max, int32_t *guesses);

#endif

/* Guesses from a small model of the same vocabulary that is in memory whole. It keeps a sequence
 * of its own beside the one it guesses for, and draws its guesses as that one's tokens are drawn:
 * with the same options, seed and positions. */
#ifndef HYPURA_ENGINE_DRAFT_H
#define HYPURA_ENGINE_DRAFT_H

#include "engine/sequence.h"
#include "sample/sampler.h"

typedef struct Draft {
    Sequence sequence;
    Sampler sampler;
    int32_t *seen; // [n_ctx] what the sequence was given, from first_position on; owned
    uint32_t n_seen;
    uint32_t n_sure; // of them, those that the text was known to begin with
} Draft;

/* `loaded` is borrowed, and no other model's sequence may be used meanwhile. */
CHECKED bool draft_init(Draft *draft, Loaded *loaded, Error *err);
void draft_destroy(Draft *draft); // a zeroed one is fine

/* The text begins anew, at a position. */
void draft_reset(Draft *draft, uint32_t position);

/* Guesses n_wanted tokens (0: only keeps up) behind tokens[0..n_tokens), the text from the reset's
 * position on. *n_guesses: how many came of it. There is room for all in the context. On failure
 * (a read, NUMERIC, INTERRUPTED) the draft can be asked again. */
CHECKED bool draft_guess(Draft *draft, const int32_t *tokens, uint32_t n_tokens, uint32_t n_wanted,
    const SamplerOptions *options, int32_t *guesses, uint32_t *n_guesses, Error *err);

#endif

/* Logits to one token id. A token's randomness depends on seed and position alone. */
#ifndef HYPURA_SAMPLE_SAMPLER_H
#define HYPURA_SAMPLE_SAMPLER_H

#include "base/error.h"

/* How the token is found among the candidates that remain; each gives every candidate its
 * probability, and is a pure function of logits, seed and position. */
typedef enum SamplerDraw {
    SAMPLER_DRAW_SUM, // one fraction of the sum of all weights
    // A race: the token whose own exponential variable, divided by its weight, is least. Two
    // distributions drawn from with one seed at one position give the same token with a
    // probability of at least (1 - d) / (1 + d), d their total variation distance (Daliri, Musco
    // and Suresh 2024, arXiv:2408.07978): so a draft guesses well what a model will draw.
    SAMPLER_DRAW_RACE
} SamplerDraw;

typedef struct SamplerOptions {
    uint64_t seed;
    float temperature; // 0 or less: greedy
    int32_t top_k;     // 0 or less: off
    float top_p;       // 1 or more: off
    float min_p;       // 0 or less: off
    SamplerDraw draw;
} SamplerOptions;

typedef struct Candidate {
    float logit;
    int32_t token;
} Candidate;

typedef struct Sampler {
    SamplerOptions options; // may be changed between draws
    Candidate *candidates;  // [2][n_vocab] scratch, owned
    uint32_t n_vocab;
} Sampler;

/* llama.cpp's defaults: temperature 0.8, top_k 40, top_p 0.95, min_p 0.05; seed 0. */
SamplerOptions sampler_default_options(void);

/* n_vocab at least 1. The only allocation of the sampler's life (MEM_SCRATCH); the caller
 * ends it with sampler_destroy, which accepts a zeroed one. */
CHECKED bool sampler_init(Sampler *sampler, SamplerOptions options, uint32_t n_vocab, Error *err);
void sampler_destroy(Sampler *sampler);

/*
 * The id for the token at `position` of its sequence, from logits[0..n_vocab), finite or
 * -Inf. Candidates are sorted by logit, ties to the lower id; then in this order
 *
 *   top_k   the k best remain
 *   top_p   the fewest best remain whose probabilities reach top_p, at least one
 *   min_p   those remain with logit >= best + ln(min_p)
 *   draw    by probabilities exp((logit - best) / temperature), with the 53 upper bits
 *           of rng_at(seed, position) as a fraction of their sum; or, as a race, the one with
 *           the least -ln(u) / probability, u in (0, 1) from seed, position and token; of
 *           equals the better one
 *
 * exp is the canonical one, sums are float32 in sorted order (docs/arithmetic.md section
 * 10), so the id is a pure function of logits, options and position. With temperature 0
 * it is the best logit's. On failure `token` is unchanged: NUMERIC when a logit is NaN or
 * +Inf, or all are -Inf. Does not allocate.
 */
CHECKED bool sampler_draw(
    Sampler *sampler, const float *logits, uint64_t position, int32_t *token, Error *err);

#endif

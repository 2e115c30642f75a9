/* Logits to one token id. A token's randomness depends on seed and position alone. */
#ifndef HYPURA_SAMPLE_SAMPLER_H
#define HYPURA_SAMPLE_SAMPLER_H

#include "base/error.h"

typedef struct SamplerOptions {
    uint64_t seed;
    float temperature;   // 0 or less: greedy
    int32_t top_k;       // 0 or less: off
    float top_p;         // 1 or more: off
    float min_p;         // 0 or less: off
} SamplerOptions;

typedef struct Candidate {
    float logit;
    int32_t token;
} Candidate;

typedef struct Sampler {
    SamplerOptions options;
    Candidate *candidates; // [n_vocab] scratch, owned
    uint32_t n_vocab;
} Sampler;

/* llama.cpp's defaults: temperature 0.8, top_k 40, top_p 0.95, min_p 0.05. */
SamplerOptions sampler_default_options(void);

CHECKED bool sampler_init(Sampler *sampler, SamplerOptions options, uint32_t n_vocab, Error *err);
void sampler_destroy(Sampler *sampler);

/* The id for the token at `position` of its sequence. Chain: top_k, top_p, min_p,
 * temperature, draw; sorted by logit, ties to the lower id. logits: [n_vocab], finite or -Inf. NUMERIC
 * when any is NaN or +Inf, or all are -Inf. Canonical exp, sequential sums. */
CHECKED bool sampler_draw(Sampler *sampler, const float *logits, uint64_t position, int32_t *token, Error *err);

#endif

/* The chain from logits to one id; sampler.h says what each step keeps. */
#include "sample/sampler.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "sample/topk.h"

SamplerOptions sampler_default_options(void)
{
    return (SamplerOptions){.temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f};
}

bool sampler_init(Sampler *sampler, SamplerOptions options, uint32_t n_vocab, Error *err)
{
    assert(n_vocab > 0);
    *sampler = (Sampler){.options = options, .n_vocab = n_vocab};
    sampler->candidates =
        mem_alloc_array(MEM_SCRATCH, n_vocab, 2 * sizeof(*sampler->candidates), err);
    return sampler->candidates != NULL;
}

void sampler_destroy(Sampler *sampler)
{
    mem_free(MEM_SCRATCH, sampler->candidates);
    *sampler = (Sampler){0};
}

/* The best logit's id, the lowest of equals; or the reason why nothing can be drawn. */
static bool find_best(const float *logits, uint32_t n, int32_t *token, Error *err)
{
    uint32_t best = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (isnan(logits[i]) || (isinf(logits[i]) && logits[i] > 0))
            return error_set(
                err, ERROR_NUMERIC, "the logit of token %u is %f", i, (double)logits[i]);
        if (logits[i] > logits[best]) best = i;
    }
    if (isinf(logits[best]))
        return error_set(err, ERROR_NUMERIC, "the logits of all %u tokens are -inf", n);
    *token = (int32_t)best;
    return true;
}

/* How many of the sorted candidates it takes to reach top_p. */
static uint32_t keep_top_p(const Candidate *candidates, uint32_t n, float top_p)
{
    float total = 0, reached = 0;
    uint32_t n_kept = 0;

    for (uint32_t i = 0; i < n; i++)
        total += canonical_expf(candidates[i].logit - candidates[0].logit);
    while (n_kept < n && (n_kept == 0 || reached < top_p)) {
        reached += canonical_expf(candidates[n_kept].logit - candidates[0].logit) / total;
        n_kept++;
    }
    return n_kept;
}

/* How many of the sorted candidates have at least min_p of the best one's probability. */
static uint32_t keep_min_p(const Candidate *candidates, uint32_t n, float min_p)
{
    float least = candidates[0].logit + (float)canonical_log((double)min_p);
    uint32_t n_kept = 1;

    while (n_kept < n && candidates[n_kept].logit >= least) n_kept++;
    return n_kept;
}

static float weight_of(const Candidate *candidates, uint32_t i, float temperature)
{
    return canonical_expf((candidates[i].logit - candidates[0].logit) / temperature);
}

/* The candidate at `fraction`, in [0, 1), of the sum of all weights. */
static int32_t draw(const Candidate *candidates, uint32_t n, float temperature, double fraction)
{
    float total = 0, reached = 0;
    uint32_t i = 0;

    for (uint32_t k = 0; k < n; k++) total += weight_of(candidates, k, temperature);
    reached = weight_of(candidates, 0, temperature);
    while (i + 1 < n && (double)reached <= fraction * (double)total)
        reached += weight_of(candidates, ++i, temperature);
    return candidates[i].token;
}

/* -ln of a random number in (0, 1) that belongs to this token at this position. */
static double racing_time(uint64_t seed, uint64_t position, int32_t token)
{
    // The 1 keeps these counters apart from those of rng_at.
    const uint32_t counter[4] = {
        (uint32_t)position, (uint32_t)(position >> 32), (uint32_t)token, 1};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t bits[4];

    rng_philox(counter, key, bits);
    uint64_t fraction = ((uint64_t)bits[1] << 32 | bits[0]) >> 12;
    return -canonical_log(((double)fraction + 0.5) * 0x1p-52);
}

static int32_t draw_by_race(
    const Candidate *candidates, uint32_t n, const SamplerOptions *options, uint64_t position)
{
    double least = (double)INFINITY;
    int32_t first = candidates[0].token;

    for (uint32_t i = 0; i < n; i++) {
        double time = racing_time(options->seed, position, candidates[i].token)
                      / (double)weight_of(candidates, i, options->temperature);
        if (!(time < least)) continue;
        least = time;
        first = candidates[i].token;
    }
    return first;
}

bool sampler_draw(
    Sampler *sampler, const float *logits, uint64_t position, int32_t *token, Error *err)
{
    const SamplerOptions *options = &sampler->options;
    Candidate *candidates = sampler->candidates;
    uint32_t n = sampler->n_vocab;
    int32_t best = 0;

    if (!find_best(logits, n, &best, err)) return false;
    if (!(options->temperature > 0)) {
        *token = best;
        return true;
    }

    bool limited = options->top_k > 0 && (uint32_t)options->top_k < n;
    n = topk_select(logits, n, limited ? (uint32_t)options->top_k : n, candidates, candidates + n);
    if (options->top_p < 1) n = keep_top_p(candidates, n, options->top_p);
    if (options->min_p > 0) n = keep_min_p(candidates, n, options->min_p);

    if (options->draw == SAMPLER_DRAW_RACE) {
        *token = draw_by_race(candidates, n, options, position);
        return true;
    }
    double fraction = (double)(rng_at(options->seed, position) >> 11) * 0x1p-53;
    *token = draw(candidates, n, options->temperature, fraction);
    return true;
}

/* Selection against plain sorting. */
#include "sample/topk.h"

#include <float.h>
#include <math.h>

#include "base/rng.h"
#include "harness.h"

enum { N_MAX = 5000 };

static int by_logit_then_id(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;

    if (x->logit != y->logit) return x->logit < y->logit ? 1 : -1;
    return (x->token > y->token) - (x->token < y->token);
}

static uint32_t select_plainly(const float *logits, uint32_t n, uint32_t k, Candidate *out)
{
    uint32_t n_found = 0;

    for (uint32_t i = 0; i < n; i++)
        if (!isinf(logits[i])) out[n_found++] = (Candidate){logits[i], (int32_t)i};
    qsort(out, n_found, sizeof(*out), by_logit_then_id);
    return n_found < k ? n_found : k;
}

/* Kinds of logits that a selection may stumble over. */
static float logit_of_kind(Rng *rng, int kind)
{
    static const float extremes[] = {
        0.0f, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, 1e-45f, -1e-45f, 1.0f, -1.0f, -INFINITY};
    uint32_t bits = (uint32_t)rng_next(rng);
    float any;

    switch (kind) {
    case 0: return rng_unit(rng) * 40 - 20;
    case 1: return (float)rng_below(rng, 5); // ties
    case 2: return extremes[rng_below(rng, COUNT(extremes))];
    case 3: return 1.0f; // nothing but ties
    case 4: return rng_below(rng, 10) == 0 ? rng_unit(rng) : -INFINITY;
    default: break;
    }
    memcpy(&any, &bits, sizeof(any));
    return isnan(any) || isinf(any) ? 0 : any;
}

TEST(selection_equals_sorting)
{
    static float logits[N_MAX];
    static Candidate wanted[N_MAX], got[N_MAX], spare[N_MAX];
    const uint32_t ks[] = {1, 2, 40, N_MAX};
    Rng rng = rng_seeded(harness_seed());

    for (int round = 0; round < 240; round++) {
        uint32_t n = round % 10 == 0 ? N_MAX : 1 + (uint32_t)rng_below(&rng, 200);
        for (uint32_t i = 0; i < n; i++) logits[i] = logit_of_kind(&rng, round % 6);
        for (size_t t = 0; t < COUNT(ks); t++) {
            uint32_t k = ks[t] < n ? ks[t] : n;
            uint32_t n_wanted = select_plainly(logits, n, k, wanted);
            uint32_t n_got = topk_select(logits, n, k, got, spare);
            CHECK(n_got == n_wanted);
            for (uint32_t i = 0; i < n_got && i < n_wanted; i++) {
                CHECK(got[i].token == wanted[i].token);
                CHECK_BITS(&logits[got[i].token], &got[i].logit, sizeof(float));
            }
        }
    }
}

TEST(zeros_of_both_signs_are_equal)
{
    const float logits[] = {-1.0f, -0.0f, 0.0f, -0.0f};
    Candidate out[4], spare[4];

    CHECK(topk_select(logits, 4, 4, out, spare) == 4);
    CHECK(out[0].token == 1 && out[1].token == 2 && out[2].token == 3 && out[3].token == 0);
}

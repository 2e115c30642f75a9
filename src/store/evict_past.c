/* Sets of experts as bits: to compare two is to count bits. */
#include "store/evict_past.h"

#include <math.h>

#define WORD_BITS   64
#define ALIKE_FADES 0.95f  // a call: the last twenty matter
#define ALIKE_POWER 13.0f  // e^13 between a pass that was the same and one that shares nothing
#define AGE_FADES   -0.02f // the logarithm of what a pass ago weighs
#define UNSEEN      1.0f   // uses of an expert that its transitions have to outweigh

bool past_init(Past *past, uint32_t n_layers, uint32_t n_expert, Error *err)
{
    uint32_t n_words = (n_expert + WORD_BITS - 1) / WORD_BITS;

    *past = (Past){.n_layers = n_layers, .n_expert = n_expert, .n_words = n_words, .n_passes = 1};
    past->sets = mem_alloc_array(
        MEM_OTHER, (size_t)(PAST_PASSES + 1) * n_layers * n_words, sizeof(uint64_t), err);
    if (!past->sets) return false;
    past->n_members =
        mem_alloc_array(MEM_OTHER, (size_t)(PAST_PASSES + 1) * n_layers, sizeof(uint32_t), err);
    if (!past->n_members) past_destroy(past);
    return past->n_members != NULL;
}

void past_destroy(Past *past)
{
    mem_free(MEM_OTHER, past->sets);
    mem_free(MEM_OTHER, past->n_members);
    *past = (Past){0};
}

/* The number of a layer's set, `lag` passes before the one under way. */
static size_t set_of(const Past *past, uint32_t lag, uint32_t layer)
{
    return (size_t)((past->n_passes - lag) % (PAST_PASSES + 1)) * past->n_layers + layer;
}

static uint32_t n_lags(const Past *past)
{
    return past->n_passes > PAST_PASSES ? PAST_PASSES : (uint32_t)past->n_passes - 1;
}

void past_begin_pass(Past *past)
{
    past->n_passes++;
    size_t first = set_of(past, 0, 0);
    memset(past->sets + first * past->n_words, 0,
        (size_t)past->n_layers * past->n_words * sizeof(uint64_t));
    memset(past->n_members + first, 0, past->n_layers * sizeof(uint32_t));
}

/* Twice what both sets have, by what each has; 1: they are the same. (Dice 1945) */
static float compare(const Past *past, size_t a, size_t b)
{
    const uint64_t *words_a = past->sets + a * past->n_words;
    const uint64_t *words_b = past->sets + b * past->n_words;
    uint32_t n_all = past->n_members[a] + past->n_members[b];
    int n_both = 0;

    for (uint32_t i = 0; i < past->n_words; i++)
        n_both += __builtin_popcountll(words_a[i] & words_b[i]);
    return n_all > 0 ? 2 * (float)n_both / (float)n_all : 0;
}

void past_call(Past *past, uint32_t layer, const uint32_t *experts, uint32_t n)
{
    size_t set = set_of(past, 0, layer);
    uint64_t *words = past->sets + set * past->n_words;

    for (uint32_t i = 0; i < n; i++)
        words[experts[i] / WORD_BITS] |= UINT64_C(1) << (experts[i] % WORD_BITS);
    past->n_members[set] = n;
    for (uint32_t lag = 1; lag <= n_lags(past); lag++) {
        float same = compare(past, set, set_of(past, lag, layer));
        past->alike[lag] += (1 - ALIKE_FADES) * (same - past->alike[lag]);
    }
}

void past_weigh(Past *past)
{
    for (uint32_t lag = 1; lag <= n_lags(past); lag++)
        past->weight[lag] = expf(ALIKE_POWER * past->alike[lag] + AGE_FADES * (float)lag);
}

/* Adds `weight` to the chances of a set's members. */
static void add_set(const Past *past, size_t set, float weight, float *chance)
{
    const uint64_t *words = past->sets + set * past->n_words;

    for (uint32_t i = 0; i < past->n_words; i++)
        for (uint64_t rest = words[i]; rest != 0; rest &= rest - 1)
            chance[i * WORD_BITS + (uint32_t)__builtin_ctzll(rest)] += weight;
}

/* What comes after a call of layer `now`: a later layer comes in the same pass, an earlier one (or
 * the same) in the one after it. */
static uint32_t passes_until(uint32_t now, uint32_t layer)
{
    return layer > now ? 0 : 1;
}

void past_expect(const Past *past, uint32_t now, uint32_t layer, float *chance)
{
    uint32_t after = passes_until(now, layer);
    float sum = 0;

    memset(chance, 0, past->n_expert * sizeof(float));
    for (uint32_t lag = 1; lag <= n_lags(past); lag++) {
        size_t set = set_of(past, lag - after, layer);
        if (past->n_members[set] == 0) continue; // that pass was given up before
        add_set(past, set, past->weight[lag], chance);
        sum += past->weight[lag];
    }
    for (uint32_t i = 0; i < past->n_expert && sum > 0; i++) chance[i] /= sum;
}

void past_frequency(const Past *past, uint32_t layer, float *chance)
{
    uint32_t n_sets = 0;

    memset(chance, 0, past->n_expert * sizeof(float));
    for (uint32_t lag = 0; lag <= n_lags(past); lag++) {
        size_t set = set_of(past, lag, layer);
        n_sets += past->n_members[set] > 0;
        add_set(past, set, 1, chance);
    }
    for (uint32_t i = 0; i < past->n_expert && n_sets > 0; i++) chance[i] /= (float)n_sets;
}

static bool has(const Past *past, size_t set, uint32_t expert)
{
    return past->sets[set * past->n_words + expert / WORD_BITS] >> (expert % WORD_BITS) & 1;
}

/* Shares out the vote of one expert of layer `now` among the passes that used it too. Returns what
 * it leaves to the frequency. */
static float vote(
    const Past *past, uint32_t now, uint32_t layer, uint32_t expert, float votes[PAST_PASSES + 1])
{
    uint8_t lags[PAST_PASSES];
    uint32_t n = 0, after = passes_until(now, layer);

    for (uint32_t lag = 1; lag <= n_lags(past); lag++)
        if (has(past, set_of(past, lag, now), expert)
            && past->n_members[set_of(past, lag - after, layer)] > 0)
            lags[n++] = (uint8_t)lag;
    for (uint32_t i = 0; i < n; i++) votes[lags[i]] += 1 / ((float)n + UNSEEN);
    return UNSEEN / ((float)n + UNSEEN);
}

void past_follow(const Past *past, uint32_t now, uint32_t layer, const float *usual, float *chance)
{
    float votes[PAST_PASSES + 1] = {0};
    uint32_t n_used = past_n_used(past, now), after = passes_until(now, layer);
    float left = n_used > 0 ? 0 : 1;

    memset(chance, 0, past->n_expert * sizeof(float));
    for (uint32_t i = 0; i < past->n_expert; i++)
        if (past_used(past, now, i)) left += vote(past, now, layer, i, votes) / (float)n_used;
    for (uint32_t lag = 1; lag <= n_lags(past); lag++)
        if (votes[lag] > 0)
            add_set(past, set_of(past, lag - after, layer), votes[lag] / (float)n_used, chance);
    for (uint32_t i = 0; i < past->n_expert; i++) chance[i] += left * usual[i];
}

bool past_used(const Past *past, uint32_t layer, uint32_t expert)
{
    return has(past, set_of(past, 0, layer), expert);
}

uint32_t past_n_used(const Past *past, uint32_t layer)
{
    return past->n_members[set_of(past, 0, layer)];
}

uint32_t past_n_passes(const Past *past)
{
    return n_lags(past) + 1;
}

const uint64_t *past_set(const Past *past, uint32_t lag, uint32_t layer)
{
    return past->sets + set_of(past, lag, layer) * past->n_words;
}

void past_take_word(Past *past, uint32_t layer, uint32_t index, uint64_t word)
{
    size_t set = set_of(past, 0, layer);

    past->sets[set * past->n_words + index] = word;
    past->n_members[set] += (uint32_t)__builtin_popcountll(word);
}

/* Terms are kept from the guess until the answer: a distance of d has up to d guesses open. */
#include "store/predict.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define FLOOR 0.003f // of chances: what was never seen is not impossible
#define RATE  1.0f   // of learning, for the mean over a layer's experts

/* Where learning starts: what is likely because it is always likely counts once. */
static const float weights_at_first[PREDICT_TERMS] = {0, -0.6f, 1.0f, 0.8f};

#define N_TERMS(n_expert) ((size_t)PREDICT_AHEAD_MAX * PREDICT_AHEAD_MAX * (n_expert)*PREDICT_TERMS)

uint64_t predict_table_bytes(uint32_t n_expert)
{
    return (N_TERMS(n_expert) + 3 * (uint64_t)n_expert) * sizeof(float);
}

bool predict_init(Predict *predict, Past *past, Error *err)
{
    *predict = (Predict){.past = past};
    for (size_t i = 0; i < PREDICT_AHEAD_MAX; i++)
        memcpy(predict->weights[i], weights_at_first, sizeof weights_at_first);
    predict->terms = mem_alloc_array(MEM_OTHER, N_TERMS(past->n_expert), sizeof(float), err);
    if (!predict->terms) return false;
    for (size_t i = 0; i < COUNT(predict->chance); i++) {
        predict->chance[i] = mem_alloc_array(MEM_OTHER, past->n_expert, sizeof(float), err);
        if (!predict->chance[i]) goto fail;
    }
    return true;

fail:
    predict_destroy(predict);
    return false;
}

void predict_destroy(Predict *predict)
{
    mem_free(MEM_OTHER, predict->terms);
    for (size_t i = 0; i < COUNT(predict->chance); i++) mem_free(MEM_OTHER, predict->chance[i]);
    *predict = (Predict){0};
}

/* Of the guess at `layer` from `ahead` layers before: of that distance and place. */
static float *find_terms(const Predict *predict, uint32_t ahead, uint32_t layer)
{
    size_t index = (size_t)(ahead - 1) * PREDICT_AHEAD_MAX + layer % ahead;

    return predict->terms + index * predict->past->n_expert * PREDICT_TERMS;
}

static float probability(const float *terms, const float *weights, float base)
{
    float odds = base;

    for (size_t i = 0; i < PREDICT_TERMS; i++) odds += weights[i] * terms[i];
    return 1 / (1 + expf(-odds));
}

/* ---- learning ---- */

void predict_learn(Predict *predict, uint32_t layer)
{
    uint32_t n_expert = predict->past->n_expert;

    for (uint32_t ahead = 1; ahead <= PREDICT_AHEAD_MAX; ahead++) {
        uint32_t *guessed = &predict->layer[ahead - 1][layer % ahead];
        if (*guessed != layer + 1) continue;
        *guessed = 0;
        const float *terms = find_terms(predict, ahead, layer);
        float *weights = predict->weights[ahead - 1];
        float base = predict->base[ahead - 1][layer % ahead], step[PREDICT_TERMS] = {0};
        for (uint32_t i = 0; i < n_expert; i++, terms += PREDICT_TERMS) {
            float wrong = (past_used(predict->past, layer, i) ? 1.0f : 0.0f)
                          - probability(terms, weights, base);
            for (size_t k = 0; k < PREDICT_TERMS; k++) step[k] += wrong * terms[k];
        }
        for (size_t k = 0; k < PREDICT_TERMS; k++) weights[k] += RATE / (float)n_expert * step[k];
    }
}

/* ---- guessing ---- */

static float against(float chance, float share)
{
    return logf((chance + FLOOR) / (share + FLOOR));
}

static void find_chances(Predict *predict, uint32_t now, uint32_t layer)
{
    past_weigh(predict->past);
    past_frequency(predict->past, layer, predict->chance[0]);
    past_follow(predict->past, now, layer, predict->chance[0], predict->chance[1]);
    past_expect(predict->past, now, layer, predict->chance[2]);
}

/* Sorts a guess in, if it is among the n best. */
static uint32_t insert(PredictGuess *guesses, uint32_t n_held, uint32_t n, PredictGuess guess)
{
    uint32_t k = n_held;

    if (k == n && (n == 0 || guesses[k - 1].chance >= guess.chance)) return n_held;
    if (k == n) k--;
    for (; k > 0 && guesses[k - 1].chance < guess.chance; k--) guesses[k] = guesses[k - 1];
    guesses[k] = guess;
    return n_held < n ? n_held + 1 : n;
}

void predict_guess(
    Predict *predict, uint32_t now, uint32_t ahead, PredictGuess *guesses, uint32_t n)
{
    const Past *past = predict->past;
    uint32_t layer = (now + ahead) % past->n_layers, n_held = 0;
    float share = fmaxf((float)past_n_used(past, now), 0.5f) / ((float)past->n_expert + 0.5f);
    float base = logf(share / (1 - share));
    float *terms = find_terms(predict, ahead, layer);

    assert(ahead >= 1);
    assert(ahead <= PREDICT_AHEAD_MAX);
    assert(ahead <= past->n_layers);
    assert(n <= past->n_expert);
    find_chances(predict, now, layer);
    predict->layer[ahead - 1][layer % ahead] = layer + 1;
    predict->base[ahead - 1][layer % ahead] = base;
    for (uint32_t i = 0; i < past->n_expert; i++, terms += PREDICT_TERMS) {
        terms[0] = 1;
        for (size_t k = 0; k < COUNT(predict->chance); k++)
            terms[1 + k] = against(predict->chance[k][i], share);
        float chance = probability(terms, predict->weights[ahead - 1], base);
        n_held = insert(guesses, n_held, n, (PredictGuess){.expert = i, .chance = chance});
    }
}

/* store/predict - what is guessed before a router speaks */
#include "store/predict.h"

#include <math.h>

#include "base/fault.h"
#include "base/rng.h"
#include "harness.h"

#define N_LAYERS 4
#define N_EXPERT 70 // two words of bits

typedef struct Guesser {
    Past past;
    Predict predict;
} Guesser;

static void make(Guesser *guesser)
{
    Error err = {0};

    CHECK(past_init(&guesser->past, N_LAYERS, N_EXPERT, &err));
    CHECK(predict_init(&guesser->predict, &guesser->past, &err));
}

static void end(Guesser *guesser)
{
    predict_destroy(&guesser->predict);
    predict_destroy(&guesser->predict); // twice is harmless
    past_destroy(&guesser->past);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

static void call(Guesser *guesser, uint32_t layer, uint32_t expert)
{
    if (layer == 0) past_begin_pass(&guesser->past);
    past_call(&guesser->past, layer, &expert, 1);
    predict_learn(&guesser->predict, layer);
}

static PredictGuess guess(Guesser *guesser, uint32_t now, uint32_t ahead)
{
    PredictGuess best = {.expert = 99};

    predict_guess(&guesser->predict, now, ahead, &best, 1);
    return best;
}

TEST(what_repeats_is_named)
{
    Guesser guesser;
    make(&guesser);

    // Layer l uses 10 * l + a number that goes 0, 1, 2, 0, ... from pass to pass.
    for (uint32_t pass = 0; pass < 60; pass++)
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
            call(&guesser, layer, 10 * layer + pass % 3);
            for (uint32_t ahead = 1; ahead <= PREDICT_AHEAD_MAX; ahead++) {
                PredictGuess best = guess(&guesser, layer, ahead);
                uint32_t meant = (layer + ahead) % N_LAYERS;
                if (pass < 20) continue;
                CHECK(best.expert == 10 * meant + (pass + (layer + ahead) / N_LAYERS) % 3);
                if (pass > 50) CHECK(best.chance > 0.9f);
            }
        }
    end(&guesser);
}

/* No pass is like another one, but what a layer uses follows from the layer before. */
TEST(transitions_are_learned_one_by_one)
{
    Guesser guesser;
    Rng rng = rng_seeded(harness_seed());
    uint32_t n_right = 0;
    make(&guesser);

    for (uint32_t pass = 0; pass < 300; pass++) {
        uint32_t expert = (uint32_t)rng_below(&rng, 8);
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
            if (layer > 0) {
                expert = (expert * 3 + 1) % 8;
                n_right += pass >= 200 && guess(&guesser, layer - 1, 1).expert == expert;
            }
            call(&guesser, layer, expert);
        }
    }
    CHECK(n_right > 290);
    end(&guesser);
}

/* Where nothing follows from anything, half of the uses fall on expert 7: chances say so. */
TEST(chances_are_cautious_probabilities)
{
    Guesser guesser;
    Rng rng = rng_seeded(harness_seed());
    double n_expected = 0, n_right = 0, n_guesses = 0, n_sevens = 0;
    make(&guesser);

    for (uint32_t pass = 0; pass < 600; pass++)
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
            PredictGuess best = {0};
            uint32_t expert = rng_below(&rng, 2) == 0 ? 7 : (uint32_t)rng_below(&rng, N_EXPERT);
            if (pass > 0) best = guess(&guesser, (layer + N_LAYERS - 1) % N_LAYERS, 1);
            call(&guesser, layer, expert);
            if (pass < 200) continue;
            n_sevens += best.expert == 7;
            n_expected += (double)best.chance;
            n_right += best.expert == expert;
            n_guesses += 1;
        }
    CHECK(n_sevens > 0.98 * n_guesses);
    if (!CHECK(n_expected < n_right + 0.05 * n_guesses && n_expected > n_right - 0.15 * n_guesses))
        printf("  expected %.1f of %.0f, right were %.0f\n", n_expected, n_guesses, n_right);
    end(&guesser);
}

TEST(guesses_are_ranked_and_each_is_named_once)
{
    Guesser guesser;
    PredictGuess all[N_EXPERT], some[5] = {{.expert = 99}};
    bool is_named[N_EXPERT] = {false};
    make(&guesser);

    for (uint32_t pass = 0; pass < 40; pass++)
        for (uint32_t layer = 0; layer < N_LAYERS; layer++)
            call(&guesser, layer, (pass * 7 + pass / 3) % 30);
    predict_guess(&guesser.predict, 1, 1, all, N_EXPERT);
    for (uint32_t i = 0; i < N_EXPERT; i++) {
        CHECK(all[i].chance > 0 && all[i].chance < 1);
        CHECK(!is_named[all[i].expert]);
        is_named[all[i].expert] = true;
        if (i == 0) continue;
        CHECK(all[i].chance < all[i - 1].chance
              || (all[i].chance == all[i - 1].chance && all[i].expert > all[i - 1].expert));
    }
    predict_guess(&guesser.predict, 1, 1, some, 0);
    CHECK(some[0].expert == 99);
    predict_guess(&guesser.predict, 1, 1, some, 5);
    for (uint32_t i = 0; i < 5; i++) CHECK(some[i].expert == all[i].expert);
    end(&guesser);
}

/* A pass is given up, or a prompt comes in between: what was guessed then teaches nothing. */
TEST(only_answers_teach)
{
    Guesser guesser;
    float before[PREDICT_AHEAD_MAX][PREDICT_TERMS];
    make(&guesser);

    for (uint32_t pass = 0; pass < 3; pass++)
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) call(&guesser, layer, pass);
    memcpy(before, guesser.predict.weights, sizeof before);
    for (uint32_t layer = 0; layer < N_LAYERS; layer++) call(&guesser, layer, 1);
    CHECK_BITS(before, guesser.predict.weights, sizeof before); // nobody has guessed
    guess(&guesser, 1, 2);                                      // of layer 3
    call(&guesser, 0, 2);
    call(&guesser, 1, 2);
    call(&guesser, 2, 2);
    CHECK_BITS(before, guesser.predict.weights, sizeof before);
    call(&guesser, 3, 2);
    CHECK_BITS(before[0], guesser.predict.weights[0], sizeof before[0]);
    CHECK(memcmp(before[1], guesser.predict.weights[1], sizeof before[1]) != 0);
    memcpy(before, guesser.predict.weights, sizeof before);
    call(&guesser, 3, 2); // the answer was taken
    CHECK_BITS(before, guesser.predict.weights, sizeof before);
    end(&guesser);
}

TEST(every_expert_may_be_used_at_once)
{
    static uint32_t experts[N_EXPERT];
    Guesser guesser;
    make(&guesser);

    for (uint32_t i = 0; i < N_EXPERT; i++) experts[i] = i;
    for (uint32_t pass = 0; pass < 200; pass++) {
        past_begin_pass(&guesser.past);
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
            past_call(&guesser.past, layer, experts, pass % 2 == 0 ? N_EXPERT : 0);
            predict_learn(&guesser.predict, layer);
            for (uint32_t ahead = 1; ahead <= PREDICT_AHEAD_MAX; ahead++) {
                float chance = guess(&guesser, layer, ahead).chance;
                CHECK(chance >= 0 && chance <= 1); // and no NaN
            }
        }
    }
    end(&guesser);
}

TEST(a_failed_allocation_is_said_and_leaks_nothing)
{
    Past past;
    Predict predict;
    Error err = {0};
    bool ok = false;

    CHECK(past_init(&past, N_LAYERS, N_EXPERT, &err));
    uint64_t held = ledger_held(MEM_OTHER);
    for (uint64_t nth = 1; nth < 20 && !ok; nth++) {
        fault_arm(FAULT_ALLOC, nth, false);
        ok = predict_init(&predict, &past, &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (!ok) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(ok || ledger_held(MEM_OTHER) == held);
    }
    CHECK(ok);
    CHECK(ledger_held(MEM_OTHER) - held >= predict_table_bytes(N_EXPERT));
    predict_destroy(&predict);
    past_destroy(&past);
}

/* Guesses from the text: what came before, the longest and latest match, within bounds. */
#include "engine/ngram.h"

#include "base/fault.h"
#include "base/ledger.h"
#include "base/rng.h"
#include "harness.h"

// clang-format off
static const struct {
    const char *label;
    int32_t text[16];
    uint32_t n_text, n_max, n_wanted;
    int32_t wanted[8];
} cases[] = {
    {"nothing",                    {0},                                    0, 4, 0, {0}},
    {"one token",                  {7},                                    1, 4, 0, {0}},
    {"never met before",           {1, 2, 3, 4, 5},                        5, 4, 0, {0}},
    {"one token is no match",      {1, 2, 3, 1},                           4, 4, 0, {0}},
    {"two are",                    {1, 2, 3, 4, 1, 2},                     6, 3, 3, {3, 4, 1}},
    {"fewer wanted",               {1, 2, 3, 4, 1, 2},                     6, 1, 1, {3}},
    {"none wanted",                {1, 2, 3, 4, 1, 2},                     6, 0, 0, {0}},
    {"the later one",              {1, 2, 3, 1, 2, 4, 1, 2},               8, 1, 1, {4}},
    {"the longer one",             {9, 1, 2, 3, 8, 1, 2, 4, 9, 1, 2},     11, 1, 1, {3}},
    {"equal lengths: the later",   {9, 1, 2, 3, 9, 1, 2, 4, 9, 1, 2},     11, 1, 1, {4}},
    {"goes on in the guesses",     {5, 6, 5, 6},                           4, 6, 6, {5, 6, 5, 6, 5, 6}},
    {"one token again and again",  {5, 5, 5},                              3, 4, 4, {5, 5, 5, 5}},
    {"extreme ids",                {INT32_MAX, 0, 1, INT32_MAX, 0},        5, 2, 2, {1, INT32_MAX}},
};
// clang-format on

/* Told at once, or token by token: the same guesses. */
TEST(the_longest_latest_match_is_continued)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (uint32_t step = 1; step <= 16; step += 15) {
            Ngram ngram;
            int32_t guesses[16] = {0};
            uint32_t n = 0;

            CHECK(ngram_init(&ngram, 16, NULL));
            for (uint32_t at = step; at < cases[i].n_text; at += step)
                (void)ngram_guess(&ngram, cases[i].text, at, 4, guesses);
            n = ngram_guess(&ngram, cases[i].text, cases[i].n_text, cases[i].n_max, guesses);
            CHECK_CASE(cases[i].label, n == cases[i].n_wanted);
            CHECK_CASE(cases[i].label, memcmp(guesses, cases[i].wanted, n * sizeof *guesses) == 0);
            ngram_destroy(&ngram);
        }
    }
}

TEST(a_reset_forgets_the_text)
{
    const int32_t first[] = {1, 2, 3, 1, 2}, second[] = {4, 1, 2};
    Ngram ngram;
    int32_t guess = 0;

    CHECK(ngram_init(&ngram, 8, NULL));
    CHECK(ngram_guess(&ngram, first, 5, 1, &guess) == 1 && guess == 3);
    ngram_reset(&ngram);
    CHECK(ngram_guess(&ngram, second, 3, 1, &guess) == 0);
    ngram_destroy(&ngram);
    ngram_destroy(&ngram);
    CHECK(ledger_held(MEM_STATE) == 0);
}

/* Every guess continues an earlier place that ends as the text does; two equal tokens before are
 * always found where the places looked at reach. */
TEST(guesses_of_random_texts_were_there_before)
{
    enum { N = 600 };
    int32_t text[N];
    Rng rng = rng_seeded(harness.seed);
    Ngram ngram;

    CHECK(ngram_init(&ngram, N, NULL));
    fault_arm(FAULT_ALLOC, 1, true);
    for (uint32_t n = 1; n <= N; n++) {
        int32_t guess = -1;
        bool met = false, continued = false;
        text[n - 1] = (int32_t)rng_below(&rng, 12);
        uint32_t n_guesses = ngram_guess(&ngram, text, n, 1, &guess);
        for (uint32_t at = 2; at < n; at++) {
            if (text[at - 1] != text[n - 1] || text[at - 2] != text[n - 2]) continue;
            met = true;
            continued = continued || text[at] == guess;
        }
        CHECK(n_guesses == (met ? 1u : 0u));
        CHECK(!met || continued);
    }
    CHECK(fault_count(FAULT_ALLOC) == 0);
    fault_arm(FAULT_ALLOC, 0, false);
    ngram_destroy(&ngram);
}

TEST(a_failed_start_holds_nothing)
{
    for (uint64_t k = 1; k <= 2; k++) {
        Ngram ngram;
        Error err = {0};
        fault_arm(FAULT_ALLOC, k, false);
        CHECK(!ngram_init(&ngram, 100, &err));
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(ledger_held(MEM_STATE) == 0);
    }
}

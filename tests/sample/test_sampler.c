/* The chain from logits to a token: what remains, how often each is drawn, what is refused. */
#include "sample/sampler.h"

#include <float.h>
#include <math.h>

#include "base/fault.h"
#include "base/ledger.h"
#include "harness.h"

enum { N_DRAWS = 20000, N_DRAWS_OF_A_CASE = 1000 };

/* Which tokens are drawn over many positions: bit i for token i. */
static uint32_t drawn(SamplerOptions options, const float *logits, uint32_t n)
{
    Sampler sampler;
    uint32_t seen = 0;

    CHECK(sampler_init(&sampler, options, n, NULL));
    for (uint64_t position = 0; position < N_DRAWS_OF_A_CASE; position++) {
        int32_t token = -1;
        if (!CHECK(sampler_draw(&sampler, logits, position, &token, NULL))) break;
        if (!CHECK(token >= 0 && (uint32_t)token < n)) break;
        seen |= 1u << token;
    }
    sampler_destroy(&sampler);
    return seen;
}

// ln 0.4, 0.3, 0.15, 0.1, 0.05 in an order that is not sorted
static const float five[] = {-1.89712f, -0.916291f, -2.995732f, -1.203973f, -2.302585f};
#define P40 (1u << 1)
#define P30 (1u << 3)
#define P15 (1u << 0)
#define P10 (1u << 4)
#define P05 (1u << 2)
#define ALL (P40 | P30 | P15 | P10 | P05)

// clang-format off
static const struct {
    const char *label;
    float temperature;
    int32_t top_k;
    float top_p, min_p;
    uint32_t wanted;
} cases[] = {
    {"all off",                       1,    0,  1,     0,     ALL},
    {"greedy",                        0,    0,  1,     0,     P40},
    {"negative temperature",         -1,    0,  1,     0,     P40},
    {"temperature not a number",      NAN,  0,  1,     0,     P40},
    {"top_k 1",                       1,    1,  1,     0,     P40},
    {"top_k 2",                       1,    2,  1,     0,     P40 | P30},
    {"top_k of all",                  1,    5,  1,     0,     ALL},
    {"top_k above all",               1,   99,  1,     0,     ALL},
    {"top_k negative",                1,   -3,  1,     0,     ALL},
    {"top_p reached by the first",    1,    0,  0.3f,  0,     P40},
    {"top_p 0 keeps one",             1,    0,  0,     0,     P40},
    {"top_p negative keeps one",      1,    0, -1,     0,     P40},
    {"top_p takes the one over it",   1,    0,  0.41f, 0,     P40 | P30},
    {"top_p 0.69",                    1,    0,  0.69f, 0,     P40 | P30},
    {"top_p 0.71",                    1,    0,  0.71f, 0,     P40 | P30 | P15},
    {"top_p 0.94",                    1,    0,  0.94f, 0,     P40 | P30 | P15 | P10},
    {"top_p 0.96",                    1,    0,  0.96f, 0,     ALL},
    {"top_p above 1",                 1,    0,  2,     0,     ALL},
    {"min_p 0.13 of the best",        1,    0,  1,     0.13f, P40 | P30 | P15 | P10},
    {"min_p 0.26",                    1,    0,  1,     0.26f, P40 | P30 | P15},
    {"min_p 0.74",                    1,    0,  1,     0.74f, P40 | P30},
    {"min_p 0.76",                    1,    0,  1,     0.76f, P40},
    {"min_p 1",                       1,    0,  1,     1,     P40},
    {"min_p above 1 keeps one",       1,    0,  1,     5,     P40},
    {"top_p counts what top_k left",  1,    2,  0.56f, 0,     P40},
    {"top_p before temperature",      0.1f, 0,  0.71f, 0,     P40 | P30 | P15},
    {"min_p before temperature",      3,    0,  1,     0.26f, P40 | P30 | P15},
    {"cold",                          1e-6f, 0, 1,     0,     P40},
    {"colder than any difference",    1e-45f, 0, 1,    0,     P40},
    {"hot",                           1e6f, 0,  1,     0,     ALL},
    {"infinitely hot",                INFINITY, 0, 1,  0,     ALL},
};
// clang-format on

TEST(each_step_keeps_what_the_table_says)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        SamplerOptions options = {.seed = 3,
            .temperature = cases[i].temperature,
            .top_k = cases[i].top_k,
            .top_p = cases[i].top_p,
            .min_p = cases[i].min_p};
        uint32_t got = drawn(options, five, COUNT(five));
        if (cases[i].temperature < 0.5f && cases[i].temperature > 0.01f)
            CHECK_CASE(cases[i].label, (got & ~cases[i].wanted) == 0 && (got & P40));
        else
            CHECK_CASE(cases[i].label, got == cases[i].wanted);
    }
}

/* Fixed seed, so exact counts. */
static void check_proportions(SamplerDraw draw)
{
    const double p[] = {0.15, 0.4, 0.05, 0.3, 0.1};
    SamplerOptions options = {.seed = 42, .temperature = 1, .top_p = 1, .draw = draw};
    uint32_t counts[COUNT(five)] = {0};
    Sampler sampler;
    double chi_squared = 0;

    CHECK(sampler_init(&sampler, options, COUNT(five), NULL));
    for (uint64_t position = 0; position < N_DRAWS; position++) {
        int32_t token = 0;
        CHECK(sampler_draw(&sampler, five, position, &token, NULL));
        counts[token]++;
    }
    for (size_t i = 0; i < COUNT(five); i++) {
        double difference = counts[i] - p[i] * N_DRAWS;
        chi_squared += difference * difference / (p[i] * N_DRAWS);
    }
    CHECK(chi_squared < 18.5); // 4 degrees of freedom: exceeded once in a thousand seeds
    CHECK(chi_squared > 0.09); // and as seldom below: too even is not random either
    sampler_destroy(&sampler);
}

TEST(tokens_are_drawn_in_proportion)
{
    check_proportions(SAMPLER_DRAW_SUM);
    check_proportions(SAMPLER_DRAW_RACE);
}

TEST(a_race_keeps_what_the_table_says)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        SamplerOptions options = {.seed = 3,
            .temperature = cases[i].temperature,
            .top_k = cases[i].top_k,
            .top_p = cases[i].top_p,
            .min_p = cases[i].min_p,
            .draw = SAMPLER_DRAW_RACE};
        CHECK_CASE(cases[i].label, (drawn(options, five, COUNT(five)) & ~cases[i].wanted) == 0);
    }
}

/* A draft's distribution, and what follows where it differs from the model's: the guess is taken
 * where the model draws it too. The model's tokens are in their proportions all the same, and
 * guesses are right as often as the bound of a race says, at least. */
TEST(a_race_gives_two_distributions_the_same_token_often)
{
    const double p[] = {0.15, 0.4, 0.05, 0.3, 0.1}, q[] = {0.3, 0.1, 0.2, 0.3, 0.1};
    const double distance = 0.3; // half of the sum of |p - q|
    float other[COUNT(five)];
    SamplerOptions options = {.seed = 5, .temperature = 1, .top_p = 1, .draw = SAMPLER_DRAW_RACE};
    uint32_t taken[COUNT(five)] = {0}, n_right = 0;
    double chi_squared = 0;
    Sampler sampler;

    for (size_t i = 0; i < COUNT(five); i++) other[i] = (float)log(q[i]);
    CHECK(sampler_init(&sampler, options, COUNT(five), NULL));
    for (uint64_t position = 0; position < N_DRAWS; position++) {
        int32_t guess = 0, token = 0;
        CHECK(sampler_draw(&sampler, other, position, &guess, NULL));
        CHECK(sampler_draw(&sampler, five, position, &token, NULL));
        n_right += guess == token;
        taken[token]++;
    }
    for (size_t i = 0; i < COUNT(five); i++) {
        double difference = taken[i] - p[i] * N_DRAWS;
        chi_squared += difference * difference / (p[i] * N_DRAWS);
    }
    CHECK(chi_squared < 18.5 && chi_squared > 0.09);
    CHECK(n_right >= N_DRAWS * (1 - distance) / (1 + distance));
    CHECK(n_right <= N_DRAWS * (1 - distance + 0.02)); // nothing does better than 1 - d
    sampler_destroy(&sampler);
}

TEST(a_draw_depends_on_logits_options_and_position_alone)
{
    float logits[1000];
    int32_t first[64], token = 0;
    Sampler a, b;

    for (size_t i = 0; i < COUNT(logits); i++) logits[i] = (float)(i * 7919 % 1000) * 0.01f;
    CHECK(sampler_init(&a, sampler_default_options(), COUNT(logits), NULL));
    for (uint64_t i = 0; i < 64; i++) CHECK(sampler_draw(&a, logits, i, &first[i], NULL));
    CHECK(sampler_init(&b, sampler_default_options(), COUNT(logits), NULL));
    for (uint64_t i = 64; i-- > 0;) { // backwards, with other draws between
        CHECK(sampler_draw(&b, logits, i + 1000, &token, NULL));
        CHECK(sampler_draw(&b, logits, i, &token, NULL) && token == first[i]);
    }

    bool differs = false;
    b.options.seed = 1;
    for (uint64_t i = 0; i < 64; i++) {
        CHECK(sampler_draw(&b, logits, i, &token, NULL));
        differs = differs || token != first[i];
    }
    CHECK(differs);
    sampler_destroy(&a);
    sampler_destroy(&b);
    sampler_destroy(&b);
    CHECK(ledger_held(MEM_SCRATCH) == 0);
}

/* The ids that this definition gives, for ever: a change here changes users' texts. */
TEST(drawn_ids_do_not_change)
{
    // Made by a separate program in float64 from the definition in sampler.h.
    static const int32_t wanted[] = {
        96, 401, 318, 55, 456, 83, 359, 166, 207, 415, 359, 166, 152, 41, 83, 179};
    float logits[512];
    Sampler sampler;

    for (size_t i = 0; i < COUNT(logits); i++) logits[i] = (float)(i * 37 % 512) * 0.015625f;
    CHECK(sampler_init(&sampler, sampler_default_options(), COUNT(logits), NULL));
    for (uint64_t i = 0; i < COUNT(wanted); i++) {
        int32_t token = -1;
        CHECK(sampler_draw(&sampler, logits, i, &token, NULL));
        if (!CHECK(token == wanted[i])) printf("    position %d: %d\n", (int)i, token);
    }
    sampler_destroy(&sampler);
}

// clang-format off
static const struct {
    const char *label;
    float logits[4];
    int32_t wanted; // -1: refused
} greedy[] = {
    {"the best",            {1, 3, 2, -1},                          1},
    {"equals: the lowest",  {2, 3, 3, 3},                           1},
    {"all equal",           {0, 0, 0, 0},                           0},
    {"zeros are equal",     {-0.0f, 0, -0.0f, -1},                  0},
    {"one is possible",     {-INFINITY, -INFINITY, -5, -INFINITY},  2},
    {"extremes",            {-FLT_MAX, FLT_MAX, 0, 1},              1},
    {"least of all",        {-FLT_MAX, -INFINITY, -FLT_MAX, -INFINITY}, 0},
    {"not a number first",  {NAN, 1, 2, 3},                         -1},
    {"not a number last",   {1, 2, 3, NAN},                         -1},
    {"plus infinity",       {1, INFINITY, 2, 3},                    -1},
    {"nothing possible",    {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, -1},
};
// clang-format on

static void check_case(size_t i, SamplerOptions options)
{
    Sampler sampler;
    int32_t token = 77;
    Error err = {0};

    CHECK(sampler_init(&sampler, options, 4, NULL));
    bool done = sampler_draw(&sampler, greedy[i].logits, 5, &token, &err);
    CHECK_CASE(greedy[i].label, done == (greedy[i].wanted >= 0));
    if (!done) CHECK_ERROR(err, ERROR_NUMERIC);
    CHECK_CASE(greedy[i].label, token == (done ? greedy[i].wanted : 77));
    sampler_destroy(&sampler);
}

TEST(greedy_takes_the_best_and_refuses_what_is_no_logit)
{
    for (size_t i = 0; i < COUNT(greedy); i++) {
        check_case(i, (SamplerOptions){.temperature = 0, .top_p = 1});
        check_case(i, (SamplerOptions){.temperature = 1, .top_k = 1, .top_p = 1});
    }
}

TEST(the_reason_names_the_token)
{
    const float logits[] = {0, INFINITY};
    Sampler sampler;
    int32_t token;
    Error err = {0};

    CHECK(sampler_init(&sampler, (SamplerOptions){0}, 2, NULL));
    CHECK(!sampler_draw(&sampler, logits, 0, &token, &err));
    CHECK(strstr(err.message, "token 1 is inf") != NULL);
    sampler_destroy(&sampler);
}

TEST(equals_of_the_best_pass_min_p_1)
{
    const float logits[] = {1, 1, 0.5f};

    CHECK(drawn((SamplerOptions){.temperature = 1, .top_p = 1, .min_p = 1}, logits, 3) == 3u);
}

TEST(impossible_tokens_are_never_drawn)
{
    const float logits[] = {-INFINITY, 0, -INFINITY, 1, -INFINITY};

    CHECK(drawn((SamplerOptions){.temperature = 1, .top_p = 1}, logits, 5) == (1u << 1 | 1u << 3));
    CHECK(drawn((SamplerOptions){.temperature = 100, .top_k = 4, .top_p = 1}, logits, 5)
          == (1u << 1 | 1u << 3));
}

TEST(a_draw_allocates_nothing)
{
    Sampler sampler;
    float logits[300] = {0};
    int32_t token;

    CHECK(sampler_init(&sampler, sampler_default_options(), COUNT(logits), NULL));
    fault_arm(FAULT_ALLOC, 1, true);
    for (uint64_t i = 0; i < 10; i++) CHECK(sampler_draw(&sampler, logits, i, &token, NULL));
    CHECK(fault_count(FAULT_ALLOC) == 0);
    fault_arm(FAULT_ALLOC, 0, false);
    sampler_destroy(&sampler);
}

TEST(a_failed_start_holds_nothing)
{
    Sampler sampler;
    Error err = {0};

    fault_arm(FAULT_ALLOC, 1, true);
    CHECK(!sampler_init(&sampler, sampler_default_options(), 1000, &err));
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(ledger_held(MEM_SCRATCH) == 0);
    sampler_destroy(&sampler);
}

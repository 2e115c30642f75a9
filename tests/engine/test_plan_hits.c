/* tests/engine/test_plan_hits.c - hits and unions of choices, by published traces and heat maps */
#include "engine/plan_hits.h"

#include <math.h>

#include "harness.h"

#define N_LAYERS 2
#define N_EXPERT 8

/* 100 tokens; expert 0 of each layer is used by all of them, expert 1 by half, the others never. */
static void fill(Heat *heat)
{
    Error err = {0};

    CHECK(heat_init(heat, N_LAYERS, N_EXPERT, &err));
    for (uint32_t token = 0; token < 100; token++) {
        heat_begin_rows(heat, 1);
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
            heat_use(heat, layer * N_EXPERT, 1);
            if (token % 2 == 0) heat_use(heat, layer * N_EXPERT + 1, 1);
        }
    }
}

TEST(hits_are_those_of_the_experts_that_were_used_most)
{
    Heat heat;
    hypura_range one, two, four, all;
    PlanPopularity popularity;
    Error err = {0};

    fill(&heat);
    CHECK(plan_heat_hits(&heat, 0, 1, &one, &popularity, &err));
    CHECK(plan_heat_hits(&heat, 0, 2, &two, &popularity, &err));
    CHECK(plan_heat_hits(&heat, 0, 4, &four, &popularity, &err));
    CHECK(plan_heat_hits(&heat, 0, N_LAYERS * N_EXPERT, &all, &popularity, &err));
    CHECK(fabs(one.expected * 2 - two.expected) < 0.01); // the favourites of both layers
    CHECK(fabs(two.expected / four.expected - 2 / 3.0) < 0.01);
    CHECK(four.expected == all.expected); // nothing else was ever used
    CHECK(one.low < one.expected);
    CHECK(one.expected < one.high);
    CHECK(all.high == 1);

    // Slots that a layer's own choice goes through keep nothing.
    CHECK(plan_heat_hits(&heat, 2, 4, &all, &popularity, &err));
    CHECK(all.expected == two.expected);
    CHECK(plan_heat_hits(&heat, 2, 1, &all, &popularity, &err));
    CHECK(all.expected == 0);
    heat_destroy(&heat);
}

TEST(no_heat_map_says_nothing)
{
    Heat heat = {0};
    hypura_range hits = {1, 1, 1};
    PlanPopularity popularity;
    Error err = {0};

    CHECK(plan_heat_hits(&heat, 2, 4, &hits, &popularity, &err));
    CHECK(hits.expected == 0 && popularity.n == 0);
    CHECK(heat_init(&heat, N_LAYERS, N_EXPERT, &err)); // one of no tokens
    CHECK(plan_heat_hits(&heat, 2, 4, &hits, &popularity, &err));
    CHECK(hits.expected == 0);
    heat_destroy(&heat);
}

static bool near(double value, double wanted)
{
    return fabs(value - wanted) < 1e-6 * (1 + wanted);
}

TEST(rows_choose_what_chances_say)
{
    PlanPopularity alike = {.share = {0, 1}, .mass = {0, 1}, .n = 2};
    PlanPopularity favourites = {.share = {0, 0.25, 1}, .mass = {0, 1, 1}, .n = 3};

    // All as likely: 1 - (1 - 1/16)^n, of which the kept quarter is not missed.
    PlanUnion eight = plan_union(&alike, 1 / 16.0, 8, 0.25);
    CHECK(near(eight.touched, 1 - pow(15 / 16.0, 8)));
    CHECK(near(eight.missed, 0.75 * eight.touched));
    CHECK(near(plan_union(&alike, 1 / 16.0, 1, 0).touched, 1 / 16.0));
    CHECK(near(plan_union(&alike, 1 / 16.0, 1e9, 0).missed, 1));
    // A quarter has all choices: four times as likely, and nothing else is ever touched.
    PlanUnion few = plan_union(&favourites, 1 / 16.0, 8, 0.125);
    CHECK(near(few.touched, 0.25 * (1 - pow(0.75, 8))));
    CHECK(near(few.missed, few.touched / 2));
    CHECK(near(plan_union(&favourites, 1 / 16.0, 8, 0.25).missed, 0));
    PlanPopularity none = {0};
    CHECK(plan_union(&none, 0.5, 8, 0).touched == 0);
}

TEST(one_row_touches_what_it_uses_whatever_the_popularity)
{
    static const uint32_t used[] = {1, 4, 8, 32};

    for (size_t i = 0; i < COUNT(used); i++) {
        PlanModel model = {.n_expert_layers = 48, .n_expert = 128, .n_expert_used = used[i]};
        PlanPopularity popularity;
        plan_published_popularity(&model, &popularity);
        PlanUnion one = plan_union(&popularity, used[i] / 128.0, 1, 0);
        CHECK(near(one.touched, used[i] / 128.0) && near(one.missed, one.touched));
        CHECK(
            popularity.share[popularity.n - 1] == 1 && near(popularity.mass[popularity.n - 1], 1));
    }
}

TEST(a_heat_map_gives_its_popularity)
{
    Heat heat;
    hypura_range hits;
    PlanPopularity popularity;
    Error err = {0};

    fill(&heat); // of 16 experts, two are used by every token and two by each second one
    CHECK(plan_heat_hits(&heat, 0, 4, &hits, &popularity, &err));
    heat_destroy(&heat);
    CHECK(popularity.n == 17);
    CHECK(popularity.share[0] == 0 && popularity.share[16] == 1);
    CHECK(fabs(popularity.mass[2] - 2 / 3.0) < 0.01);
    CHECK(near(popularity.mass[4], 1) && near(popularity.mass[16], 1));
    // 1.5 of a layer's 8 are used: two rows use one for sure, and another with 3/4.
    CHECK(fabs(plan_union(&popularity, 1.5 / 8, 2, 0).touched * 8 - 1.75) < 0.02);
}

TEST(a_heat_map_of_many_experts_has_a_curve_of_few_points)
{
    Heat heat;
    hypura_range hits;
    PlanPopularity popularity;
    Error err = {0};

    CHECK(heat_init(&heat, 3, 333, &err));
    heat_begin_rows(&heat, 1);
    for (uint32_t i = 0; i < 999; i++) heat_use(&heat, i, 1);
    CHECK(plan_heat_hits(&heat, 0, 4, &hits, &popularity, &err));
    heat_destroy(&heat);
    CHECK(popularity.n == PLAN_POPULARITY_MAX);
    for (uint32_t i = 1; i < popularity.n; i++) {
        CHECK(popularity.share[i] > popularity.share[i - 1]);
        CHECK(near(popularity.mass[i], popularity.share[i])); // all alike
    }
    CHECK(popularity.share[popularity.n - 1] == 1);
}

TEST(hits_follow_the_published_curve_between_its_limits)
{
    PlanModel model = {.n_expert_layers = 48, .n_expert = 128, .n_expert_used = 8};
    uint32_t n_all = 48 * 128;
    double last = 0;

    for (uint32_t n = 0; n <= n_all; n += 48) {
        hypura_range hits = plan_published_hits(&model, n);
        CHECK(hits.low <= hits.expected);
        CHECK(hits.expected <= hits.high);
        CHECK(hits.high <= 1);
        CHECK(hits.expected >= last);
        last = hits.expected;
    }
    CHECK(plan_published_hits(&model, n_all).low == 1);
    CHECK(fabs(plan_published_hits(&model, n_all / 4).expected - 0.68) < 1e-9);
    CHECK(plan_published_hits(&model, n_all / 32).low == 0); // less than a token's experts

    // Real traces (Qwen3-30B-A3B and gpt-oss-120b, decayed frequency) lie in the interval.
    static const double real[][3] = {{0.06, 0.42, 0.49}, {0.12, 0.61, 0.64}, {0.25, 0.83, 0.72}};
    for (size_t i = 0; i < COUNT(real); i++) {
        hypura_range hits = plan_published_hits(&model, (uint32_t)(real[i][0] * n_all));
        for (size_t k = 1; k < 3; k++) CHECK(hits.low < real[i][k] && real[i][k] < hits.high);
    }

    // Where a token uses a quarter of all experts there are few favourites.
    model.n_expert_used = 32;
    CHECK(plan_published_hits(&model, n_all / 2).expected < 0.6);
}

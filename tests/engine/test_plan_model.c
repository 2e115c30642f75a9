/* tests/engine/test_plan_model.c - what a heat map says of hits */
#include "engine/plan_model.h"

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
    Error err = {0};

    fill(&heat);
    CHECK(plan_heat_hits(&heat, 0, 1, &one, &err));
    CHECK(plan_heat_hits(&heat, 0, 2, &two, &err));
    CHECK(plan_heat_hits(&heat, 0, 4, &four, &err));
    CHECK(plan_heat_hits(&heat, 0, N_LAYERS * N_EXPERT, &all, &err));
    CHECK(fabs(one.expected * 2 - two.expected) < 0.01); // the favourites of both layers
    CHECK(fabs(two.expected / four.expected - 2 / 3.0) < 0.01);
    CHECK(four.expected == all.expected); // nothing else was ever used
    CHECK(one.low < one.expected);
    CHECK(one.expected < one.high);
    CHECK(all.high == 1);

    // Slots that a layer's own choice goes through keep nothing.
    CHECK(plan_heat_hits(&heat, 2, 4, &all, &err));
    CHECK(all.expected == two.expected);
    CHECK(plan_heat_hits(&heat, 2, 1, &all, &err));
    CHECK(all.expected == 0);
    heat_destroy(&heat);
}

TEST(no_heat_map_says_nothing)
{
    Heat heat = {0};
    hypura_range hits = {1, 1, 1};
    Error err = {0};

    CHECK(plan_heat_hits(&heat, 2, 4, &hits, &err));
    CHECK(hits.expected == 0);
    CHECK(heat_init(&heat, N_LAYERS, N_EXPERT, &err)); // one of no tokens
    CHECK(plan_heat_hits(&heat, 2, 4, &hits, &err));
    CHECK(hits.expected == 0);
    heat_destroy(&heat);
}

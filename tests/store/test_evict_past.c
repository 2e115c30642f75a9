/* store/evict_past - what is expected after what was chosen before */
#include "store/evict_past.h"

#include <math.h>

#include "harness.h"

static void call(Past *past, uint32_t layer, uint32_t expert)
{
    past_call(past, layer, &expert, 1);
}

TEST(the_first_pass_expects_nothing)
{
    Past past;
    Error err = {0};
    float chance[4] = {9, 9, 9, 9};
    CHECK(past_init(&past, 2, 4, &err));

    call(&past, 0, 1);
    past_weigh(&past);
    past_expect(&past, 0, 1, chance);
    for (uint32_t i = 0; i < 4; i++) CHECK(chance[i] == 0);
    past_destroy(&past);
}

TEST(later_layers_follow_this_pass_and_earlier_ones_the_next)
{
    Past past;
    Error err = {0};
    float chance[70];
    CHECK(past_init(&past, 3, 70, &err));

    // Experts 1, 65, 3, then 2, 66, 4, over and over; experts above 63 are in a second word.
    for (uint32_t pass = 0; pass < 20; pass++) {
        past_begin_pass(&past);
        call(&past, 0, 1 + pass % 2);
        call(&past, 1, 65 + pass % 2);
        if (pass == 19) break;
        call(&past, 2, 3 + pass % 2);
    }
    past_weigh(&past);
    past_expect(&past, 1, 2, chance); // this pass is of the second kind
    CHECK(chance[4] > 0.9f && chance[3] < 0.1f);
    past_weigh(&past);
    past_expect(&past, 1, 0, chance); // the next one of the first
    CHECK(chance[1] > 0.9f && chance[2] < 0.1f);
    past_weigh(&past);
    past_expect(&past, 1, 1, chance);
    CHECK(chance[65] > 0.9f && chance[66] < 0.1f);
    past_destroy(&past);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(chances_are_shares)
{
    Past past;
    Error err = {0};
    float chance[8];
    CHECK(past_init(&past, 1, 8, &err));

    for (uint32_t pass = 0; pass < 3 * PAST_PASSES; pass++) { // the ring goes round
        past_begin_pass(&past);
        past_call(&past, 0, (const uint32_t[]){0, 1 + pass % 4}, 2);
        past_weigh(&past);
        past_expect(&past, 0, 0, chance);
        float sum = 0;
        for (uint32_t i = 0; i < 8; i++) sum += chance[i];
        if (pass == 0) continue;
        CHECK(fabsf(chance[0] - 1) < 1e-3f && fabsf(sum - 2) < 1e-3f);
        if (pass > 40) CHECK(chance[1 + (pass + 1) % 4] > 0.9f);
    }
    past_destroy(&past);
}

TEST(a_layer_that_was_left_out_is_not_held_against_others)
{
    Past past;
    Error err = {0};
    float chance[8];
    CHECK(past_init(&past, 2, 8, &err));

    for (uint32_t pass = 0; pass < 10; pass++) {
        past_begin_pass(&past);
        call(&past, 0, 1);
        if (pass % 2 == 0) call(&past, 1, 5); // the others were given up
    }
    past_weigh(&past);
    past_expect(&past, 0, 1, chance);
    CHECK(fabsf(chance[5] - 1) < 1e-3f);
    past_destroy(&past);
}

TEST(a_ledger_that_refuses_is_said)
{
    Past past;
    Error err = {0};

    ledger_set_limit(ledger_total() + 1000);
    CHECK(!past_init(&past, 48, 128, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    ledger_set_limit(0);
    past_destroy(&past);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

/* tests/store/test_evict.c - the value of a cached expert; test_replay.c has what it is worth on
 * recorded routing of real models */
#include "store/evict.h"

#include <math.h>

#include "harness.h"

TEST(more_used_is_worth_more)
{
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, 4, 8, &err));

    evict_begin_pass(&evict);
    evict_use(&evict, 8 + 1);
    CHECK(evict_value(&evict, 8 + 1, 0) > evict_value(&evict, 8 + 2, 0));
    evict_destroy(&evict);
}

TEST(uses_fade_by_a_twentieth_a_pass)
{
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, 4, 8, &err));

    evict_begin_pass(&evict);
    evict_use(&evict, 0);
    // (uses + 0.3) / (0.5 + 1): a block of layer 0 while layer 3 is computed
    CHECK(fabsf(evict_value(&evict, 0, 3) - 1.3f / 0.75f) < 1e-5f);
    evict_begin_pass(&evict);
    CHECK(fabsf(evict_value(&evict, 0, 3) - 1.25f / 0.75f) < 1e-5f);
    for (uint32_t i = 0; i < 2000; i++) evict_begin_pass(&evict); // over a change of the unit
    CHECK(fabsf(evict_value(&evict, 0, 3) - 0.3f / 0.75f) < 1e-5f);
    evict_use(&evict, 0);
    CHECK(fabsf(evict_value(&evict, 0, 3) - 1.3f / 0.75f) < 1e-5f);
    evict_destroy(&evict);
}

TEST(the_order_of_values_survives_a_change_of_the_unit)
{
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, 1, 4, &err));

    for (uint32_t pass = 0; pass < 3000; pass++) {
        evict_begin_pass(&evict);
        for (uint32_t block = 0; block < 3; block++)
            if (pass % (block + 1) == 0) evict_use(&evict, block);
        if (pass < 100) continue; // the first uses are not yet frequencies
        CHECK(evict_value(&evict, 0, 0) >= evict_value(&evict, 1, 0));
        CHECK(evict_value(&evict, 1, 0) >= evict_value(&evict, 2, 0));
        CHECK(evict_value(&evict, 2, 0) > evict_value(&evict, 3, 0));
    }
    CHECK(isfinite(evict_value(&evict, 0, 0)));
    evict_destroy(&evict);
}

TEST(the_nearer_layer_is_worth_more)
{
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, 4, 1, &err));

    // While layer 1 is computed the next to come is 2, then 3, 0, and 1 itself a cycle later.
    CHECK(evict_value(&evict, 2, 1) > evict_value(&evict, 3, 1));
    CHECK(evict_value(&evict, 3, 1) > evict_value(&evict, 0, 1));
    CHECK(evict_value(&evict, 0, 1) > evict_value(&evict, 1, 1));
    evict_destroy(&evict);
}

TEST(failed_tables_hold_nothing)
{
    Evict evict;
    Error err = {0};

    ledger_set_limit(ledger_total() + 200);
    CHECK(!evict_init(&evict, 100, 8, &err)); // 3200 bytes of uses
    CHECK_ERROR(err, ERROR_BUDGET);
    ledger_set_limit(0);
    CHECK(ledger_held(MEM_OTHER) == 0);
    evict_destroy(&evict);
}

/* store/evict - the value of a cached expert; test_replay.c has what it is worth on recorded
 * routing of real models */
#include "store/evict.h"

#include <math.h>

#include "base/fault.h"
#include "harness.h"

#define CALL(evict, layer, ...)                            \
    use((evict), (layer), (const uint32_t[]){__VA_ARGS__}, \
        sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void use(Evict *evict, uint32_t layer, const uint32_t *experts, size_t n)
{
    evict_call(evict, layer, experts, (uint32_t)n);
    if (!evict->holds_all) evict_look(evict, layer);
}

static Evict make(uint32_t n_layers, uint32_t n_expert)
{
    Evict evict;
    Error err = {0};

    CHECK(evict_init(&evict, n_layers, n_expert, &err));
    return evict;
}

TEST(more_used_is_worth_more)
{
    Evict evict = make(4, 8);

    evict_begin_pass(&evict, 8, 0);
    CALL(&evict, 1, 1);
    evict_begin_pass(&evict, 8, 1);
    CALL(&evict, 0, 0);
    CHECK(evict_value(&evict, 8 + 1, 0) > evict_value(&evict, 8 + 2, 0));
    CHECK(evict_value(&evict, 8 + 2, 0) > 0);
    evict_destroy(&evict);
}

TEST(uses_fade_by_a_twentieth_a_pass)
{
    Evict evict = make(1, 4);

    for (uint32_t pass = 0; pass < 60; pass++) {
        evict_begin_pass(&evict, 2, pass);
        if (pass < 20)
            CALL(&evict, 0, 0);
        else
            CALL(&evict, 0, 1);
    }
    float all = (1 - powf(0.95f, 20)) / 0.05f;
    CHECK(fabsf(evict.uses[0] / evict.unit - all * powf(0.95f, 40)) < 1e-3f);
    CHECK(evict_value(&evict, 1, 0) > evict_value(&evict, 0, 0));
    evict_destroy(&evict);
}

TEST(the_order_of_values_survives_a_change_of_the_unit)
{
    Evict evict = make(1, 4);

    for (uint32_t pass = 0; pass < 3000; pass++) {
        evict_begin_pass(&evict, 2, pass);
        if (pass % 4 == 3)
            CALL(&evict, 0, 0, 1);
        else
            CALL(&evict, 0, 0, pass % 2 + 2);
        if (pass < 100) continue; // the first uses are not yet frequencies
        CHECK(evict_value(&evict, 0, 0) > evict_value(&evict, 1, 0));
    }
    CHECK(isfinite(evict_value(&evict, 0, 0)) && evict.unit < 2e15f);
    evict_destroy(&evict);
}

TEST(the_nearer_layer_is_worth_more)
{
    Evict evict = make(4, 1);

    evict_begin_pass(&evict, 2, 0);
    for (uint32_t layer = 0; layer < 4; layer++) CALL(&evict, layer, 0);
    evict_begin_pass(&evict, 2, 2);
    for (uint32_t layer = 0; layer < 4; layer++) CALL(&evict, layer, 0);
    // While layer 1 is computed the next to come is 2, then 3, 0, and 1 itself a cycle later.
    CHECK(evict_value(&evict, 2, 1) > evict_value(&evict, 3, 1));
    CHECK(evict_value(&evict, 3, 1) > evict_value(&evict, 0, 1));
    CHECK(evict_value(&evict, 0, 1) > evict_value(&evict, 1, 1));
    evict_destroy(&evict);
}

/* Experts 2 and 3 of layer 1 are used equally often; which one comes shows in layer 0. */
TEST(what_followed_in_passes_like_this_one_is_worth_more)
{
    Evict evict = make(2, 8);

    for (uint32_t pass = 0; pass < 40; pass++) {
        uint32_t kind = pass / 3 % 2; // runs of three
        evict_begin_pass(&evict, 6, 2 * pass);
        CALL(&evict, 0, kind, 4);
        if (pass >= 30 && pass % 3 > 0)
            CHECK(evict_value(&evict, 8 + 2 + kind, 0) > evict_value(&evict, 8 + 3 - kind, 0));
        CALL(&evict, 1, 2 + kind, 5);
    }
    evict_destroy(&evict);
}

TEST(a_small_cache_looks_less_far)
{
    Evict small = make(8, 8), large = make(8, 8);

    for (uint32_t pass = 1; pass < 30; pass++) {
        evict_begin_pass(&small, 8, pass * 16);
        evict_begin_pass(&large, 60, pass * 2);
    }
    CHECK(small.later < 1 && large.later > 5);
    CHECK(small.nearness[8] < 0.5f * small.nearness[1]);
    CHECK(large.nearness[8] > 0.8f * large.nearness[1]);
    evict_destroy(&small);
    evict_destroy(&large);
}

TEST(where_all_is_held_only_uses_are_counted)
{
    Evict evict = make(2, 4);

    evict_begin_pass(&evict, 8, 0);
    CALL(&evict, 0, 1, 2);
    CHECK(evict.uses[1] > 0 && evict.uses[2] > 0 && evict.uses[0] == 0);
    CHECK(evict_value(&evict, 1, 0) == 0);
    evict_look_at_all(&evict, 0); // before slots go
    CHECK(evict_value(&evict, 1, 0) > evict_value(&evict, 3, 0));
    evict_begin_pass(&evict, 7, 0); // a slot was taken away
    CALL(&evict, 0, 1);
    CHECK(evict_value(&evict, 1, 0) > evict_value(&evict, 2, 0));
    CHECK(evict_value(&evict, 2, 0) > evict_value(&evict, 3, 0));
    evict_destroy(&evict);
}

TEST(a_warm_block_is_worth_its_share)
{
    static const float shares[] = {0.9f, 0.5f, 0.1f, 0};
    Evict evict = make(2, 4);

    for (uint32_t i = 0; i < 8; i++) evict_warm(&evict, i, shares[i % 4]);
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 4; i < 7; i++)
            CHECK(evict_value(&evict, i, 0) > evict_value(&evict, i + 1, 0));
        evict_begin_pass(&evict, 4, 0);
        CALL(&evict, 0, 3);
    }
    evict_destroy(&evict);
}

TEST(any_failed_allocation_holds_nothing)
{
    uint64_t n_failed = 0;

    for (uint64_t nth = 1; nth < 20; nth++) {
        Evict evict;
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        bool ok = evict_init(&evict, 100, 8, &err);
        fault_arm(FAULT_ALLOC, 0, false);
        n_failed += !ok;
        if (!ok) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        // Headers of the allocations are not counted.
        if (ok) CHECK(ledger_held(MEM_OTHER) < evict_table_bytes(100, 8) + 6 * 64);
        if (ok) CHECK(ledger_held(MEM_OTHER) >= evict_table_bytes(100, 8));
        evict_destroy(&evict);
        CHECK(ledger_held(MEM_OTHER) == 0);
    }
    CHECK(n_failed == 6);
}

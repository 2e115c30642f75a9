/* tests/store/test_shrink.c - memory given back and taken again between layers: the same bytes,
 * and every one of them counted */
#include "store/shrink.h"

#include "base/ledger.h"
#include "store/synthetic.h"
#include "sys/process.h"

#define MIB         ((uint64_t)1 << 20)
#define GRAIN_BYTES (12 * MIB) // three areas, each of which may begin and end within a huge page

/* Experts of 1.5 MiB and dense blocks of 0.4: areas of many huge pages. */
static const Shape shape_large = {.n_layers = 4,
    .n_trunk = 3,
    .trunk_bytes = 700,
    .dense_per_layer = 12,
    .dense_bytes = 430000,
    .n_head = 3,
    .head_rows = 1024,
    .row_bytes = 420,
    .n_expert = 8,
    .n_expert_used = 2,
    .projection_bytes = 500000};

static Store *create(const Synthetic *model, Budget weights, ReadSim *sim)
{
    StoreOptions options = {
        .weights = weights, .files = &model->file, .n_files = 1, .backend = READ_SIM, .sim = sim};
    Error err = {0};
    Store *store = store_create(&model->map, &options, &err);

    if (!CHECK_CASE(err.message, store)) exit(1);
    return store;
}

static void pass(const Synthetic *model, Store *store, Rng *rng, bool with_head)
{
    Error err = {0};

    CHECK_CASE(err.message, synthetic_pass(model, store, rng, with_head, 1, &err));
}

static bool is_sound(const Store *store)
{
    StoreCounters counters = store_counters(store);

    return synthetic_identity_holds(&counters)
           && ledger_held(MEM_CACHE) == store_cache_bytes(store);
}

static Shape shape_of(bool has_experts, bool is_tied)
{
    Shape shape = shape_large;

    if (!has_experts) shape.n_expert = 0;
    shape.is_tied = is_tied;
    return shape;
}

TEST(passes_see_the_file_at_every_limit)
{
    static const struct {
        const char *label;
        bool has_experts, is_tied;
        double percent;
    } cases[] = {{"mixture, all", true, false, 100}, {"mixture, half", true, true, 50},
        {"dense, all", false, false, 100}, {"dense, all, tied", false, true, 100},
        {"dense, half", false, false, 50}};
    static const unsigned shares[] = {100, 80, 40, 0, 20, 70, 100, 10, 100};

    for (size_t i = 0; i < COUNT(cases); i++) {
        Synthetic model;
        ReadSim sim = {.seed = harness_seed(), .latency_ticks_max = 3};
        Rng rng = rng_seeded(harness_seed());
        synthetic_init(&model, shape_of(cases[i].has_experts, cases[i].is_tied), 3);
        Store *store =
            create(&model, (Budget){.unit = BUDGET_PERCENT, .percent = cases[i].percent}, &sim);
        uint64_t all = store_cache_bytes(store);
        for (size_t k = 0; k < COUNT(shares); k++) {
            uint64_t limit = all * shares[k] / 100;
            uint64_t held = store_set_cache_limit(store, limit);
            CHECK_CASE(cases[i].label, held == store_cache_bytes(store));
            CHECK_CASE(cases[i].label, held <= limit + GRAIN_BYTES || shares[k] < 40);
            CHECK_CASE(cases[i].label, held >= limit && (shares[k] > 0 || held < all / 2));
            for (uint32_t n = 0; n < 3; n++) pass(&model, store, &rng, n != 1);
            CHECK_CASE(cases[i].label, is_sound(store));
        }
        store_free(store);
        synthetic_destroy(&model);
    }
    CHECK(ledger_total() == 0);
}

/* A pass under way, at a layer's end, is the other place where the limit changes. */
TEST(the_limit_changes_between_the_layers_of_a_pass)
{
    static const unsigned shares[] = {0, 60, 100, 30};
    Synthetic model;
    ReadSim sim = {.seed = harness_seed(), .latency_ticks_max = 5};
    Error err = {0};
    synthetic_init(&model, shape_of(false, false), 3);
    Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);
    uint64_t all = store_cache_bytes(store);
    uint32_t n_layer = shape_large.dense_per_layer, n_body = synthetic_n_body(&model);

    for (uint32_t round = 0; round < 5; round++) {
        bool with_head = round != 2;
        CHECK(store_pass_begin(store, with_head, &err));
        for (uint32_t layer = 0; layer < shape_large.n_layers; layer++) {
            CHECK(synthetic_dense_range(&model, store, layer * n_layer, n_layer, &err));
            store_set_cache_limit(store, all * shares[(layer + round) % COUNT(shares)] / 100);
        }
        if (with_head) CHECK(synthetic_dense_range(&model, store, n_body, 3, &err));
        CHECK(store_pass_end(store, &err));
        CHECK(is_sound(store));
    }
    store_free(store);
    synthetic_destroy(&model);
}

TEST(memory_that_is_given_back_leaves_the_process)
{
    Synthetic model;
    ReadSim sim = {0};
    Rng rng = rng_seeded(harness_seed());
    synthetic_init(&model, shape_of(true, false), 3);
    Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);
    uint64_t all = store_cache_bytes(store);
    for (uint32_t n = 0; n < 20; n++) pass(&model, store, &rng, true);

    uint64_t before = process_memory();
    uint64_t given = all - store_set_cache_limit(store, 0);
    uint64_t after = process_memory();
    CHECK(given > 48 * MIB && given >= all * 7 / 10);
    CHECK(before - after >= given * 9 / 10 && before > after);
    store_free(store);
    synthetic_destroy(&model);
}

TEST(what_comes_back_is_read_as_a_first_filling)
{
    static const bool has_experts[] = {false, true};

    for (size_t i = 0; i < COUNT(has_experts); i++) {
        Synthetic model;
        ReadSim sim = {0};
        Rng rng = rng_seeded(harness_seed());
        synthetic_init(&model, shape_of(has_experts[i], false), 3);
        Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);
        uint64_t all = store_cache_bytes(store);
        for (uint32_t n = 0; n < 20; n++) pass(&model, store, &rng, true);
        StoreCounters full = store_counters(store);

        store_set_cache_limit(store, all / 2);
        pass(&model, store, &rng, true);
        StoreCounters half = store_counters(store);
        CHECK(half.read_missed_bytes > full.read_missed_bytes + MIB
              && half.read_load_bytes == full.read_load_bytes);

        CHECK(store_set_cache_limit(store, all) == all);
        for (uint32_t n = 0; n < 20; n++) pass(&model, store, &rng, true);
        StoreCounters again = store_counters(store);
        CHECK(again.read_load_bytes - half.read_load_bytes > all / 3);
        for (uint32_t n = 0; n < 3; n++) pass(&model, store, &rng, true);
        CHECK(store_counters(store).read_missed_bytes == again.read_missed_bytes);
        CHECK(store_counters(store).read_bytes == again.read_bytes);
        store_free(store);
        synthetic_destroy(&model);
    }
}

/* In each stretch of the pass about the same share of the bytes streams. */
TEST(dense_blocks_leave_evenly_over_the_pass)
{
    Synthetic model;
    ReadSim sim = {0};
    Error err = {0};
    Rng rng = rng_seeded(harness_seed());
    synthetic_init(&model, shape_of(false, false), 3);
    Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);
    for (uint32_t n = 0; n < 3; n++) pass(&model, store, &rng, true);
    store_set_cache_limit(store, store_cache_bytes(store) / 2);
    pass(&model, store, &rng, true);

    uint32_t n_layer = shape_large.dense_per_layer, n_body = synthetic_n_body(&model);
    uint64_t least = UINT64_MAX, most = 0;
    CHECK(store_pass_begin(store, true, &err));
    for (uint32_t layer = 0; layer < shape_large.n_layers; layer++) {
        uint64_t before = store_counters(store).read_missed_bytes;
        CHECK(synthetic_dense_range(&model, store, layer * n_layer, n_layer, &err));
        uint64_t missed = store_counters(store).read_missed_bytes - before;
        if (missed < least) least = missed;
        if (missed > most) most = missed;
    }
    CHECK(synthetic_dense_range(&model, store, n_body, 3, &err));
    CHECK(store_pass_end(store, &err));
    CHECK(least > 0 && most <= 2 * least);
    store_free(store);
    synthetic_destroy(&model);
}

/* One expert is used over and over: whichever slot it is in, it is still there. */
TEST(the_most_valuable_experts_stay)
{
    Synthetic model;
    ReadSim sim = {0};
    Error err = {0};
    Rng rng = rng_seeded(harness_seed());
    Shape shape = shape_of(true, true);
    const uint32_t favourites[] = {1, 6};
    synthetic_init(&model, shape, 3);
    Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);

    for (uint32_t n = 0; n < 30; n++) pass(&model, store, &rng, true);
    for (uint32_t n = 0; n < 12; n++) { // the last three without a read: 8 blocks fit 8 slots
        if (n == 8) store_set_cache_limit(store, store_cache_bytes(store) * 6 / 10);
        StoreCounters before = store_counters(store);
        CHECK(store_pass_begin(store, false, &err));
        for (uint32_t layer = 0; layer < shape.n_layers; layer++) {
            uint32_t first = layer * shape.dense_per_layer;
            CHECK(synthetic_dense_range(&model, store, first, shape.dense_per_layer, &err));
            CHECK(synthetic_experts(&model, store, layer, favourites, 2, &err));
        }
        CHECK(store_pass_end(store, &err));
        CHECK(n < 8 || store_counters(store).expert_misses == before.expert_misses);
    }
    store_free(store);
    synthetic_destroy(&model);
}

/* Reads into what goes are waited for, or never made. */
TEST(memory_can_go_while_it_is_being_filled)
{
    static const uint32_t n_steps[] = {0, 1, 5, 20, 60};

    for (size_t i = 0; i < COUNT(n_steps); i++) {
        Synthetic model;
        ReadSim sim = {.seed = harness_seed(), .latency_ticks_max = 40};
        Rng rng = rng_seeded(harness_seed());
        Error err = {0};
        synthetic_init(&model, shape_of(true, false), 3);
        Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);
        uint64_t all = store_cache_bytes(store);
        for (uint32_t k = 0; k < n_steps[i]; k++) CHECK(store_advance(store, &err));
        CHECK(store_set_cache_limit(store, all / 4) <= all / 4 + GRAIN_BYTES);
        pass(&model, store, &rng, true);
        CHECK(store_set_cache_limit(store, all) == all);
        pass(&model, store, &rng, true);
        CHECK(is_sound(store));
        store_free(store);
        synthetic_destroy(&model);
    }
}

TEST(what_the_ledger_has_no_more_is_not_taken)
{
    Synthetic model;
    ReadSim sim = {0};
    Rng rng = rng_seeded(harness_seed());
    synthetic_init(&model, shape_of(true, false), 3);
    Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);
    uint64_t all = store_cache_bytes(store);
    uint64_t held = store_set_cache_limit(store, all / 2);

    ledger_set_limit(ledger_total() + MIB);
    CHECK(store_set_cache_limit(store, all) == held);
    pass(&model, store, &rng, true);
    ledger_set_limit(0);
    CHECK(store_set_cache_limit(store, all) == all);
    pass(&model, store, &rng, true);
    CHECK(is_sound(store));
    store_free(store);
    synthetic_destroy(&model);
}

/* tests/store/test_store.c - whole passes: right bytes at every budget on every drive, or
 * the right error; and every byte counted */
#include "store/store.h"

#include "base/fault.h"
#include "base/ledger.h"
#include "store/passes.h"

TEST(passes_see_the_file_at_every_budget)
{
    const struct {
        const char *label;
        Budget budget;
    } budgets[] = {{"min", budget_min}, {"25 %", percent(25)}, {"50 %", percent(50)},
        {"75 %", percent(75)}, {"95 %", percent(95)}, {"all", budget_all}, {"default", {0}}};
    static const bool ties[] = {false, true};

    for (size_t tie = 0; tie < COUNT(ties); tie++) {
        Shape shape = shape_small;
        Synthetic model;
        shape.is_tied = ties[tie];
        synthetic_init(&model, shape, 11);
        for (size_t i = 0; i < COUNT(budgets); i++) {
            ReadSim sim = {.seed = harness_seed()};
            Rng rng = rng_seeded(harness_seed());
            Error err = {0};
            Store *store = create(&model, budgets[i].budget, &sim);
            CHECK_CASE(budgets[i].label, trunk_matches(&model, store));
            CHECK_CASE(budgets[i].label, store_counters(store).stall_ns == 0);
            for (uint32_t pass = 0; pass < 12; pass++) {
                uint32_t n_rows = pass == 0 ? 40 : 1;
                CHECK_CASE(budgets[i].label,
                    synthetic_pass(&model, store, &rng, pass % 5 != 0, n_rows, &err));
            }
            StoreBudget held = store_budget(store);
            StoreCounters counters = store_counters(store);
            CHECK_CASE(budgets[i].label, held.trunk + held.cache + held.ring <= held.weights);
            CHECK_CASE(budgets[i].label, held.minimum == store_minimum_bytes(&model.map, 4096));
            CHECK_CASE(budgets[i].label, synthetic_identity_holds(&counters));
            CHECK_CASE(budgets[i].label, counters.n_passes == 12);
            CHECK_CASE(budgets[i].label, counters.expert_hits + counters.expert_misses > 0);
            CHECK_CASE(budgets[i].label, ledger_held(MEM_TRUNK) == held.trunk);
            CHECK_CASE(budgets[i].label, ledger_held(MEM_CACHE) == held.cache);
            CHECK_CASE(budgets[i].label, ledger_held(MEM_RING) == held.ring);
            store_free(store);
        }
        synthetic_destroy(&model);
    }
    CHECK(ledger_total() == 0);
}

TEST(the_bundled_mixtures_shape_runs_in_4_mib)
{
    Synthetic model;
    ReadSim sim = {0};
    Rng rng = rng_seeded(harness_seed());
    Error err = {0};
    synthetic_init(&model, shape_mixture, 11);
    Store *store = create(&model, (Budget){.unit = BUDGET_BYTES, .n_bytes = 4u << 20}, &sim);

    for (uint32_t pass = 0; pass < 3; pass++)
        CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
    store_free(store);
    synthetic_destroy(&model);
}

/* Payload of the dense blocks that streamed while none was resident, per pass. */
static uint64_t dense_payload(const Synthetic *model, bool with_head)
{
    uint64_t n_bytes = 0;

    for (uint32_t i = 0; i < model->map.n_dense; i++)
        if (with_head || !model->map.dense[i].is_head)
            n_bytes += model->map.dense[i].extent.n_bytes;
    return n_bytes;
}

TEST(a_pass_reads_what_is_missing_and_nothing_else)
{
    Shape shape = shape_small;
    Synthetic model;
    Rng rng = rng_seeded(harness_seed());
    Error err = {0};
    shape.n_layers = 20;
    shape.n_expert = 0;
    synthetic_init(&model, shape, 11);
    static const double shares[] = {15, 40, 70};

    for (size_t i = 0; i < COUNT(shares); i++) {
        ReadSim sim = {.latency_ticks_max = 4};
        Store *store = create(&model, percent(shares[i]), &sim);
        CHECK(synthetic_pass(&model, store, &rng, true, 1, &err)); // residents are loaded now
        StoreCounters before = store_counters(store);
        uint64_t resident_bytes = 0;
        for (uint32_t pass = 0; pass < 4; pass++) {
            CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
            StoreCounters after = store_counters(store);
            uint64_t missed = after.read_missed_bytes - before.read_missed_bytes;
            uint64_t absent = dense_payload(&model, true) + shape.row_bytes - missed;
            CHECK(pass == 0 || absent == resident_bytes); // the same in every pass
            CHECK(after.demanded_bytes - before.demanded_bytes
                  == dense_payload(&model, true) + shape.row_bytes);
            CHECK(after.read_load_bytes == before.read_load_bytes);
            resident_bytes = absent;
            before = after;
        }
        // What did not have to be read is what is kept: within the padding of its places.
        StoreBudget held = store_budget(store);
        CHECK(resident_bytes <= held.cache);
        CHECK(resident_bytes + 10000 * 60 > held.cache);
        CHECK(before.read_load_bytes == resident_bytes + 5 * shape.trunk_bytes);
        CHECK(before.read_again_bytes == 0);
        store_free(store);
    }
    synthetic_destroy(&model);
}

TEST(the_times_of_a_pass_lie_within_each_other)
{
    ReadSim sim = {.latency_ticks_max = 4};
    Synthetic model;
    Rng rng = rng_seeded(harness_seed());
    Error err = {0};

    synthetic_init(&model, shape_small, 17);
    Store *store = create(&model, budget_min, &sim);
    for (uint32_t pass = 0; pass < 4; pass++)
        CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
    StoreCounters counters = store_counters(store);
    CHECK(counters.experts_stall_ns > 0); // nothing fits, so there is always a wait
    CHECK(counters.experts_stall_ns <= counters.experts_ns);
    CHECK(counters.experts_stall_ns <= counters.stall_ns);
    CHECK(counters.experts_ns < counters.pass_ns);
    CHECK(counters.busy_bytes > 0);
    CHECK(counters.busy_bytes <= counters.read_bytes);
    CHECK(counters.depth_sum >= counters.n_requests);
    store_free(store);

    // An aborted pass counts for nothing.
    store = create(&model, budget_min, &sim);
    CHECK(store_pass_begin(store, true, &err));
    store_pass_abort(store);
    CHECK(store_counters(store).pass_ns == 0);
    store_free(store);
    synthetic_destroy(&model);
}

TEST(headless_passes_read_no_head)
{
    Shape shape = shape_small;
    Synthetic model;
    ReadSim sim = {0};
    Rng rng = rng_seeded(harness_seed());
    Error err = {0};
    shape.n_expert = 0;
    synthetic_init(&model, shape, 11);
    Store *store = create(&model, budget_min, &sim);

    store_expect_headless(store, 5);
    for (uint32_t pass = 0; pass < 8; pass++) {
        StoreCounters before = store_counters(store);
        CHECK(synthetic_pass(&model, store, &rng, pass >= 5, 1, &err));
        StoreCounters after = store_counters(store);
        CHECK(after.read_missed_bytes - before.read_missed_bytes
              == dense_payload(&model, pass >= 5) + shape.row_bytes);
    }
    // Only what is in the ring now is not yet used.
    CHECK(store_counters(store).read_wasted_bytes <= store_budget(store).ring);
    store_free(store);
    synthetic_destroy(&model);
}

/* Payload of everything, the row table once. */
static uint64_t all_payload(const Synthetic *model)
{
    const BlockMap *map = &model->map;
    uint64_t n_bytes = dense_payload(model, true);

    for (uint32_t i = 0; i < map->n_trunk; i++) n_bytes += map->trunk[i].n_bytes;
    for (uint32_t i = 0; i < blocks_n_experts(map); i++)
        n_bytes += expert_payload_bytes(&map->experts[i]);
    return n_bytes + (map->rows.is_dense ? 0 : map->rows.n_rows * map->rows.first_row.n_bytes);
}

TEST(what_is_all_resident_is_read_once)
{
    static const bool ties[] = {false, true};

    for (size_t i = 0; i < COUNT(ties); i++) {
        Shape shape = shape_small;
        Synthetic model;
        ReadSim sim = {0};
        Rng rng = rng_seeded(harness_seed());
        Error err = {0};
        shape.is_tied = ties[i];
        synthetic_init(&model, shape, 11);
        Store *store = create(&model, budget_all, &sim);

        for (uint32_t pass = 0; pass < 5; pass++)
            CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
        StoreCounters before = store_counters(store);
        for (uint32_t pass = 0; pass < 5; pass++)
            CHECK(synthetic_pass(&model, store, &rng, true, 9, &err));
        StoreCounters after = store_counters(store);
        CHECK(after.read_bytes == before.read_bytes);
        CHECK(after.expert_misses == before.expert_misses);
        CHECK(after.stall_ns == before.stall_ns);
        CHECK(after.read_load_bytes == all_payload(&model));
        CHECK(store_budget(store).ring == 0);
        store_free(store);
        synthetic_destroy(&model);
    }
}

TEST(a_perfect_drive_moves_what_is_counted)
{
    Synthetic model;
    ReadSim sim = {.latency_ticks_max = 3};
    Rng rng = rng_seeded(harness_seed());
    Error err = {0};
    synthetic_init(&model, shape_small, 11);
    Store *store = create(&model, percent(40), &sim);

    for (uint32_t pass = 0; pass < 9; pass++)
        CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
    CHECK(store_counters(store).read_bytes == sim.counts.n_request_bytes); // also what is in flight
    store_free(store);
    synthetic_destroy(&model);
}

/* A pass on a drive that may fail: true when it did not. After a failure the store goes on. */
static bool try_pass(
    const Synthetic *model, Store *store, Rng *rng, bool with_head, uint32_t n_rows)
{
    Error err = {0};

    if (synthetic_pass(model, store, rng, with_head, n_rows, &err)) return true;
    CHECK_CASE(err.message, err.id == ERROR_READ || err.id == ERROR_FILE_CHANGED);
    store_pass_abort(store);
    return false;
}

TEST(drives_that_misbehave_give_right_bytes_or_the_right_error)
{
    const uint32_t n_seeds = 60;
    const Budget budgets[] = {budget_min, percent(30), percent(60), budget_all};
    uint64_t n_passed = 0, n_failed = 0, n_faults[SIM_FAULTS] = {0};
    Synthetic model;
    synthetic_init(&model, shape_small, 11);

    for (uint32_t seed = 0; seed < n_seeds; seed++) {
        Rng rng = rng_seeded(harness_seed() + seed);
        ReadSim sim = read_sim_swarm(rng_next(&rng));
        StoreOptions options = sim_options(&model, budgets[seed % COUNT(budgets)], &sim);
        Error err = {0};
        Store *store = store_create(&model.map, &options, &err);
        if (!store) {
            CHECK_CASE(err.message, err.id == ERROR_READ || err.id == ERROR_FILE_CHANGED);
            continue;
        }
        for (uint32_t pass = 0; pass < 15; pass++) {
            bool with_head = rng_below(&rng, 3) > 0;
            uint32_t n_rows = rng_below(&rng, 4) == 0 ? 30 : 1;
            if (rng_below(&rng, 5) == 0) store_expect_headless(store, (uint32_t)rng_below(&rng, 3));
            if (try_pass(&model, store, &rng, with_head, n_rows))
                n_passed++;
            else
                n_failed++;
            CHECK(identity_holds(store));
        }
        CHECK(trunk_matches(&model, store));
        for (int i = 0; i < SIM_FAULTS; i++) n_faults[i] += sim.counts.n_faults[i];
        store_free(store);
    }
    CHECK(n_passed > 10 * n_failed);
    for (int i = 0; i < SIM_FAULTS; i++) CHECK(n_faults[i] > 0);
    synthetic_destroy(&model);
    CHECK(ledger_total() == 0);
}

/* One damaged byte in each kind of block: passes fail while it is damaged, by name of the place,
 * and succeed when it is well again. */
TEST(damage_is_an_error_where_it_is_needed_and_leaves_no_trace)
{
    Synthetic model;
    synthetic_init(&model, shape_small, 11);
    const struct {
        const char *label;
        Budget budget;
        uint64_t offset_bytes;
    } cases[] = {
        {"streamed block", budget_min, model.map.dense[4].extent.offset_bytes + 9000},
        {"resident block", budget_all, model.map.dense[4].extent.offset_bytes + 9000},
        {"head", budget_min, model.map.dense[model.map.n_dense - 1].extent.offset_bytes + 9000},
        {"rows", budget_min, model.map.rows.first_row.offset_bytes + 9000},
        {"expert", budget_min, model.map.experts[3].extents[2].offset_bytes + 5000},
        {"expert of all", budget_all, model.map.experts[3].extents[2].offset_bytes + 5000},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        ReadSim sim = {.n_damage = 1};
        Rng rng = rng_seeded(harness_seed());
        Error err = {0};
        uint32_t n_failed = 0;
        sim.damage[0] = (SimDamage){
            .offset_bytes = cases[i].offset_bytes, .n_bytes = 1, .n_failures = UINT32_MAX};
        Store *store = create(&model, cases[i].budget, &sim);
        for (uint32_t pass = 0; pass < 4; pass++) {
            if (synthetic_pass(&model, store, &rng, true, 60, &err)) continue;
            n_failed++;
            CHECK_CASE(cases[i].label, err.id == ERROR_READ);
            CHECK_CASE(cases[i].label, strstr(err.message, model.file.path));
            store_pass_abort(store);
        }
        CHECK_CASE(cases[i].label, n_failed > 0);
        sim.damage[0].n_failures = 0;
        for (uint32_t pass = 0; pass < 4; pass++)
            CHECK_CASE(cases[i].label, synthetic_pass(&model, store, &rng, true, 60, &err));
        CHECK_CASE(cases[i].label, identity_holds(store));
        store_free(store);
    }
    synthetic_destroy(&model);
}

TEST(damage_in_the_trunk_refuses_the_store)
{
    Synthetic model;
    ReadSim sim = {.n_damage = 1};
    Error err = {0};
    synthetic_init(&model, shape_small, 11);
    sim.damage[0] = (SimDamage){
        .offset_bytes = model.map.trunk[2].offset_bytes, .n_bytes = 1, .n_failures = UINT32_MAX};
    StoreOptions options = sim_options(&model, budget_min, &sim);

    CHECK(!store_create(&model.map, &options, &err));
    CHECK_ERROR(err, ERROR_READ);
    synthetic_destroy(&model);
    CHECK(ledger_total() == 0);
}

TEST(a_pass_may_be_aborted_anywhere)
{
    const Budget budgets[] = {budget_min, percent(45), budget_all};
    Synthetic model;
    synthetic_init(&model, shape_small, 11);
    uint32_t n_body = synthetic_n_body(&model);

    for (size_t i = 0; i < COUNT(budgets); i++) {
        ReadSim sim = {.latency_ticks_max = 6, .per_mille = {[SIM_REORDER] = 300}};
        Rng rng = rng_seeded(harness_seed());
        Error err = {0};
        Store *store = create(&model, budgets[i], &sim);
        for (uint32_t n = 0; n < 60; n++) {
            uint32_t stop = (uint32_t)rng_below(&rng, n_body), experts[3];
            DenseWave dense;
            ExpertWave wave;
            CHECK(store_pass_begin(store, true, &err));
            CHECK(synthetic_dense_range(&model, store, 0, stop, &err));
            if (rng_below(&rng, 2) == 0) CHECK(store_dense_next(store, stop, 1, &dense, &err));
            if (rng_below(&rng, 2) == 0) {
                synthetic_choose(&model, &rng, experts, 3);
                ExpertCall call = {.layer = stop % 4, .n = 3, .experts = experts};
                CHECK(store_experts_begin(store, &call, &err));
                if (rng_below(&rng, 2) == 0) CHECK(store_experts_next(store, &wave, &err));
            }
            store_pass_abort(store); // with waves held and reads in flight
            CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
        }
        CHECK(identity_holds(store));
        store_free(store);
    }
    synthetic_destroy(&model);
}

TEST(a_broken_reader_fails_every_call_and_ends_cleanly)
{
    Synthetic model;
    synthetic_init(&model, shape_small, 11);

    for (uint64_t reap = 1; reap < 400; reap += 7) {
        ReadSim sim = {.breaks_at_reap = reap, .latency_ticks_max = 3};
        StoreOptions options = sim_options(&model, budget_min, &sim);
        Rng rng = rng_seeded(harness_seed());
        Error err = {0};
        Store *store = store_create(&model.map, &options, &err);
        for (uint32_t pass = 0; store && pass < 3; pass++) {
            if (synthetic_pass(&model, store, &rng, true, 1, &err)) continue;
            store_pass_abort(store);
            CHECK(!store_pass_begin(store, true, &err));
            store_pass_abort(store);
        }
        CHECK(err.id == ERROR_RING || err.id == ERROR_NONE);
        store_free(store);
    }
    synthetic_destroy(&model);
    CHECK(ledger_total() == 0);
}

/* A small run with one thing failing: true when nothing did. */
static bool small_run(const Synthetic *model, Error *err)
{
    ReadSim sim = {0};
    StoreOptions options = sim_options(model, percent(40), &sim);
    Rng rng = rng_seeded(1);
    Store *store = store_create(&model->map, &options, err);
    bool ok = store && synthetic_pass(model, store, &rng, true, 1, err)
              && synthetic_pass(model, store, &rng, true, 1, err);

    if (store && !ok) store_pass_abort(store);
    if (store) CHECK(identity_holds(store));
    store_free(store);
    return ok;
}

TEST(each_allocation_may_fail)
{
    Synthetic model;
    synthetic_init(&model, shape_small, 11);
    uint64_t held = ledger_total();
    uint64_t nth = 1;

    for (bool failed = true; failed; nth++) {
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        bool ok = small_run(&model, &err);
        failed = fault_count(FAULT_ALLOC) >= nth;
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK(ok == !failed);
        if (failed) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(ledger_total() == held);
    }
    CHECK(nth > 15);
    synthetic_destroy(&model);
}

TEST(each_read_may_fail)
{
    static const bool for_good[] = {false, true};
    Synthetic model;
    synthetic_init(&model, shape_small, 11);
    uint64_t held = ledger_total();

    for (size_t i = 0; i < COUNT(for_good); i++) {
        uint64_t nth = 1;
        for (bool failed = true; failed; nth++) {
            Error err = {0};
            fault_arm(FAULT_READ, nth, for_good[i]);
            bool ok = small_run(&model, &err);
            failed = fault_count(FAULT_READ) >= nth;
            fault_arm(FAULT_READ, 0, false);
            // Once: the retry succeeds. For good: an error, unless only what was ahead failed.
            if (!for_good[i] || !failed) CHECK(ok);
            if (!ok) CHECK_ERROR(err, ERROR_READ);
            CHECK(ledger_total() == held);
        }
        CHECK(nth > 50);
    }
    synthetic_destroy(&model);
}

TEST(budgets_that_do_not_do_are_refused_with_the_number_that_would)
{
    Synthetic model;
    ReadSim sim = {0};
    Error err = {0};
    synthetic_init(&model, shape_small, 11);
    uint64_t minimum = store_minimum_bytes(&model.map, 4096);
    StoreOptions options =
        sim_options(&model, (Budget){.unit = BUDGET_BYTES, .n_bytes = minimum - 1}, &sim);
    char text[32];

    CHECK(!store_create(&model.map, &options, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)minimum);
    CHECK(strstr(err.message, text));
    options.weights.n_bytes = minimum;
    Store *store = store_create(&model.map, &options, &err);
    CHECK(store);
    store_free(store);
    options.weights = budget_all;
    options.memory_room = minimum;
    CHECK(!store_create(&model.map, &options, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    synthetic_destroy(&model);
}

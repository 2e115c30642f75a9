/* tests/store/test_dense.c - waves of dense blocks: how many at once, and when they wait */
#include "store/dense.h"

#include "base/fault.h"
#include "store/synthetic.h"

static Store *create(const Synthetic *model, Budget weights, ReadSim *sim)
{
    StoreOptions options = {
        .weights = weights, .files = &model->file, .n_files = 1, .backend = READ_SIM, .sim = sim};
    Error err = {0};
    Store *store = store_create(&model->map, &options, &err);

    if (!CHECK_CASE(err.message, store)) exit(1);
    return store;
}

static void advance(Store *store, uint32_t n)
{
    Error err = {0};

    for (uint32_t i = 0; i < n; i++) CHECK(store_advance(store, &err));
}

TEST(resident_blocks_come_in_one_wave)
{
    Synthetic model;
    ReadSim sim = {0};
    DenseWave wave;
    Error err = {0};
    Shape shape = shape_small;
    shape.n_layers = 30; // 90 blocks and a head
    synthetic_init(&model, shape, 4);
    Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);
    advance(store, 3000);

    CHECK(store_pass_begin(store, true, &err));
    CHECK(store_dense_next(store, 0, 92, &wave, &err));
    CHECK(wave.first == 0 && wave.n_blocks == WAVE_BLOCKS_MAX);
    store_dense_done(store, &wave);
    CHECK(store_dense_next(store, 64, 5, &wave, &err));
    CHECK(wave.first == 64 && wave.n_blocks == 5);
    store_dense_done(store, &wave);
    store_pass_abort(store);
    store_free(store);
    synthetic_destroy(&model);
}

/* Dense blocks alone, of which about half stream. */
typedef struct Bench {
    Synthetic model;
    ReadSim sim;
    Residency plan;
    Places cache, ring;
    Mover mover;
    Dense dense;
} Bench;

static void bench_init(Bench *bench, Shape shape, uint64_t n_bytes)
{
    Budget budget = {.unit = BUDGET_BYTES, .n_bytes = n_bytes};
    Error err = {0};

    *bench = (Bench){0};
    synthetic_init(&bench->model, shape, 4);
    const BlockMap *map = &bench->model.map;
    CHECK(residency_plan(&bench->plan, map, 4096, &budget, 0, &err));
    CHECK(places_init(&bench->cache, MEM_CACHE, bench->plan.dense_bytes, 4096, PAGES_NOW, &err));
    CHECK(places_init(&bench->ring, MEM_RING,
        bench->plan.n_ring_slots * bench->plan.ring_slot_bytes, 4096, PAGES_NOW, &err));
    ReaderOptions options = {
        .backend = READ_SIM, .files = &bench->model.file, .n_files = 1, .sim = &bench->sim};
    CHECK(mover_init(&bench->mover, &options, 4096, &err));
    CHECK(dense_init(&bench->dense, map, &bench->plan, &bench->cache, &bench->ring, &err));
}

static void bench_destroy(Bench *bench)
{
    mover_destroy(&bench->mover);
    dense_destroy(&bench->dense);
    places_destroy(&bench->cache);
    places_destroy(&bench->ring);
    residency_destroy(&bench->plan);
    synthetic_destroy(&bench->model);
}

static uint32_t count_streamed(const Bench *bench, const DenseWave *wave)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < wave->n_blocks; i++)
        n += !bench->plan.dense_is_resident[wave->first + i];
    return n;
}

TEST(streamed_waves_take_a_quarter_of_the_ring)
{
    Shape shape = shape_small;
    Bench bench;
    DenseWave wave;
    Error err = {0};
    uint32_t n_most = 0;
    shape.n_layers = 100;
    shape.n_expert = 0;
    bench_init(&bench, shape, 2u << 20);
    uint32_t n_slots = bench.plan.n_ring_slots;
    CHECK(n_slots >= 4);
    CHECK(bench.dense.n_residents > 20);

    dense_load(&bench.dense, &bench.mover);
    dense_begin_pass(&bench.dense, true);
    for (uint32_t first = 0; first < 300; first += wave.n_blocks) {
        for (uint32_t i = 0; i < 400; i++) // all that can land has landed
            CHECK(dense_advance(&bench.dense, &bench.mover, &err));
        CHECK(dense_next(&bench.dense, &bench.mover, first, 300 - first, &wave, &err));
        uint32_t n_streamed = count_streamed(&bench, &wave);
        CHECK(n_streamed <= n_slots / 4);
        if (n_streamed > n_most) n_most = n_streamed;
        dense_done(&bench.dense, &bench.mover, &wave);
    }
    CHECK(n_most == n_slots / 4);
    bench_destroy(&bench);
}

/* Half of the ring flies, or every slot holds something. */
static bool drive_is_busy(const Ring *ring)
{
    uint32_t n_loading = 0, n_free = 0;

    for (uint32_t i = 0; i < ring->n_slots; i++) {
        n_loading += ring->slots[i].state == SLOT_LOADING;
        n_free += ring->slots[i].state == SLOT_FREE;
    }
    return n_free == 0 || n_loading >= ring->n_slots / 2;
}

TEST(the_drive_is_busy_whenever_the_caller_computes_also_between_passes)
{
    Shape shape = shape_small;
    Bench bench;
    DenseWave wave;
    Error err = {0};
    shape.n_layers = 100;
    shape.n_expert = 0;
    bench_init(&bench, shape, 2u << 20);
    bench.sim.latency_ticks_max = 7;
    uint32_t n_dense = bench.model.map.n_dense;
    uint64_t missing_bytes = 0;
    CHECK(bench.plan.n_ring_slots >= 8);
    for (uint32_t i = 0; i < n_dense; i++)
        if (!bench.plan.dense_is_resident[i])
            missing_bytes += bench.model.map.dense[i].extent.n_bytes;

    dense_load(&bench.dense, &bench.mover);
    for (uint32_t pass = 0; pass < 4; pass++) {
        uint64_t missed_before = bench.mover.counters.missed_bytes;
        dense_begin_pass(&bench.dense, true);
        for (uint32_t first = 0; first < n_dense; first += wave.n_blocks) {
            CHECK(dense_next(&bench.dense, &bench.mover, first, n_dense - first, &wave, &err));
            CHECK(drive_is_busy(&bench.dense.ring)); // while the caller computes
            dense_done(&bench.dense, &bench.mover, &wave);
            CHECK(drive_is_busy(&bench.dense.ring)); // and while it does something else
        }
        CHECK(bench.mover.counters.missed_bytes - missed_before == missing_bytes);
    }
    CHECK(bench.mover.counters.wasted_bytes == 0);
    bench_destroy(&bench);
}

TEST(a_block_given_back_is_replaced_at_once)
{
    Shape shape = shape_small;
    Bench bench;
    DenseWave wave;
    Error err = {0};
    shape.n_expert = 0;
    bench_init(&bench, shape, store_minimum_bytes(&(BlockMap){0}, 4096) + 100000);
    CHECK(bench.plan.n_ring_slots >= 2);

    dense_load(&bench.dense, &bench.mover);
    dense_begin_pass(&bench.dense, true);
    CHECK(dense_next(&bench.dense, &bench.mover, 0, 1, &wave, &err));
    uint64_t n_requests = bench.sim.counts.n_requests;
    dense_done(&bench.dense, &bench.mover, &wave);
    CHECK(bench.sim.counts.n_requests == n_requests + !bench.plan.dense_is_resident[0]);
    bench_destroy(&bench);
}

/* One pass of the bench; with or without its head. */
static void use_pass(Bench *bench, bool with_head)
{
    const BlockMap *map = &bench->model.map;
    uint32_t n = with_head ? map->n_dense : synthetic_n_body(&bench->model);
    DenseWave wave;
    Error err = {0};

    dense_begin_pass(&bench->dense, with_head);
    for (uint32_t first = 0; first < n; first += wave.n_blocks) {
        CHECK(dense_next(&bench->dense, &bench->mover, first, n - first, &wave, &err));
        dense_done(&bench->dense, &bench->mover, &wave);
    }
}

TEST(what_a_pass_says_of_its_head_corrects_what_was_expected)
{
    Shape shape = shape_small;
    Bench bench;
    shape.n_expert = 0;
    bench_init(&bench, shape, 100000); // two slots: the head is asked for only at the body's end
    CHECK(bench.plan.n_ring_slots == 2);
    CHECK(!bench.plan.dense_is_resident[bench.model.map.n_dense - 1]);

    dense_load(&bench.dense, &bench.mover);
    use_pass(&bench, false); // expected with a head
    use_pass(&bench, true);
    CHECK(bench.mover.counters.wasted_bytes == 0);
    dense_expect_headless(&bench.dense, 3);
    use_pass(&bench, true); // so is the first of these three; the others are then expected to be
    uint64_t wasted_bytes = bench.mover.counters.wasted_bytes;
    use_pass(&bench, true);
    use_pass(&bench, true);
    CHECK(bench.mover.counters.wasted_bytes == wasted_bytes);
    bench_destroy(&bench);
}

TEST(an_aborted_pass_lets_go_of_everything)
{
    Shape shape = shape_small;
    Bench bench;
    DenseWave wave;
    Error err = {0};
    shape.n_expert = 0;
    bench_init(&bench, shape, 200000);

    dense_load(&bench.dense, &bench.mover);
    dense_begin_pass(&bench.dense, true);
    uint32_t resident = 0, streamed = 0;
    while (!bench.plan.dense_is_resident[resident]) resident++;
    while (bench.plan.dense_is_resident[streamed]) streamed++;
    CHECK(dense_next(&bench.dense, &bench.mover, resident, 1, &wave, &err));
    CHECK(dense_next(&bench.dense, &bench.mover, streamed, 1, &wave, &err));
    dense_abort_pass(&bench.dense);
    for (uint32_t i = 0; i < bench.dense.n_residents; i++)
        CHECK(bench.dense.residents[i].n_pins == 0);
    for (uint32_t i = 0; i < bench.dense.ring.n_slots; i++)
        CHECK(bench.dense.ring.slots[i].n_pins == 0);
    bench_destroy(&bench);
}

TEST(a_failed_table_holds_nothing)
{
    static Bench bench; // two of its parts at once are much for a stack
    Error err = {0};
    bench_init(&bench, shape_small, 1u << 20);
    uint64_t held = ledger_held(MEM_OTHER);
    Dense other;

    for (uint64_t nth = 1; nth <= 4; nth++) {
        fault_arm(FAULT_ALLOC, nth, false);
        CHECK(!dense_init(&other, &bench.model.map, &bench.plan, &bench.cache, &bench.ring, &err));
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK(ledger_held(MEM_OTHER) == held);
    }
    bench_destroy(&bench);
}

TEST(a_wave_waits_for_its_first_block_only)
{
    Synthetic model;
    ReadSim sim = {.latency_ticks_max = 1};
    DenseWave wave;
    Error err = {0};
    synthetic_init(&model, shape_small, 4);
    Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);

    // Nothing has landed but the trunk: the first demand gets what is there when it lands.
    CHECK(store_pass_begin(store, true, &err));
    CHECK(store_dense_next(store, 3, 3, &wave, &err));
    CHECK(wave.n_blocks >= 1 && wave.n_blocks <= 3);
    CHECK(synthetic_matches(&model, &model.map.dense[3].extent, wave.data[0]));
    store_dense_done(store, &wave);
    store_pass_abort(store);
    store_free(store);
    synthetic_destroy(&model);
}

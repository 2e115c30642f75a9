/* tests/store/test_ring.c - blocks stream in the order of passes, also where a pass is
 * not what was expected */
#include "store/ring.h"

#include "store/synthetic.h"

#define SLOT_BYTES 32768u

/* A model of which all dense blocks stream: 12 and 2 head blocks in shape_small. */
typedef struct Bench {
    Synthetic model;
    ReadSim sim;
    Places places;
    Mover mover;
    uint32_t stream[64];
    uint32_t n_body, n_all;
    Ring ring;
} Bench;

static void bench_init(Bench *bench, uint32_t n_slots, ReadSim sim)
{
    Error err = {0};

    *bench = (Bench){.sim = sim};
    synthetic_init(&bench->model, shape_small, 5);
    bench->n_all = bench->model.map.n_dense;
    bench->n_body = synthetic_n_body(&bench->model);
    for (uint32_t i = 0; i < bench->n_all; i++) bench->stream[i] = i;
    CHECK(places_init(
        &bench->places, MEM_RING, (uint64_t)n_slots * SLOT_BYTES, 4096, PAGES_NOW, &err));
    ReaderOptions options = {
        .backend = READ_SIM, .files = &bench->model.file, .n_files = 1, .sim = &bench->sim};
    CHECK(mover_init(&bench->mover, &options, 4096, &err));
    ring_init(&bench->ring, &bench->model.map, bench->stream, bench->n_all, &bench->places,
        SLOT_BYTES, n_slots);
}

static void bench_destroy(Bench *bench)
{
    mover_destroy(&bench->mover);
    places_destroy(&bench->places);
    synthetic_destroy(&bench->model);
}

/* What a pass does with one block. */
static void use_block(Bench *bench, uint64_t pass, uint32_t position)
{
    Error err = {0};
    Slot *slot;

    ring_fill(&bench->ring, &bench->mover);
    while ((slot = ring_seek(&bench->ring, &bench->mover, pass, position)) == NULL)
        CHECK(mover_wait(&bench->mover, &err));
    CHECK(mover_await(&bench->mover, slot, &err));
    CHECK(ring_take(&bench->ring, &bench->mover) == slot);
    CHECK(slot->block == bench->stream[position]);
    CHECK(synthetic_matches(
        &bench->model, &bench->model.map.dense[slot->block].extent, slot_payload(slot, 0, 4096)));
    ring_give(&bench->ring, slot->block);
}

static void use_pass(Bench *bench, uint64_t pass, bool with_head)
{
    uint32_t n = with_head ? bench->n_all : bench->n_body;

    for (uint32_t i = 0; i < n; i++) use_block(bench, pass, i);
}

static uint64_t stream_bytes(const Bench *bench, bool with_head)
{
    uint64_t n_bytes = 0;

    for (uint32_t i = 0; i < (with_head ? bench->n_all : bench->n_body); i++)
        n_bytes += bench->model.map.dense[i].extent.n_bytes;
    return n_bytes;
}

static uint32_t count_in_flight(const Bench *bench)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < bench->ring.n_slots; i++)
        n += bench->ring.slots[i].state == SLOT_LOADING;
    return n;
}

TEST(half_of_the_slots_fly_and_the_queue_crosses_passes)
{
    static const uint32_t slots[][2] = {{1, 1}, {2, 2}, {3, 3}, {4, 2}, {5, 2}, {8, 4}, {32, 16}};
    Bench bench;
    Error err = {0};

    for (size_t i = 0; i < COUNT(slots); i++) {
        bench_init(&bench, slots[i][0], (ReadSim){0});
        ring_fill(&bench.ring, &bench.mover);
        CHECK(count_in_flight(&bench) == slots[i][1]);
        bench_destroy(&bench);
    }
    bench_init(&bench, 4, (ReadSim){0});
    use_pass(&bench, 0, true);
    for (uint32_t i = 0; i < 4; i++) { // what landed makes room for more, while slots are free
        ring_fill(&bench.ring, &bench.mover);
        CHECK(bench.ring.n_ahead == 4 || count_in_flight(&bench) == 2);
        if (count_in_flight(&bench) > 0) CHECK(mover_wait(&bench.mover, &err));
    }
    ring_fill(&bench.ring, &bench.mover);
    CHECK(bench.ring.n_ahead == 4);
    for (uint32_t i = 0; i < 4; i++) CHECK(bench.ring.ahead[i]->block == i); // of the next pass
    bench_destroy(&bench);
}

TEST(each_pass_reads_its_bytes_once)
{
    static const uint32_t slots[] = {1, 2, 3, 7, 16};

    for (size_t i = 0; i < COUNT(slots); i++) {
        Bench bench;
        bench_init(&bench, slots[i], (ReadSim){.latency_ticks_max = 5});
        for (uint64_t pass = 0; pass < 5; pass++) {
            uint64_t before = bench.mover.counters.missed_bytes;
            use_pass(&bench, pass, true);
            CHECK(bench.mover.counters.missed_bytes - before == stream_bytes(&bench, true));
        }
        CHECK(bench.mover.counters.wasted_bytes == 0);
        bench_destroy(&bench);
    }
}

TEST(expected_headless_passes_waste_nothing)
{
    static const uint32_t slots[] = {1, 2, 5, 16};

    for (size_t i = 0; i < COUNT(slots); i++) {
        Bench bench;
        bench_init(&bench, slots[i], (ReadSim){0});
        ring_expect_head(&bench.ring, 3);
        for (uint64_t pass = 0; pass < 3; pass++) use_pass(&bench, pass, false);
        for (uint64_t pass = 3; pass < 5; pass++) use_pass(&bench, pass, true);
        CHECK(bench.mover.counters.missed_bytes
              == 3 * stream_bytes(&bench, false) + 2 * stream_bytes(&bench, true));
        CHECK(bench.mover.counters.wasted_bytes == 0);
        bench_destroy(&bench);
    }
}

TEST(an_unexpected_headless_pass_wastes_the_head_and_keeps_the_rest)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, 4, (ReadSim){0});
    uint64_t head_bytes = stream_bytes(&bench, true) - stream_bytes(&bench, false);

    use_pass(&bench, 0, false);
    for (uint32_t i = 0; i < 4; i++) { // head, head, 0, 1
        ring_fill(&bench.ring, &bench.mover);
        CHECK(mover_await(&bench.mover, bench.ring.ahead[i], &err));
    }
    Slot *kept = bench.ring.ahead[2];
    CHECK(kept->block == 0);
    uint64_t n_requests = bench.sim.counts.n_requests;
    CHECK(ring_seek(&bench.ring, &bench.mover, 1, 0) == kept);
    CHECK(kept->state == SLOT_READY);
    CHECK(bench.sim.counts.n_requests == n_requests);
    CHECK(bench.mover.counters.wasted_bytes == head_bytes);
    use_pass(&bench, 1, true);
    CHECK(bench.mover.counters.wasted_bytes == head_bytes);
    bench_destroy(&bench);
}

TEST(an_unexpected_head_is_read_at_once)
{
    Bench bench;
    bench_init(&bench, 3, (ReadSim){0});
    ring_expect_head(&bench.ring, 10);

    use_pass(&bench, 0, false);
    ring_expect_head(&bench.ring, 0);
    use_block(&bench, 0, bench.n_body);
    use_block(&bench, 0, bench.n_body + 1);
    use_pass(&bench, 1, true);
    CHECK(bench.mover.counters.missed_bytes == 2 * stream_bytes(&bench, true));
    bench_destroy(&bench);
}

TEST(a_pass_may_begin_again_anywhere)
{
    Bench bench;
    Rng rng = rng_seeded(harness_seed());
    ReadSim sim = {.seed = harness_seed(), .latency_ticks_max = 8};
    sim.per_mille[SIM_REORDER] = 300;
    sim.per_mille[SIM_LATE] = 100;
    bench_init(&bench, 4, sim);

    for (uint64_t i = 0; i < 300; i++) {
        uint32_t position = (uint32_t)rng_below(&rng, bench.n_all);
        uint32_t n = 1 + (uint32_t)rng_below(&rng, bench.n_all - position);
        for (uint32_t k = 0; k < n; k++) use_block(&bench, i, position + k);
        if (rng_below(&rng, 4) == 0) ring_expect_head(&bench.ring, i + rng_below(&rng, 4));
    }
    CHECK(bench.mover.counters.wasted_bytes > 0);
    bench_destroy(&bench);
}

TEST(where_only_the_head_streams_it_is_always_next)
{
    Bench bench;
    bench_init(&bench, 2, (ReadSim){0});
    bench.stream[0] = bench.n_body;
    bench.stream[1] = bench.n_body + 1;
    bench.ring.n_stream = 2;
    bench.ring.n_stream_body = 0;
    ring_expect_head(&bench.ring, UINT64_MAX / 2);

    for (uint64_t pass = 0; pass < 4; pass++) { // whichever passes these are
        use_block(&bench, pass, 0);
        use_block(&bench, pass, 1);
    }
    CHECK(bench.mover.counters.wasted_bytes == 0);
    bench_destroy(&bench);
}

TEST(a_block_that_failed_ahead_waits_for_its_demand)
{
    Bench bench;
    Error err = {0};
    ReadSim sim = {.n_damage = 1};
    bench_init(&bench, 3, sim);
    const Extent *extent = &bench.model.map.dense[1].extent;
    bench.sim.damage[0] = (SimDamage){.offset_bytes = extent->offset_bytes + 4096,
        .n_bytes = 1,
        .n_failures = MOVER_FAILURES_MAX + 1};

    ring_fill(&bench.ring, &bench.mover);
    for (uint32_t i = 0; i < 3; i++) // the neighbours land, block 1 fails
        while (bench.ring.ahead[i]->state == SLOT_LOADING) CHECK(mover_wait(&bench.mover, &err));
    CHECK(bench.ring.ahead[1]->state == SLOT_FREE);
    use_block(&bench, 0, 0);
    Slot *failed = ring_seek(&bench.ring, &bench.mover, 0, 1);
    CHECK(failed && failed->state == SLOT_FREE && failed->block == 1);
    mover_read(&bench.mover, failed, extent, 1, MOVE_AHEAD);
    CHECK(mover_await(&bench.mover, failed, &err));
    CHECK(ring_take(&bench.ring, &bench.mover) == failed);
    ring_give(&bench.ring, 1);
    use_block(&bench, 0, 2);
    bench_destroy(&bench);
}

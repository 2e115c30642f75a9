/* tests/store/test_mover.c - requests, retries, and what every byte counts as, on a
 * simulated drive */
#include "store/mover_bench.h"

TEST(a_block_is_read_with_its_surroundings_and_counted)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){0}, 100000, SLOT_BYTES);

    Slot *slot = bench_read(&bench, 0, 1000, 3000, MOVE_DEMAND);
    CHECK(slot->state == SLOT_LOADING);
    CHECK(mover_await(&bench.mover, slot, &err));
    CHECK(slot->state == SLOT_READY);
    CHECK(holds_the_file(&bench, slot));
    CHECK(bench.mover.counters.read_bytes == 3584); // 512 to 4096
    CHECK(bench.mover.counters.missed_bytes == 3000);
    CHECK(bench.mover.counters.padding_bytes == 584);
    CHECK(bench.sim.counts.n_request_bytes == 3584);
    bench_destroy(&bench);
}

TEST(bytes_count_under_their_purpose)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){0}, 100000, SLOT_BYTES);
    const MoverCounters *counters = &bench.mover.counters;

    CHECK(mover_await(&bench.mover, bench_read(&bench, 0, 0, 100, MOVE_LOAD), &err));
    CHECK(counters->load_bytes == 100);
    Slot *taken = bench_read(&bench, 1, 0, 200, MOVE_AHEAD);
    Slot *dropped = bench_read(&bench, 2, 0, 300, MOVE_AHEAD);
    CHECK(mover_await(&bench.mover, taken, &err));
    CHECK(mover_await(&bench.mover, dropped, &err));
    CHECK(counters->unsettled_bytes == 500);
    mover_settle_missed(&bench.mover, taken);
    mover_settle_wasted(&bench.mover, dropped);
    CHECK(counters->missed_bytes == 200);
    CHECK(counters->wasted_bytes == 300);
    CHECK(counters->unsettled_bytes == 0);
    CHECK(identity_holds(&bench.mover));
    bench_destroy(&bench);
}

TEST(large_extents_are_several_requests)
{
    const uint64_t n_bytes = 3ull * MOVER_REQUEST_BYTES;
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){.per_mille = {[SIM_REORDER] = 500}, .latency_ticks_max = 9},
        n_bytes, n_bytes + 4096);

    // 100 to the end: requests of 4, 4, and nearly 4 MiB; and a second extent behind it.
    Slot *slot = &bench.slots[0];
    bench.extents[0][0] = (Extent){.offset_bytes = 100, .n_bytes = (uint32_t)n_bytes - 2000};
    bench.extents[0][1] = (Extent){.offset_bytes = 7, .n_bytes = 10};
    mover_read(&bench.mover, slot, bench.extents[0], 2, MOVE_DEMAND);
    CHECK(mover_await(&bench.mover, slot, &err));
    CHECK(bench.sim.counts.n_requests == 4);
    CHECK(holds_the_file(&bench, slot));
    CHECK(identity_holds(&bench.mover));
    bench_destroy(&bench);
}

TEST(the_end_of_a_file_is_no_short_read)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){0}, 100001, SLOT_BYTES);

    Slot *slot = bench_read(&bench, 0, 99000, 1001, MOVE_DEMAND);
    CHECK(mover_await(&bench.mover, slot, &err));
    CHECK(holds_the_file(&bench, slot));
    CHECK(bench.sim.counts.n_requests == 1);
    CHECK(bench.mover.counters.again_bytes == 0);
    CHECK(identity_holds(&bench.mover));
    bench_destroy(&bench);
}

TEST(short_reads_go_on_where_they_ended)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){.seed = 1, .per_mille = {[SIM_SHORT] = 400, [SIM_RAGGED] = 400}},
        100000, SLOT_BYTES);

    for (uint32_t i = 0; i < 200; i++) {
        Slot *slot = bench_read(&bench, 0, 77 + i * 100, 15000, MOVE_DEMAND);
        CHECK(mover_await(&bench.mover, slot, &err));
        CHECK(holds_the_file(&bench, slot));
        slot_move(slot, SLOT_FREE);
    }
    CHECK(bench.sim.counts.n_faults[SIM_SHORT] > 0);
    CHECK(bench.sim.counts.n_faults[SIM_RAGGED] > 0);
    CHECK(bench.mover.counters.n_retries > 0);
    CHECK(bench.mover.counters.again_bytes < bench.mover.counters.n_retries * ALIGNMENT);
    CHECK(bench.mover.counters.missed_bytes == 200 * 15000);
    CHECK(identity_holds(&bench.mover));
    bench_destroy(&bench);
}

// clang-format off
static const struct {
    const char *label;
    SimFault fault;
    uint64_t n_faults; // then the drive is well again
    bool succeeds;
    ErrorId want;
} faults[] = {
    {"EIO once",              SIM_EIO,    1,                           true,  ERROR_NONE},
    {"EIO three times",       SIM_EIO,    MOVER_FAILURES_MAX,          true,  ERROR_NONE},
    {"EIO four times",        SIM_EIO,    MOVER_FAILURES_MAX + 1,      false, ERROR_READ},
    {"EIO always",            SIM_EIO,    0,                           false, ERROR_READ},
    {"EINTR often",           SIM_EINTR,  MOVER_INTERRUPTIONS_MAX,     true,  ERROR_NONE},
    {"EINTR always",          SIM_EINTR,  0,                           false, ERROR_READ},
    {"EAGAIN often",          SIM_EAGAIN, MOVER_INTERRUPTIONS_MAX,     true,  ERROR_NONE},
    {"EAGAIN always",         SIM_EAGAIN, 0,                           false, ERROR_READ},
    {"nothing, three times",  SIM_ZERO,   MOVER_FAILURES_MAX,          true,  ERROR_NONE},
    {"less than a unit, often",  SIM_RAGGED, MOVER_FAILURES_MAX,       true,  ERROR_NONE},
    {"less than a unit, always", SIM_RAGGED, 0,                        false, ERROR_READ},
    {"nothing, always",       SIM_ZERO,   0,                           false, ERROR_FILE_CHANGED},
};
// clang-format on

TEST(failures_are_tried_again_a_stated_number_of_times)
{
    for (size_t i = 0; i < COUNT(faults); i++) {
        ReadSim sim = {.n_faults_max = faults[i].n_faults};
        Bench bench;
        Error err = {0};
        sim.per_mille[faults[i].fault] = 1000;
        bench_init(&bench, sim, 100000, SLOT_BYTES);
        Slot *slot = bench_read(&bench, 0, 5000, 120, MOVE_DEMAND); // one unit

        CHECK_CASE(faults[i].label, mover_await(&bench.mover, slot, &err) == faults[i].succeeds);
        CHECK_CASE(faults[i].label, err.id == faults[i].want);
        if (faults[i].succeeds) {
            CHECK_CASE(faults[i].label, holds_the_file(&bench, slot));
        } else {
            CHECK_CASE(faults[i].label, slot->state == SLOT_FREE);
            CHECK_CASE(faults[i].label, strstr(err.message, bench.file.path));
            CHECK_CASE(faults[i].label, strstr(err.message, "4608")); // where the request began
        }
        CHECK_CASE(faults[i].label, identity_holds(&bench.mover));
        bench_destroy(&bench);
    }
}

TEST(a_damaged_extent_fails_the_block_and_no_other)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench,
        (ReadSim){.n_damage = 1,
            .damage = {{.offset_bytes = 30000, .n_bytes = 1, .n_failures = UINT32_MAX}}},
        100000, SLOT_BYTES);
    bench.extents[0][0] = (Extent){.offset_bytes = 1000, .n_bytes = 4000};
    bench.extents[0][1] = (Extent){.offset_bytes = 29000, .n_bytes = 4000};
    mover_read(&bench.mover, &bench.slots[0], bench.extents[0], 2, MOVE_DEMAND);
    Slot *other = bench_read(&bench, 1, 50000, 4000, MOVE_DEMAND);

    CHECK(!mover_await(&bench.mover, &bench.slots[0], &err));
    CHECK_ERROR(err, ERROR_READ);
    CHECK(strstr(err.message, "Input/output error"));
    CHECK(mover_await(&bench.mover, other, &err));
    CHECK(holds_the_file(&bench, other));
    CHECK(bench.mover.counters.wasted_bytes == 4000); // of the extent that did land
    CHECK(identity_holds(&bench.mover));

    // The slot serves the next block as if nothing had been.
    CHECK(mover_await(&bench.mover, bench_read(&bench, 0, 2000, 500, MOVE_DEMAND), &err));
    CHECK(holds_the_file(&bench, &bench.slots[0]));
    bench_destroy(&bench);
}

TEST(a_cancelled_read_keeps_its_memory_until_it_completes)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){.latency_ticks_max = 1}, 100000, SLOT_BYTES);

    Slot *queued = bench_read(&bench, 0, 0, 1000, MOVE_DEMAND);
    mover_cancel(&bench.mover, queued);
    CHECK(queued->state == SLOT_FREE);
    CHECK(mover_submit(&bench.mover, &err));
    CHECK(bench.sim.counts.n_requests == 0);

    Slot *flying = bench_read(&bench, 1, 0, 1000, MOVE_DEMAND);
    CHECK(mover_submit(&bench.mover, &err));
    mover_cancel(&bench.mover, flying);
    CHECK(flying->state == SLOT_DOOMED);
    CHECK(mover_wait(&bench.mover, &err));
    CHECK(flying->state == SLOT_FREE);
    CHECK(bench.mover.counters.wasted_bytes == 1000);
    CHECK(identity_holds(&bench.mover));
    bench_destroy(&bench);
}

TEST(a_cancelled_retry_is_dropped)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){.per_mille = {[SIM_EAGAIN] = 1000}}, 100000, SLOT_BYTES);

    Slot *slot = bench_read(&bench, 0, 0, 1000, MOVE_DEMAND);
    CHECK(mover_wait(&bench.mover, &err)); // put off: waits for its next try, nothing in flight
    CHECK(slot->state == SLOT_LOADING);
    mover_cancel(&bench.mover, slot);
    CHECK(slot->state == SLOT_FREE);
    CHECK(mover_submit(&bench.mover, &err));
    CHECK(bench.sim.counts.n_requests == 1);
    bench_destroy(&bench);
}

TEST(duplicates_count_once)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){.per_mille = {[SIM_DUPLICATE] = 1000}, .late_ticks = 3}, 100000,
        SLOT_BYTES);

    // The same slot and transfer serve again while the duplicates of their first lives arrive.
    for (uint32_t i = 0; i < 100; i++) {
        Slot *slot = bench_read(&bench, 0, i * 500, 1000, MOVE_DEMAND);
        CHECK(mover_await(&bench.mover, slot, &err));
        CHECK(holds_the_file(&bench, slot));
        slot_move(slot, SLOT_FREE);
    }
    CHECK(bench.mover.counters.n_strays > 50);
    CHECK(bench.mover.counters.missed_bytes == 100 * 1000);
    CHECK(bench.mover.n_in_flight == 0);
    bench_destroy(&bench);
}

TEST(demands_overtake_and_loads_leave_room)
{
    const uint32_t big = 3u << 20;
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){.latency_ticks_max = 1}, 4u << 20, big + 8192);

    for (uint32_t i = 0; i < 5; i++) bench_read(&bench, i, 0, big, MOVE_LOAD);
    Slot *ahead = bench_read(&bench, 5, 0, 1000, MOVE_AHEAD);
    Slot *demand = bench_read(&bench, 6, 0, 1000, MOVE_DEMAND);
    CHECK(mover_submit(&bench.mover, &err));
    // Three of five loads reach MOVER_LOAD_BYTES; demand and ahead are not held up by that.
    CHECK(bench.sim.counts.n_requests == 5);
    CHECK(bench.slots[2].read.n_open == 1);
    CHECK(bench.slots[3].read.n_open == 0);
    CHECK(demand->read.n_open == 1);
    CHECK(ahead->read.n_open == 1);
    mover_hurry(&bench.mover, &bench.slots[4]); // a demand meets a load that waits
    CHECK(mover_submit(&bench.mover, &err));
    CHECK(bench.slots[4].read.n_open == 1);
    CHECK(bench.slots[3].read.n_open == 0);
    for (uint32_t i = 0; i < 5; i++) CHECK(mover_await(&bench.mover, &bench.slots[i], &err));
    CHECK(bench.mover.counters.load_bytes == 5ull * big);
    bench_destroy(&bench);
}

TEST(loads_go_on_as_others_land)
{
    const uint32_t big = 3u << 20;
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){.latency_ticks_max = 1}, 4u << 20, big + 8192);

    for (uint32_t i = 0; i < N_SLOTS; i++) bench_read(&bench, i, 0, big, MOVE_LOAD);
    while (bench.slots[N_SLOTS - 1].state == SLOT_LOADING) CHECK(mover_wait(&bench.mover, &err));
    CHECK(bench.mover.counters.load_bytes == (uint64_t)N_SLOTS * big);
    bench_destroy(&bench);
}

TEST(guesses_move_only_while_nobody_demands_and_a_little_at_a_time)
{
    const uint32_t big = 3u << 20;
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){0}, 4u << 20, big + 8192);
    const MoverLoad *guesses = &bench.mover.in_flight[MOVE_GUESS];

    Slot *guess = bench_read(&bench, 0, 0, big, MOVE_GUESS);
    Slot *demand = bench_read(&bench, 1, 0, 1000, MOVE_DEMAND);
    CHECK(mover_submit(&bench.mover, &err));
    CHECK(demand->read.n_open == 1 && guess->read.n_open == 0);
    CHECK(mover_submit(&bench.mover, &err)); // the demand still flies
    CHECK(guesses->n_requests == 0);
    CHECK(mover_await(&bench.mover, demand, &err));
    CHECK(mover_submit(&bench.mover, &err));
    CHECK(guesses->n_requests == 1 && guesses->n_bytes == MOVER_GUESS_BYTES);
    CHECK(mover_submit(&bench.mover, &err)); // that is all for now
    CHECK(guesses->n_requests == 1);

    // Small ones are counted by requests.
    CHECK(mover_await(&bench.mover, guess, &err));
    for (uint32_t i = 2; i < 8; i++) bench_read(&bench, i, 0, 1000, MOVE_GUESS);
    CHECK(mover_submit(&bench.mover, &err));
    CHECK(guesses->n_requests == MOVER_GUESS_DEPTH);
    slot_move(demand, SLOT_FREE);
    demand = bench_read(&bench, 1, 0, 1000, MOVE_DEMAND);
    CHECK(mover_await(&bench.mover, demand, &err));
    while (bench.mover.queues[MOVE_GUESS].first || guesses->n_requests > 0)
        if (!CHECK(mover_wait(&bench.mover, &err))) break;
    CHECK(guesses->n_bytes == 0);
    CHECK(bench.mover.counters.load_bytes == big + 6 * 1000);
    CHECK(identity_holds(&bench.mover));
    bench_destroy(&bench);
}

TEST(waiting_for_nothing_is_an_error_and_not_for_ever)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){0}, 60000, SLOT_BYTES);

    CHECK(!mover_wait(&bench.mover, &err));
    CHECK_ERROR(err, ERROR_INTERNAL);
    Slot *slot = bench_read(&bench, 0, 100, 500, MOVE_DEMAND);
    CHECK(mover_await(&bench.mover, slot, &err));
    CHECK(holds_the_file(&bench, slot));
    bench_destroy(&bench);
}

TEST(the_drives_rate_is_of_spells_whose_end_was_waited_for)
{
    Bench bench;
    Error err = {0};
    const MoverCounters *counters = &bench.mover.counters;

    bench_init(&bench, (ReadSim){0}, 64 << 10, SLOT_BYTES);
    for (uint32_t i = 0; i < 4; i++) bench_read(&bench, i, 4096 * i, 4096, MOVE_DEMAND);
    for (uint32_t i = 0; i < 4; i++) CHECK(mover_await(&bench.mover, &bench.slots[i], &err));
    CHECK(counters->busy_bytes == 4 * 4096);
    CHECK(counters->busy_ns > 0);
    CHECK(counters->n_requests == 4);
    CHECK(counters->depth_sum == 4 * 4); // all four were submitted at once

    // One that came while nobody looked tells nothing.
    Slot *slot = bench_read(&bench, 4, 4096 * 4, 4096, MOVE_DEMAND);
    CHECK(mover_submit(&bench.mover, &err));
    while (slot->state == SLOT_LOADING) CHECK(mover_poll(&bench.mover, &err));
    CHECK(counters->busy_bytes == 4 * 4096);
    CHECK(counters->depth_sum == 4 * 4 + 1);

    // The next spell begins with its own bytes.
    slot = bench_read(&bench, 5, 4096 * 5, 4096, MOVE_DEMAND);
    CHECK(mover_await(&bench.mover, slot, &err));
    CHECK(counters->busy_bytes == 5 * 4096);
    bench_destroy(&bench);
}

TEST(a_broken_reader_stays_broken)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, (ReadSim){.breaks_at_reap = 1}, 100000, SLOT_BYTES);

    Slot *slot = bench_read(&bench, 0, 0, 1000, MOVE_DEMAND);
    CHECK(!mover_await(&bench.mover, slot, &err));
    CHECK_ERROR(err, ERROR_RING);
    Error again = {0};
    CHECK(!mover_submit(&bench.mover, &again));
    CHECK_ERROR(again, ERROR_RING);
    mover_cancel(&bench.mover, slot);
    CHECK(slot->state == SLOT_DOOMED); // its memory is still the drive's
    bench_destroy(&bench);
}

/* What the model knows of a slot: what must be true of it after any operation. */
typedef struct Expected {
    SlotState state; // SLOT_LOADING and SLOT_DOOMED may have moved on since
    uint32_t n_pins;
    uint32_t generation;
    bool was_checked;
} Expected;

static void claim(Bench *bench, Rng *rng, uint32_t i, Expected *expected)
{
    uint32_t n_extents = 1 + (uint32_t)rng_below(rng, EXPERT_EXTENTS_MAX);

    for (uint32_t k = 0; k < n_extents; k++) {
        Extent *extent = &bench->extents[i][k];
        extent->n_bytes = 1 + (uint32_t)rng_below(rng, rng_below(rng, 2) == 0 ? 4500 : 40);
        extent->offset_bytes = rng_below(rng, bench->n_bytes - extent->n_bytes + 1);
    }
    mover_read(&bench->mover, &bench->slots[i], bench->extents[i], n_extents,
        (MovePurpose)rng_below(rng, MOVE_PURPOSES));
    *expected = (Expected){.state = SLOT_LOADING, .generation = expected->generation + 1};
}

/* Lets the slot go the way that it may go by itself, and no other. */
static bool follow(const Bench *bench, const Slot *slot, Expected *expected)
{
    SlotState seen = slot->state;

    if (slot->generation != expected->generation || slot->n_pins != expected->n_pins) return false;
    if (expected->state == SLOT_LOADING && (seen == SLOT_READY || seen == SLOT_FREE))
        expected->state = seen;
    if (expected->state == SLOT_DOOMED && seen == SLOT_FREE) expected->state = SLOT_FREE;
    if (expected->state != seen) return false;
    if (seen == SLOT_FREE && slot->read.n_open > 0) return false;
    if (seen != SLOT_READY || expected->was_checked) return true;
    expected->was_checked = true;
    return holds_the_file(bench, slot);
}

static void operate(Bench *bench, Rng *rng, uint32_t i, Expected *expected, Error *err)
{
    Slot *slot = &bench->slots[i];

    switch (rng_below(rng, 9)) {
    case 0:
    case 1:
        if (slot->state == SLOT_FREE) claim(bench, rng, i, expected);
        break;
    case 2:
        if (slot->state != SLOT_LOADING || rng_below(rng, 4) > 0) break;
        mover_cancel(&bench->mover, slot);
        expected->state = slot->state == SLOT_DOOMED ? SLOT_DOOMED : SLOT_FREE;
        break;
    case 3:
        if (slot->state != SLOT_READY) break;
        slot_pin(slot);
        expected->n_pins++;
        break;
    case 4:
        if (slot->n_pins == 0) break;
        slot_unpin(slot);
        expected->n_pins--;
        break;
    case 5:
        if (slot->state != SLOT_READY || slot->n_pins > 0) break;
        CHECK(holds_the_file(bench, slot)); // to the last moment
        mover_settle_wasted(&bench->mover, slot);
        slot_move(slot, SLOT_FREE);
        expected->state = SLOT_FREE;
        break;
    case 6:
        if (slot->state == SLOT_LOADING) mover_hurry(&bench->mover, slot);
        break;
    case 7: CHECK(mover_submit(&bench->mover, err)); break;
    case 8: CHECK(mover_poll(&bench->mover, err)); break;
    }
}

/* Slots on a drive that does all it can, against a model that knows only the drawing. */
TEST(a_million_operations_keep_every_slot_in_the_drawing)
{
    const uint32_t n_operations = 1000000, n_drives = 20;
    uint64_t n_strays = 0, n_failed = 0, n_again = 0;

    for (uint32_t drive = 0; drive < n_drives; drive++) {
        Rng rng = rng_seeded(harness_seed() + drive);
        ReadSim sim = read_sim_swarm(rng_next(&rng));
        sim.damage[0] = (SimDamage){.offset_bytes = 20000, .n_bytes = 9, .n_failures = UINT32_MAX};
        sim.n_damage = 1;
        Expected expected[N_SLOTS] = {0};
        Bench bench;
        Error err = {0};
        uint32_t n_wrong = 0;
        bench_init(&bench, sim, 60001, SLOT_BYTES);

        for (uint32_t n = 0; n < n_operations / n_drives && n_wrong == 0; n++) {
            uint32_t i = (uint32_t)rng_below(&rng, N_SLOTS);
            operate(&bench, &rng, i, &expected[i], &err);
            for (uint32_t k = 0; k < N_SLOTS; k++) {
                if (expected[k].state == SLOT_LOADING && bench.slots[k].state == SLOT_FREE)
                    n_failed++;
                if (!follow(&bench, &bench.slots[k], &expected[k])) n_wrong++;
            }
            if (!identity_holds(&bench.mover)) n_wrong++;
        }
        CHECK(n_wrong == 0);
        n_strays += bench.mover.counters.n_strays;
        n_again += bench.mover.counters.again_bytes;
        bench_destroy(&bench);
    }
    CHECK(n_strays > 0); // the drives did misbehave
    CHECK(n_failed > 0);
    CHECK(n_again > 0);
}

/* tests/store/test_mover_sums.c - reads held against checksums, on a simulated drive */
#include "store/mover_bench.h"

#define PAGE SIDECAR_PAGE_BYTES

/* Reads of whole pages, held against checksums of the file as it is. */
static void bench_init_checked(Bench *bench, Sidecar *sidecar, ReadSim sim, uint64_t n_bytes)
{
    Error err = {0};

    bench_init(bench, sim, n_bytes, SLOT_BYTES);
    mover_destroy(&bench->mover);
    ReaderOptions options = {.backend = READ_SIM,
        .files = &bench->file,
        .n_files = 1,
        .alignment_min = PAGE,
        .sim = &bench->sim};
    CHECK(mover_init(&bench->mover, &options, PAGE, &err));
    SidecarSubject subject = {.files = &bench->file, .n_files = 1};
    CHECK(sidecar_init(sidecar, &subject, &err));
    sidecar_add(sidecar, 0, 0, bench->data, n_bytes);
    sidecar_seal(sidecar);
    mover_check_sums(&bench->mover, sidecar);
}

static bool payload_is_right(const Bench *bench, const Slot *slot)
{
    const Extent *extent = &slot->read.extents[0];

    return memcmp(slot_payload(slot, 0, PAGE), bench->data + extent->offset_bytes, extent->n_bytes)
           == 0;
}

TEST(what_arrives_right_is_counted_as_checked)
{
    Bench bench;
    Sidecar sidecar = {0};
    Error err = {0};
    bench_init_checked(&bench, &sidecar, (ReadSim){0}, 50000);

    CHECK(mover_await(&bench.mover, bench_read(&bench, 0, 5000, 3300, MOVE_DEMAND), &err));
    CHECK(payload_is_right(&bench, &bench.slots[0]));
    CHECK(bench.mover.counters.checked_bytes == 2ull * PAGE); // the pages that it touches
    // The last page ends with the file.
    CHECK(mover_await(&bench.mover, bench_read(&bench, 1, 49900, 100, MOVE_DEMAND), &err));
    CHECK(payload_is_right(&bench, &bench.slots[1]));
    CHECK(bench.mover.counters.checked_bytes == 2ull * PAGE + 50000 % PAGE);
    CHECK(bench.mover.counters.again_bytes == 0);
    bench_destroy(&bench);
    sidecar_destroy(&sidecar);
}

TEST(wrong_bytes_are_read_once_more)
{
    Bench bench;
    Sidecar sidecar = {0};
    Error err = {0};
    ReadSim sim = {.n_damage = 1,
        .damage = {{.offset_bytes = 6000, .n_bytes = 1, .n_failures = 1, .is_silent = true}}};
    bench_init_checked(&bench, &sidecar, sim, 50000);

    Slot *slot = bench_read(&bench, 0, 0, 12000, MOVE_DEMAND);
    CHECK(mover_await(&bench.mover, slot, &err));
    CHECK(payload_is_right(&bench, slot));
    CHECK(bench.mover.counters.again_bytes == 2ull * PAGE); // from the wrong page on
    CHECK(bench.mover.counters.n_retries == 1);
    CHECK(identity_holds(&bench.mover));
    bench_destroy(&bench);
    sidecar_destroy(&sidecar);
}

TEST(bytes_that_stay_wrong_are_refused_with_their_place)
{
    Bench bench;
    Sidecar sidecar = {0};
    Error err = {0};
    ReadSim sim = {.n_damage = 1,
        .damage = {
            {.offset_bytes = 6000, .n_bytes = 1, .n_failures = UINT32_MAX, .is_silent = true}}};
    bench_init_checked(&bench, &sidecar, sim, 50000);

    Slot *slot = bench_read(&bench, 0, 0, 12000, MOVE_DEMAND);
    CHECK(!mover_await(&bench.mover, slot, &err));
    CHECK(slot->state == SLOT_FREE);
    CHECK_ERROR(err, ERROR_DAMAGED);
    CHECK(strstr(err.message, bench.file.path) && strstr(err.message, "byte 4096"));
    CHECK(bench.sim.counts.n_requests == 2);
    CHECK(identity_holds(&bench.mover));
    // Beside it all is well.
    CHECK(mover_await(&bench.mover, bench_read(&bench, 1, 9000, 3000, MOVE_DEMAND), &err));
    CHECK(payload_is_right(&bench, &bench.slots[1]));
    bench_destroy(&bench);
    sidecar_destroy(&sidecar);
}

/* Damage outside of the payload, in the page that it shares: nobody can tell, so it counts. */
TEST(checksums_see_the_whole_page)
{
    Bench bench;
    Sidecar sidecar = {0};
    Error err = {0};
    ReadSim sim = {.n_damage = 1,
        .damage = {
            {.offset_bytes = 4097, .n_bytes = 1, .n_failures = UINT32_MAX, .is_silent = true}}};
    bench_init_checked(&bench, &sidecar, sim, 50000);

    CHECK(!mover_await(&bench.mover, bench_read(&bench, 0, 7000, 10, MOVE_DEMAND), &err));
    CHECK_ERROR(err, ERROR_DAMAGED);
    bench_destroy(&bench);
    sidecar_destroy(&sidecar);
}

/* Short, late, failed, repeated and silently wrong: what becomes READY is right. */
TEST(with_checksums_a_swarm_of_drives_gives_right_bytes_or_an_error)
{
    uint32_t n_ready = 0, n_wrong = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        Bench bench;
        Sidecar sidecar = {0};
        Error err = {0};
        Rng rng = rng_seeded(seed);
        ReadSim sim = read_sim_swarm(seed);
        sim.n_damage = 4;
        for (uint32_t i = 0; i < sim.n_damage; i++)
            sim.damage[i] = (SimDamage){.offset_bytes = rng_below(&rng, 60000),
                .n_bytes = 1,
                .n_failures = i == 3 ? UINT32_MAX : 1,
                .is_silent = true};
        bench_init_checked(&bench, &sidecar, sim, 60000);
        for (uint32_t i = 0; i < N_SLOTS; i++) {
            uint64_t offset = rng_below(&rng, 48000);
            bench_read(&bench, i, offset, (uint32_t)(1 + rng_below(&rng, 12000 - 4096)),
                (MovePurpose)rng_below(&rng, MOVE_PURPOSES));
        }
        for (uint32_t i = 0; i < N_SLOTS; i++) {
            bool ok = mover_await(&bench.mover, &bench.slots[i], &err);
            if (ok) CHECK(payload_is_right(&bench, &bench.slots[i]));
            n_ready += ok;
            n_wrong += !ok && err.id == ERROR_DAMAGED;
        }
        CHECK(identity_holds(&bench.mover));
        bench_destroy(&bench);
        sidecar_destroy(&sidecar);
    }
    CHECK(n_ready > 1000 && n_wrong > 20);
}

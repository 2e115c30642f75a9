/* tests/store/test_sources.c - which copy is read next (store/sources.h), and what simulated
 * drives of unequal speed give together */
#include "store/sources.h"

#include "base/rng.h"
#include "harness.h"
#include "store/mover.h"
#include "store/places.h"
#include "sys/read_sim.h"

#define PIECE 16384u

/* A request that takes its time from begin to end, with nothing else going on there. */
static void serve(Sources *sources, uint32_t source, uint64_t begin_ns, uint64_t ns)
{
    sources_begin(sources, source, PIECE, begin_ns);
    sources_end(sources, source, PIECE, PIECE, begin_ns + ns);
}

TEST(the_one_that_would_be_done_first_is_chosen)
{
    Sources sources = {.n = 2};

    CHECK(sources_choose(&sources, PIECE) == 0);
    sources_begin(&sources, 0, PIECE, 10);
    CHECK(sources_choose(&sources, PIECE) == 1); // nothing is known, so they share
    sources_end(&sources, 0, PIECE, PIECE, 20);
    serve(&sources, 1, 10, 30);
    CHECK(sources_rate(&sources, 0) == PIECE / 10.0);
    CHECK(sources_rate(&sources, 1) == PIECE / 30.0);
    // Three times as fast: three in flight here are like one there.
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(sources_choose(&sources, PIECE) == 0);
        sources_begin(&sources, 0, PIECE, 100);
    }
    CHECK(sources_choose(&sources, PIECE + 1) == 1);
}

TEST(time_without_requests_counts_for_nobody)
{
    Sources sources = {.n = 2};

    serve(&sources, 0, 0, 10);
    serve(&sources, 0, 1000000, 10);
    CHECK(sources_rate(&sources, 0) == PIECE / 10.0);
}

TEST(a_drive_that_slows_down_is_seen_to)
{
    Sources sources = {.n = 2};
    uint64_t now_ns = 0;

    for (uint32_t i = 0; i < 20000; i++, now_ns += 10) serve(&sources, 0, now_ns, 10);
    for (uint32_t i = 0; i < 20000; i++, now_ns += 100) serve(&sources, 0, now_ns, 100);
    CHECK(sources_rate(&sources, 0) < PIECE / 90.0);
}

/* A thousand times slower for once, it is not even tried beside the other; but not for ever. */
TEST(a_drive_that_hung_is_tried_again)
{
    Sources sources = {.n = 2};
    uint32_t n_tried = 0;

    serve(&sources, 0, 0, 10);
    serve(&sources, 1, 0, 10000000);
    for (uint64_t i = 1; i < 5000; i++) {
        uint32_t source = sources_choose(&sources, PIECE);
        serve(&sources, source, i * 10, 10);
        n_tried += source == 1;
    }
    CHECK(n_tried >= 4 && n_tried < 10);
}

TEST(a_dropped_one_is_never_chosen_and_the_last_stays)
{
    Sources sources = {.n = 3};

    CHECK(sources_drop(&sources, 0));
    CHECK(sources_choose(&sources, PIECE) == 1);
    CHECK(sources_drop(&sources, 1));
    CHECK(sources_choose(&sources, PIECE) == 2);
    CHECK(!sources_drop(&sources, 2));
    CHECK(sources_choose(&sources, PIECE) == 2);
}

/* ---- with a mover: pieces of a file in order, as a scan or a ring asks for them ---- */

#define N_SLOTS  16u
#define N_PIECES 2400u // of which the first ones teach how fast each drive is
#define N_BYTES  ((uint64_t)N_PIECES * PIECE)

typedef struct Copies {
    uint8_t *data;
    File files[3];
    ReadSim sim;
    Places places;
    Slot slots[N_SLOTS];
    Extent extents[N_SLOTS];
    Sidecar sidecar;
    Mover mover;
} Copies;

static void copies_init(Copies *copies, uint32_t n_copies, ReadSim sim, bool is_checked)
{
    Rng rng = rng_seeded(9);
    Error err = {0};

    *copies = (Copies){.sim = sim};
    copies->sim.alignment = SIDECAR_PAGE_BYTES;
    copies->data = malloc(N_BYTES);
    rng_fill(&rng, copies->data, N_BYTES);
    for (uint32_t i = 0; i < n_copies; i++)
        CHECK(read_sim_file(&copies->files[i], copies->data, N_BYTES, &err));
    CHECK(places_init(&copies->places, MEM_CACHE, (uint64_t)N_SLOTS * PIECE, SIDECAR_PAGE_BYTES,
        PAGES_ON_DEMAND, &err));
    for (uint32_t i = 0; i < N_SLOTS; i++)
        copies->slots[i].data = places_take(&copies->places, PIECE);
    ReaderOptions options = {
        .backend = READ_SIM, .files = copies->files, .n_files = n_copies, .sim = &copies->sim};
    CHECK(mover_init(&copies->mover, &options, SIDECAR_PAGE_BYTES, &err));
    mover_use_copies(&copies->mover, n_copies);
    if (!is_checked) return;
    SidecarSubject subject = {.files = copies->files, .n_files = 1};
    CHECK(sidecar_init(&copies->sidecar, &subject, &err));
    sidecar_add(&copies->sidecar, 0, 0, copies->data, N_BYTES);
    mover_check_sums(&copies->mover, &copies->sidecar);
}

static void copies_destroy(Copies *copies)
{
    mover_destroy(&copies->mover);
    places_destroy(&copies->places);
    sidecar_destroy(&copies->sidecar);
    for (size_t i = 0; i < COUNT(copies->files); i++) file_close(&copies->files[i]);
    free(copies->data);
}

static void copies_ask(Copies *copies, uint32_t piece)
{
    uint32_t i = piece % N_SLOTS;

    copies->extents[i] = (Extent){.offset_bytes = (uint64_t)piece * PIECE, .n_bytes = PIECE};
    mover_read(&copies->mover, &copies->slots[i], &copies->extents[i], 1, MOVE_DEMAND);
}

/* All pieces in order, each compared; false when one cannot be had. */
static bool copies_read_all(Copies *copies, Error *err)
{
    for (uint32_t piece = 0; piece < N_SLOTS; piece++) copies_ask(copies, piece);
    for (uint32_t piece = 0; piece < N_PIECES; piece++) {
        Slot *slot = &copies->slots[piece % N_SLOTS];
        if (!mover_await(&copies->mover, slot, err)) return false;
        CHECK(memcmp(slot->data, copies->data + (uint64_t)piece * PIECE, PIECE) == 0);
        slot_move(slot, SLOT_FREE);
        if (piece + N_SLOTS < N_PIECES) copies_ask(copies, piece + N_SLOTS);
    }
    return true;
}

static bool identity_holds(const Copies *copies)
{
    const MoverCounters *c = &copies->mover.counters;
    uint64_t by_source = 0;

    for (uint32_t i = 0; i < SOURCES_MAX; i++) by_source += copies->mover.sources.all[i].read_bytes;
    return c->read_bytes == c->missed_bytes + c->padding_bytes + c->wasted_bytes + c->again_bytes
           && c->unsettled_bytes == 0 && by_source == c->read_bytes;
}

TEST(drives_of_unequal_speed_give_nearly_their_sum)
{
    static const uint32_t rates[][3] = {{3, 1, 0}, {1, 3, 0}, {4, 4, 0}, {5, 2, 1}, {7, 1, 0}};

    for (size_t i = 0; i < COUNT(rates); i++) {
        uint32_t n_copies = rates[i][2] > 0 ? 3 : 2, sum = 0;
        ReadSim sim = {0};
        Copies copies;
        Error err = {0};
        char label[32];
        for (uint32_t k = 0; k < n_copies; k++) {
            sim.bytes_per_tick[k] = rates[i][k];
            sum += rates[i][k];
        }
        copies_init(&copies, n_copies, sim, false);
        CHECK(copies_read_all(&copies, &err));
        double share = (double)N_BYTES / (double)sum / (double)copies.sim.counts.ticks;
        snprintf(label, sizeof label, "drives %zu: %.3f", i, share);
        CHECK_CASE(label, share >= 0.95 && share <= 1);
        for (uint32_t k = 0; k < n_copies; k++) { // in proportion
            double wanted = (double)rates[i][k] / (double)sum * (double)N_BYTES;
            double got = (double)copies.mover.sources.all[k].read_bytes;
            CHECK_CASE(label, got > 0.9 * wanted && got < 1.1 * wanted);
        }
        CHECK(identity_holds(&copies));
        copies_destroy(&copies);
    }
}

TEST(a_copy_that_fails_is_left_and_its_reads_are_made_elsewhere)
{
    for (uint32_t bad = 0; bad < 2; bad++) { // the model itself may be the one
        ReadSim sim = {
            .n_damage = 1, .damage = {{.file = bad, .n_bytes = N_BYTES, .n_failures = UINT32_MAX}}};
        Copies copies;
        Error err = {0};
        copies_init(&copies, 2, sim, false);
        CHECK(copies_read_all(&copies, &err));
        CHECK(copies.mover.sources.all[bad].is_dropped);
        CHECK(!copies.mover.sources.all[1 - bad].is_dropped);
        CHECK(copies.mover.sources.all[1 - bad].read_bytes == N_BYTES);
        CHECK(identity_holds(&copies));
        copies_destroy(&copies);
    }
}

TEST(a_copy_with_other_bytes_is_left_where_checksums_tell)
{
    ReadSim sim = {.n_damage = 1,
        .damage = {{.file = 1,
            .offset_bytes = 20ull * PIECE + 7,
            .n_bytes = (uint64_t)N_PIECES / 2 * PIECE,
            .n_failures = UINT32_MAX,
            .is_silent = true}}};
    Copies copies;
    Error err = {0};

    sim.bytes_per_tick[0] = sim.bytes_per_tick[1] = 1;
    copies_init(&copies, 2, sim, true);
    for (uint32_t i = 1; i < SIM_DAMAGE_MAX; i++) { // so that one of them is met
        copies.sim.damage[i] = copies.sim.damage[0];
        copies.sim.damage[i].offset_bytes = (uint64_t)i * 3 * PIECE + 7;
    }
    copies.sim.n_damage = SIM_DAMAGE_MAX;
    CHECK(copies_read_all(&copies, &err));
    CHECK(copies.mover.sources.all[1].is_dropped);
    CHECK(copies.mover.counters.again_bytes > 0);
    CHECK(identity_holds(&copies));
    copies_destroy(&copies);
}

TEST(when_all_copies_fail_the_read_does)
{
    ReadSim sim = {.n_damage = 2,
        .damage = {
            {.file = 0, .offset_bytes = 5ull * PIECE, .n_bytes = 1, .n_failures = UINT32_MAX},
            {.file = 1, .offset_bytes = 5ull * PIECE, .n_bytes = 1, .n_failures = UINT32_MAX}}};
    Copies copies;
    Error err = {0};

    copies_init(&copies, 2, sim, false);
    CHECK(!copies_read_all(&copies, &err));
    CHECK_ERROR(err, ERROR_READ);
    copies_destroy(&copies);
}

TEST(copies_on_drives_that_misbehave_give_right_bytes_or_an_error)
{
    uint32_t n_whole = 0;

    for (uint64_t seed = 0; seed < 20; seed++) {
        Copies copies;
        Error err = {0};
        copies_init(&copies, 3, read_sim_swarm(seed), seed % 2 == 0);
        bool ok = copies_read_all(&copies, &err);
        CHECK(ok || error_exit_status(err.id) == 5);
        n_whole += ok;
        copies_destroy(&copies);
    }
    CHECK(n_whole > 15);
}

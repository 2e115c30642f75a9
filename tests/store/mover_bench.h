/* A mover over a file of random bytes on a simulated drive, for the tests of requests and of
 * checksums. */
#ifndef HYPURA_TESTS_STORE_MOVER_BENCH_H
#define HYPURA_TESTS_STORE_MOVER_BENCH_H

#include "store/mover.h"

#include "base/rng.h"
#include "base/size.h"
#include "harness.h"
#include "store/places.h"
#include "sys/read_sim.h"

#define ALIGNMENT  512u
#define N_SLOTS    8
#define SLOT_BYTES (16u << 10)

/* A file of random bytes, a simulated drive, and slots. */
typedef struct Bench {
    uint8_t *data;
    uint64_t n_bytes;
    File file;
    ReadSim sim;
    Places places;
    Slot slots[N_SLOTS];
    Extent extents[N_SLOTS][EXPERT_EXTENTS_MAX];
    Mover mover;
} Bench;

static inline void bench_init(Bench *bench, ReadSim sim, uint64_t n_bytes, uint64_t slot_bytes)
{
    Rng rng = rng_seeded(n_bytes);
    Error err = {0};

    *bench = (Bench){.n_bytes = n_bytes, .sim = sim};
    bench->sim.alignment = ALIGNMENT;
    bench->data = malloc(n_bytes);
    rng_fill(&rng, bench->data, n_bytes);
    CHECK(read_sim_file(&bench->file, bench->data, n_bytes, &err));
    CHECK(places_init(
        &bench->places, MEM_CACHE, N_SLOTS * slot_bytes, ALIGNMENT, PAGES_ON_DEMAND, &err));
    for (uint32_t i = 0; i < N_SLOTS; i++)
        bench->slots[i].data = places_take(&bench->places, slot_bytes);
    ReaderOptions options = {
        .backend = READ_SIM, .files = &bench->file, .n_files = 1, .sim = &bench->sim};
    CHECK(mover_init(&bench->mover, &options, ALIGNMENT, &err));
}

static inline void bench_destroy(Bench *bench)
{
    mover_destroy(&bench->mover);
    places_destroy(&bench->places);
    file_close(&bench->file);
    free(bench->data);
}

/* Starts reading one extent into slot `i`. */
static inline Slot *bench_read(
    Bench *bench, uint32_t i, uint64_t offset_bytes, uint32_t n_bytes, MovePurpose purpose)
{
    bench->extents[i][0] = (Extent){.offset_bytes = offset_bytes, .n_bytes = n_bytes};
    mover_read(&bench->mover, &bench->slots[i], bench->extents[i], 1, purpose);
    return &bench->slots[i];
}

static inline bool holds_the_file(const Bench *bench, const Slot *slot)
{
    for (uint32_t i = 0; i < slot->read.n_extents; i++) {
        const Extent *extent = &slot->read.extents[i];
        if (memcmp(slot_payload(slot, i, ALIGNMENT), bench->data + extent->offset_bytes,
                extent->n_bytes)
            != 0)
            return false;
    }
    return true;
}

static inline bool identity_holds(const Mover *mover)
{
    const MoverCounters *c = &mover->counters;

    return c->read_bytes
           == c->missed_bytes + c->load_bytes + c->padding_bytes + c->wasted_bytes
                  + c->unsettled_bytes + c->again_bytes;
}

#endif

/* A cache of experts on a simulated drive, for the tests by hand and the long random one. */
#ifndef HYPURA_TESTS_STORE_CACHE_BENCH_H
#define HYPURA_TESTS_STORE_CACHE_BENCH_H

#include "store/cache.h"

#include "store/synthetic.h"

/* Experts in a cache of a few slots. */
typedef struct Bench {
    Synthetic model;
    ReadSim sim;
    Residency plan;
    Places places;
    Mover mover;
    Cache cache;
} Bench;

/* n_slots of each class; both sizes of expert have one unless is_shared. */
static inline void bench_init(
    Bench *bench, Shape shape, uint32_t n_slots, bool is_shared, ReadSim sim)
{
    Budget all = {.unit = BUDGET_ALL};
    Error err = {0};

    *bench = (Bench){.sim = sim};
    synthetic_init(&bench->model, shape, 5);
    CHECK(residency_plan(&bench->plan, &bench->model.map, 4096, &all, 0, &err));
    CHECK(bench->plan.n_classes == 2);
    if (is_shared) {
        bench->plan.classes[0] = bench->plan.classes[1];
        bench->plan.n_classes = 1;
    }
    uint64_t n_bytes = 0;
    for (uint32_t i = 0; i < bench->plan.n_classes; i++) {
        bench->plan.classes[i].n_slots = n_slots;
        n_bytes += n_slots * bench->plan.classes[i].slot_bytes;
    }
    CHECK(places_init(&bench->places, MEM_CACHE, n_bytes, 4096, PAGES_ON_DEMAND, &err));
    ReaderOptions options = {
        .backend = READ_SIM, .files = &bench->model.file, .n_files = 1, .sim = &bench->sim};
    CHECK(mover_init(&bench->mover, &options, 4096, &err));
    CHECK(cache_init(&bench->cache, &bench->model.map, &bench->plan, &bench->places, &err));
}

static inline void bench_destroy(Bench *bench)
{
    mover_destroy(&bench->mover);
    cache_destroy(&bench->cache);
    places_destroy(&bench->places);
    residency_destroy(&bench->plan);
    synthetic_destroy(&bench->model);
}

static inline bool wave_matches(const Bench *bench, const ExpertWave *wave)
{
    for (uint32_t i = 0; i < wave->n_blocks; i++) {
        uint32_t block = bench->cache.wants[wave->which[i]].block;
        const ExpertBlock *expert = &bench->model.map.experts[block];
        for (uint32_t k = 0; k < expert->n_extents; k++)
            if (!synthetic_matches(&bench->model, &expert->extents[k], wave->data[i][k]))
                return false;
    }
    return true;
}

static inline void begin(Bench *bench, uint32_t layer, const uint32_t *experts, uint32_t n)
{
    ExpertCall call = {.layer = layer, .n = n, .experts = experts};

    cache_begin(&bench->cache, &bench->mover, &call);
}

#endif

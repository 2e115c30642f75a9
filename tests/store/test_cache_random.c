/* tests/store/test_cache_random.c - a long random run of a cache against a model that knows only
 * values and sets */
#include "store/cache_bench.h"

#include <float.h>
#include <math.h>

/* What the cache should know, kept in the simplest way: no slots, no states. */
typedef struct Model {
    bool is_wanted[64]; // by the call under way, and not given back
    bool is_given[64];
    bool is_placed[64]; // had a slot when the last operation ended
    uint32_t n_pinned;
    uint32_t layer;
} Model;

static uint32_t class_index(const Bench *bench, uint32_t block)
{
    return bench->cache.n_classes == 1 ? 0 : block / bench->model.map.n_expert % 2;
}

static bool is_ready(const Cache *cache, uint32_t block)
{
    return cache->slot_of[block] != CACHE_NO_SLOT
           && cache->slots[cache->slot_of[block]].state == SLOT_READY;
}

/* The invariants at the head of cache.c. */
static bool invariants_hold(const Bench *bench, const Model *model)
{
    const Cache *cache = &bench->cache;
    uint32_t n_blocks = blocks_n_experts(&bench->model.map), n_pinned = 0, n_placed = 0;

    for (uint32_t i = 0; i < cache->n_slots; i++) {
        const Slot *slot = &cache->slots[i];
        bool is_empty = slot->block == SLOT_NO_BLOCK;
        if (!is_empty && cache->slot_of[slot->block] != i) return false;
        if (is_empty && slot->state != SLOT_FREE && slot->state != SLOT_DOOMED) return false;
        if (!is_empty && slot->state == SLOT_DOOMED) return false;
        if (!is_empty && slot->state == SLOT_FREE && slot->read.failure == 0) return false;
        if (slot->n_pins > 0 && slot->state != SLOT_READY) return false;
        if (slot->n_pins > 1) return false;
        if (cache->is_wanted[i] && (is_empty || !model->is_wanted[slot->block])) return false;
        n_pinned += slot->n_pins;
    }
    for (uint32_t block = 0; block < n_blocks; block++) {
        uint32_t slot = cache->slot_of[block];
        n_placed += slot != CACHE_NO_SLOT;
        if (slot == CACHE_NO_SLOT && model->is_given[block]) return false;
        if (slot == CACHE_NO_SLOT) continue;
        if (cache->slots[slot].block != block) return false;
        if (cache->is_wanted[slot] != model->is_wanted[block]) return false;
    }
    return n_pinned == model->n_pinned && n_placed <= cache->n_slots;
}

/* Of what left the cache in the last operation, nothing was worth more than what stayed and
 * could have left instead. */
static bool evictions_were_right(const Bench *bench, Model *model, const bool *could_leave)
{
    uint32_t n_blocks = blocks_n_experts(&bench->model.map);
    double most_left[2] = {0, 0}, least_stayed[2] = {DBL_MAX, DBL_MAX};
    bool are_right = true;

    for (uint32_t block = 0; block < n_blocks; block++) {
        bool is_placed = bench->cache.slot_of[block] != CACHE_NO_SLOT;
        uint32_t size_class = class_index(bench, block);
        double value = (double)evict_value(&bench->cache.evict, block, model->layer);
        bool left = model->is_placed[block] && !is_placed;
        if (could_leave[block] && left) most_left[size_class] = fmax(most_left[size_class], value);
        if (could_leave[block] && is_placed && !model->is_wanted[block])
            least_stayed[size_class] = fmin(least_stayed[size_class], value);
        // What could not leave has not, but for reads that failed or were cancelled.
        model->is_placed[block] = is_placed;
    }
    for (uint32_t i = 0; i < 2; i++)
        if (most_left[i] > least_stayed[i] * (1 + 1e-4)) are_right = false;
    return are_right;
}

typedef struct Run {
    Bench *bench;
    Model model;
    Rng rng;
    ExpertWave wave; // held when n_blocks > 0
    bool is_calling;
    uint64_t n_failures, n_aborts, n_waves;
} Run;

static void begin_call(Run *run)
{
    Bench *bench = run->bench;
    uint32_t n_expert = bench->model.map.n_expert;
    uint32_t experts[64], n = 1 + (uint32_t)rng_below(&run->rng, n_expert);

    if (rng_below(&run->rng, 3) > 0) n = 1 + n % 3; // decode more often than prompts
    if (rng_below(&run->rng, 4) == 0) {
        cache_begin_pass(&bench->cache);
    }
    run->model.layer = (uint32_t)rng_below(&run->rng, bench->model.map.n_expert_layers);
    synthetic_choose(&bench->model, &run->rng, experts, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t other = i + (uint32_t)rng_below(&run->rng, n - i), expert = experts[other];
        experts[other] = experts[i];
        experts[i] = expert;
        uint32_t block = run->model.layer * n_expert + expert;
        run->model.is_wanted[block] = true;
    }
    begin(bench, run->model.layer, experts, n);
    run->is_calling = true;
}

static void end_call(Run *run)
{
    memset(run->model.is_wanted, 0, sizeof(run->model.is_wanted));
    memset(run->model.is_given, 0, sizeof(run->model.is_given));
    run->model.n_pinned = 0;
    run->wave.n_blocks = 0;
    run->is_calling = false;
}

static bool next_wave(Run *run)
{
    Bench *bench = run->bench;
    Error err = {0};

    if (!cache_next(&bench->cache, &bench->mover, &run->wave, &err)) {
        CHECK(err.id == ERROR_READ || err.id == ERROR_FILE_CHANGED); // EIO, or nothing, too often
        run->n_failures++;
        cache_abort(&bench->cache, &bench->mover);
        end_call(run);
        return true;
    }
    run->n_waves++;
    run->model.n_pinned = run->wave.n_blocks;
    for (uint32_t i = 0; i < run->wave.n_blocks; i++) {
        uint32_t block = bench->cache.wants[run->wave.which[i]].block;
        if (!run->model.is_wanted[block] || run->model.is_given[block]) return false;
        run->model.is_given[block] = true;
    }
    if (run->wave.n_blocks == 0) {
        for (uint32_t i = 0; i < 64; i++)
            if (run->model.is_wanted[i]) return false; // somebody got nothing
        end_call(run);
    }
    return wave_matches(bench, &run->wave);
}

static bool give_back(Run *run)
{
    bool ok = wave_matches(run->bench, &run->wave); // to the last moment

    for (uint32_t i = 0; i < run->wave.n_blocks; i++) {
        uint32_t block = run->bench->cache.wants[run->wave.which[i]].block;
        run->model.is_wanted[block] = run->model.is_given[block] = false;
    }
    cache_done(&run->bench->cache, &run->wave);
    run->model.n_pinned = 0;
    run->wave.n_blocks = 0;
    return ok;
}

static bool operate(Run *run)
{
    Bench *bench = run->bench;
    Error err = {0};

    switch (rng_below(&run->rng, 40)) {
    case 0:
        run->n_aborts += run->is_calling;
        cache_abort(&bench->cache, &bench->mover);
        end_call(run);
        return true;
    case 1:
    case 2: return mover_poll(&bench->mover, &err);
    case 3:
    case 4: return mover_submit(&bench->mover, &err);
    default: break;
    }
    if (!run->is_calling) {
        begin_call(run);
        return true;
    }
    return run->wave.n_blocks > 0 ? give_back(run) : next_wave(run);
}

/* Which blocks the next operation may evict: READY ones that nobody needs. */
static void note_candidates(const Run *run, bool *could_leave)
{
    for (uint32_t i = 0; i < blocks_n_experts(&run->bench->model.map); i++)
        could_leave[i] = is_ready(&run->bench->cache, i) && !run->model.is_wanted[i];
}

TEST(a_million_operations_keep_the_invariants)
{
    const uint32_t n_operations = 1000000, n_drives = 25;
    Shape shape = shape_small;
    uint64_t n_failures = 0, n_aborts = 0, n_strays = 0, n_hits = 0;
    shape.projection_bytes = 4000;

    for (uint32_t drive = 0; drive < n_drives; drive++) {
        static Bench bench; // too large for a frame
        Rng rng = rng_seeded(harness_seed() + drive);
        ReadSim sim = read_sim_swarm(rng_next(&rng));
        uint32_t n_slots = 1 + drive % 9;
        bench_init(&bench, shape, n_slots, drive % 2 == 0, sim);
        bench.sim.damage[0] =
            (SimDamage){.offset_bytes = bench.model.map.experts[3].extents[0].offset_bytes,
                .n_bytes = 1,
                .n_failures = drive % 3 == 0 ? 1000 : 0};
        bench.sim.n_damage = 1;
        Run run = {.bench = &bench, .rng = rng};
        uint32_t n = 0;
        bool ok = true;

        for (; n < n_operations / n_drives && ok; n++) {
            bool could_leave[64];
            note_candidates(&run, could_leave);
            ok = operate(&run) && invariants_hold(&bench, &run.model)
                 && evictions_were_right(&bench, &run.model, could_leave);
        }
        char label[64];
        snprintf(label, sizeof(label), "drive %u, operation %u", drive, n);
        CHECK_CASE(label, ok);
        n_failures += run.n_failures;
        n_aborts += run.n_aborts;
        n_strays += bench.mover.counters.n_strays;
        n_hits += bench.cache.n_hits;
        bench_destroy(&bench);
    }
    CHECK(n_failures > 0); // all of it did happen
    CHECK(n_aborts > 0);
    CHECK(n_strays > 0);
    CHECK(n_hits > 0);
}

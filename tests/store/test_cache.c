/* tests/store/test_cache.c - experts in slots: hits, misses, waves, and a long random run
 * against a model that knows only values and sets */
#include "store/cache.h"

#include <float.h>
#include <math.h>

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
static void bench_init(Bench *bench, Shape shape, uint32_t n_slots, bool is_shared, ReadSim sim)
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

static void bench_destroy(Bench *bench)
{
    mover_destroy(&bench->mover);
    cache_destroy(&bench->cache);
    places_destroy(&bench->places);
    residency_destroy(&bench->plan);
    synthetic_destroy(&bench->model);
}

static bool wave_matches(const Bench *bench, const ExpertWave *wave)
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

/* Takes a call to its end; returns the number of waves. */
static uint32_t take_all(Bench *bench)
{
    uint32_t n_waves = 0;
    ExpertWave wave;
    Error err = {0};

    for (;; n_waves++) {
        CHECK(cache_next(&bench->cache, &bench->mover, &wave, &err));
        if (wave.n_blocks == 0) return n_waves;
        CHECK(wave_matches(bench, &wave));
        cache_done(&bench->cache, &wave);
    }
}

static void begin(Bench *bench, uint32_t layer, const uint32_t *experts, uint32_t n)
{
    ExpertCall call = {.layer = layer, .n = n, .experts = experts};

    cache_begin(&bench->cache, &bench->mover, &call);
}

static void use_experts(Bench *bench, uint32_t layer, const uint32_t *experts, uint32_t n)
{
    begin(bench, layer, experts, n);
    take_all(bench);
}

TEST(misses_are_read_once_and_hit_afterwards)
{
    Bench bench;
    bench_init(&bench, shape_small, 4, false, (ReadSim){0});

    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){1, 5, 7}, 3);
    CHECK(bench.cache.n_hits == 0 && bench.cache.n_misses == 3);
    uint64_t n_requests = bench.sim.counts.n_requests;
    CHECK(n_requests == 9);
    use_experts(&bench, 0, (uint32_t[]){7, 1, 5}, 3);
    CHECK(bench.cache.n_hits == 3);
    CHECK(bench.sim.counts.n_requests == n_requests);
    bench_destroy(&bench);
}

TEST(all_misses_of_a_layer_go_out_in_one_batch_in_the_order_of_the_file)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, shape_small, 4, false, (ReadSim){.latency_ticks_max = 1});

    cache_begin_pass(&bench.cache);
    begin(&bench, 0, (uint32_t[]){6, 2, 4}, 3);
    CHECK(mover_submit(&bench.mover, &err));
    CHECK(bench.sim.counts.n_requests == 9);
    CHECK(bench.cache.order[0] == 1 && bench.cache.order[1] == 2 && bench.cache.order[2] == 0);
    take_all(&bench);
    bench_destroy(&bench);
}

TEST(hits_are_handed_out_while_misses_fly)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, shape_small, 4, false, (ReadSim){.latency_ticks_max = 1});
    ExpertWave wave;

    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){3}, 1);
    bench.sim.per_mille[SIM_LATE] = 1000;
    begin(&bench, 0, (uint32_t[]){0, 3}, 2);
    CHECK(cache_next(&bench.cache, &bench.mover, &wave, &err));
    CHECK(wave.n_blocks == 1 && wave.which[0] == 1);
    CHECK(bench.sim.counts.n_requests == 6); // the miss is on its way
    cache_done(&bench.cache, &wave);
    CHECK(take_all(&bench) == 1);
    bench_destroy(&bench);
}

TEST(one_slot_serves_any_number_of_experts_in_waves)
{
    Bench bench;
    bench_init(&bench, shape_small, 1, true, (ReadSim){.latency_ticks_max = 3});

    for (uint32_t pass = 0; pass < 3; pass++) {
        cache_begin_pass(&bench.cache);
        for (uint32_t layer = 0; layer < 4; layer++) {
            const uint32_t experts[] = {0, 1, 2, 3, 4, 5, 6, 7};
            begin(&bench, layer, experts, 8);
            CHECK(take_all(&bench) == 8);
        }
    }
    bench_destroy(&bench);
}

TEST(what_this_call_needs_is_not_evicted_for_it)
{
    Bench bench;
    bench_init(&bench, shape_small, 2, false, (ReadSim){0});

    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){0, 1}, 2);
    for (uint32_t i = 0; i < 9; i++)
        use_experts(&bench, 0, (uint32_t[]){1}, 1); // 0 is the cheapest
    uint64_t n_hits = bench.cache.n_hits;
    use_experts(&bench, 0, (uint32_t[]){0, 2}, 2);
    CHECK(bench.cache.n_hits == n_hits + 1);
    CHECK(bench.cache.slot_of[0] != CACHE_NO_SLOT);
    CHECK(bench.cache.slot_of[1] == CACHE_NO_SLOT);
    bench_destroy(&bench);
}

TEST(of_equal_blocks_the_one_in_the_lower_slot_goes)
{
    Bench bench;
    bench_init(&bench, shape_small, 3, false, (ReadSim){0});

    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){4, 5, 6}, 3);
    CHECK(bench.cache.slot_of[4] == 0);
    use_experts(&bench, 0, (uint32_t[]){7}, 1);
    CHECK(bench.cache.slot_of[7] == 0);
    CHECK(bench.cache.slot_of[4] == CACHE_NO_SLOT);
    bench_destroy(&bench);
}

TEST(a_failed_expert_is_an_error_and_the_next_pass_works)
{
    Bench bench;
    Error err = {0};
    ExpertWave wave;
    bench_init(&bench, shape_small, 4, false, (ReadSim){0});
    const Extent *extent = &bench.model.map.experts[2].extents[1];
    bench.sim.damage[0] =
        (SimDamage){.offset_bytes = extent->offset_bytes, .n_bytes = 9, .n_failures = 4};
    bench.sim.n_damage = 1;

    cache_begin_pass(&bench.cache);
    begin(&bench, 0, (uint32_t[]){2, 6}, 2);
    bool ok = true;
    while (ok) {
        ok = cache_next(&bench.cache, &bench.mover, &wave, &err);
        if (!CHECK(!ok || wave.n_blocks > 0)) break;
        if (ok) cache_done(&bench.cache, &wave);
    }
    CHECK_ERROR(err, ERROR_READ);
    cache_abort(&bench.cache, &bench.mover);
    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){2, 6}, 2);
    bench_destroy(&bench);
}

TEST(an_aborted_call_frees_slots_when_their_reads_complete)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, shape_small, 1, true, (ReadSim){.latency_ticks_max = 1});

    cache_begin_pass(&bench.cache);
    begin(&bench, 0, (uint32_t[]){2, 6}, 2);
    CHECK(mover_submit(&bench.mover, &err));
    cache_abort(&bench.cache, &bench.mover);
    CHECK(bench.cache.slots[0].state == SLOT_DOOMED);
    CHECK(bench.cache.slot_of[2] == CACHE_NO_SLOT);
    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){2}, 1); // waits for the old read, then reads again
    CHECK(bench.cache.n_misses == 3);
    CHECK(bench.mover.counters.wasted_bytes == 3ull * shape_small.projection_bytes);
    bench_destroy(&bench);
}

TEST(a_cache_for_all_is_loaded_and_never_misses_again)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, shape_small, 16, false, (ReadSim){0});

    cache_load_all(&bench.cache, &bench.mover);
    for (uint32_t i = 0; i < bench.cache.n_slots; i++)
        CHECK(mover_await(&bench.mover, &bench.cache.slots[i], &err));
    uint64_t read_bytes = bench.mover.counters.read_bytes;
    for (uint32_t layer = 0; layer < 4; layer++)
        use_experts(&bench, layer, (uint32_t[]){0, 1, 2, 3, 4, 5, 6, 7}, 8);
    CHECK(bench.cache.n_misses == 0);
    CHECK(bench.mover.counters.read_bytes == read_bytes);
    CHECK(bench.mover.counters.missed_bytes == 0);
    bench_destroy(&bench);
}

TEST(a_demand_meets_a_load_on_its_way_and_hurries_it)
{
    Shape shape = shape_small;
    Bench bench;
    shape.n_expert = 64;
    bench_init(&bench, shape, 128, false, (ReadSim){0});

    cache_load_all(&bench.cache, &bench.mover);
    use_experts(&bench, 3, (uint32_t[]){63}, 1);                 // the last in the queue
    CHECK(bench.cache.slots[100].state == SLOT_LOADING);         // overtaken
    CHECK(bench.cache.n_misses == 0 && bench.cache.n_hits == 1); // resident, only not yet
    CHECK(bench.mover.counters.missed_bytes == 0); // it counts as what it is: first filling
    CHECK(bench.mover.counters.n_retries == 0);
    bench_destroy(&bench);
}

/* ---- warm starts ---- */

/* As after runs in which expert e of each layer was used by e of 8 tokens. */
static void heat_by_number(Cache *cache)
{
    for (uint32_t token = 0; token < 8; token++) {
        heat_begin_rows(&cache->heat, 1);
        for (uint32_t block = 0; block < blocks_n_experts(cache->map); block++)
            if (block % cache->map->n_expert > token) heat_use(&cache->heat, block, 1);
    }
    cache_warm(cache);
}

static void finish_loads(Bench *bench)
{
    Error err = {0};

    cache_fill(&bench->cache, &bench->mover);
    while (bench->mover.queues[MOVE_GUESS].first || bench->mover.queues[MOVE_LOAD].first
           || bench->mover.n_in_flight > 0)
        if (!CHECK(mover_wait(&bench->mover, &err))) return;
}

TEST(a_warm_cache_is_filled_with_what_is_used_most)
{
    Bench bench;
    bench_init(&bench, shape_small, 5, false, (ReadSim){0});

    heat_by_number(&bench.cache);
    finish_loads(&bench);
    for (uint32_t layer = 0; layer < 4; layer++)
        for (uint32_t expert = 0; expert < 8; expert++) {
            // Two layers share five slots: both have experts 7 and 6, the first one 5.
            bool is_hot = expert >= 6 || (expert == 5 && layer < 2);
            CHECK((bench.cache.slot_of[layer * 8 + expert] != CACHE_NO_SLOT) == is_hot);
        }
    CHECK(bench.mover.counters.load_bytes > 0);
    CHECK(bench.mover.counters.missed_bytes == 0 && bench.mover.counters.wasted_bytes == 0);
    use_experts(&bench, 0, (uint32_t[]){5, 6, 7}, 3);
    CHECK(bench.cache.n_hits == 3 && bench.cache.n_misses == 0);
    bench_destroy(&bench);
}

TEST(a_warm_cache_evicts_what_is_used_least)
{
    Bench bench;
    bench_init(&bench, shape_small, 5, false, (ReadSim){0});

    heat_by_number(&bench.cache);
    finish_loads(&bench);
    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){1}, 1);
    CHECK(bench.cache.slot_of[7] != CACHE_NO_SLOT && bench.cache.slot_of[6] != CACHE_NO_SLOT);
    CHECK(bench.cache.slot_of[5] == CACHE_NO_SLOT); // of layer 0 the least, and farthest
    bench_destroy(&bench);
}

TEST(a_demand_passes_the_filling_and_takes_its_slots)
{
    Bench bench;
    Error err = {0};
    bench_init(&bench, shape_small, 5, false, (ReadSim){.latency_ticks_max = 3});

    heat_by_number(&bench.cache);
    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){0, 1, 2}, 3); // before anything is filled
    CHECK(bench.cache.n_misses == 3);
    cache_fill(&bench.cache, &bench.mover);
    CHECK(mover_submit(&bench.mover, &err));
    use_experts(&bench, 0, (uint32_t[]){3, 4, 6, 7}, 4); // while it is filled
    finish_loads(&bench);
    CHECK(bench.cache.n_hits == 1); // 7 was on its way; for 6 there was no slot
    CHECK(bench.mover.counters.wasted_bytes == 0);
    uint64_t n_requests = bench.sim.counts.n_requests;
    finish_loads(&bench); // no more slots: nothing more is read
    CHECK(bench.sim.counts.n_requests == n_requests);
    bench_destroy(&bench);
}

TEST(filling_is_a_load_before_tokens_and_a_guess_beside_them)
{
    Bench bench;
    bench_init(&bench, shape_small, 5, false, (ReadSim){0});
    const SlotQueue *queues = bench.mover.queues;

    heat_by_number(&bench.cache);
    cache_fill(&bench.cache, &bench.mover);
    CHECK(queues[MOVE_LOAD].first && !queues[MOVE_GUESS].first);
    finish_loads(&bench);
    bench_destroy(&bench);

    bench_init(&bench, shape_small, 5, false, (ReadSim){0});
    heat_by_number(&bench.cache);
    cache_begin_pass(&bench.cache);
    use_experts(&bench, 0, (uint32_t[]){1}, 1); // a token: fewer choices than a prompt has
    cache_fill(&bench.cache, &bench.mover);
    CHECK(queues[MOVE_GUESS].first && !queues[MOVE_LOAD].first);
    finish_loads(&bench);
    bench_destroy(&bench);
}

/* ---- scans ---- */

/* A prompt touches every expert of every layer. What tokens used before it is there after it,
 * though the prompt could have filled the cache with what it will not need again. */
TEST(a_scan_leaves_what_is_used_all_the_time)
{
    Shape shape = shape_small;
    Bench bench;
    const uint32_t hot[] = {1, 14, 27, 40, 53, 55, 57, 63};
    uint32_t all[64];
    shape.n_expert = 64;
    bench_init(&bench, shape, 44, false, (ReadSim){.latency_ticks_max = 3});

    for (uint32_t i = 0; i < 64; i++) all[i] = i;
    for (uint32_t pass = 0; pass < 20; pass++) {
        cache_begin_pass(&bench.cache);
        for (uint32_t layer = 0; layer < 4; layer++) use_experts(&bench, layer, hot, 8);
    }
    cache_begin_pass(&bench.cache);
    for (uint32_t layer = 0; layer < 4; layer++) use_experts(&bench, layer, all, 64);
    CHECK(bench.cache.n_misses == 4 * 64); // each expert once
    cache_begin_pass(&bench.cache);
    for (uint32_t layer = 0; layer < 4; layer++) use_experts(&bench, layer, hot, 8);
    CHECK(bench.cache.n_misses == 4 * 64);
    bench_destroy(&bench);
}

/* ---- a long random run ---- */

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
        Bench bench;
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

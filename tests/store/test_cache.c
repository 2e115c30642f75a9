/* tests/store/test_cache.c - experts in slots: hits, misses, waves */
#include "store/cache_bench.h"

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

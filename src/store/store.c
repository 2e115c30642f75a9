/* The store: memory laid out by the plan (residency.h), filled by one mover, and handed out
 * by three parts that share nothing but that mover: dense blocks, experts, rows.
 *
 * Every call moves blocks before it returns; there is no thread here and no lock
 * (docs/adr/0004). After creation nothing allocates. */
#include "store/store.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/cache.h"
#include "store/dense.h"
#include "store/rows.h"
#include "store/shrink.h"
#include "sys/read_sim.h"

struct Store {
    const BlockMap *map; // borrowed
    Residency plan;
    Places trunk_places, cache_places, ring_places;
    Slot *trunk; // [n_trunk]
    Mover mover;
    Dense dense;
    Cache cache;
    Rows rows;
    Shrink shrink;
    Recorder recorder;
    uint64_t expert_bytes, row_bytes; // payload that passes used, beside dense's
    uint64_t n_passes;
    bool is_in_pass;
    uint64_t pass_begun_ns, experts_begun_ns, experts_begun_stall_ns;
    uint64_t pass_ns, experts_ns, experts_stall_ns; // of passes that came to their end
};

/* ---- life ---- */

static bool map_memory(Store *store, Error *err)
{
    const Residency *plan = &store->plan;

    // The cache is touched by its first reads; the rest is needed at once.
    if (!places_init(
            &store->trunk_places, MEM_TRUNK, plan->trunk_bytes, plan->alignment, PAGES_NOW, err))
        return false;
    if (!pages_lock(&store->trunk_places.pages)) log_info("the trunk is not locked in memory");
    return places_init(&store->ring_places, MEM_RING, plan->n_ring_slots * plan->ring_slot_bytes,
               plan->alignment, PAGES_NOW, err)
           && places_init(&store->cache_places, MEM_CACHE, residency_cache_bytes(plan),
               plan->alignment, PAGES_ON_DEMAND, err);
}

static bool lay_out(Store *store, Error *err)
{
    const BlockMap *map = store->map;
    const Residency *plan = &store->plan;

    store->trunk = mem_alloc_array(MEM_OTHER, map->n_trunk, sizeof(Slot), err);
    if (!store->trunk) return false;
    for (uint32_t i = 0; i < map->n_trunk; i++) {
        uint64_t n_bytes = extent_place_bytes(&map->trunk[i], plan->alignment);
        store->trunk[i] = (Slot){.data = places_take(&store->trunk_places, n_bytes), .block = i};
    }
    return dense_init(&store->dense, map, plan, &store->cache_places, &store->ring_places, err)
           && rows_init(&store->rows, map, plan, &store->cache_places, err)
           && cache_init(&store->cache, map, plan, &store->cache_places, err);
}

static uint32_t n_all_files(const StoreOptions *options)
{
    return options->n_files * (options->n_copies > 0 ? options->n_copies : 1);
}

static bool start_mover(Store *store, const StoreOptions *options, Error *err)
{
    Pages buffers[3];
    uint32_t n_buffers = 0;
    // Not the cache: what a ring has registered is pinned, and could not be given back.
    const Places *places[] = {&store->trunk_places, &store->ring_places, &store->rows.places};

    for (uint32_t i = 0; i < COUNT(places); i++)
        if (places[i]->pages.n_bytes > 0) buffers[n_buffers++] = places[i]->pages;
    ReaderOptions reader = {.backend = options->backend,
        .direct = options->direct,
        .alignment_min = options->sidecar ? SIDECAR_PAGE_BYTES : 0,
        .files = options->files,
        .n_files = n_all_files(options),
        .buffers = buffers,
        .n_buffers = n_buffers,
        .sim = options->sim};
    if (!mover_init(&store->mover, &reader, store->plan.alignment, err)) return false;
    mover_use_copies(&store->mover, n_all_files(options) / options->n_files);
    if (options->sidecar) mover_check_sums(&store->mover, options->sidecar);
    return true;
}

static bool read_trunk(Store *store, Error *err)
{
    for (uint32_t i = 0; i < store->map->n_trunk; i++)
        mover_read(&store->mover, &store->trunk[i], &store->map->trunk[i], 1, MOVE_LOAD);
    for (uint32_t i = 0; i < store->map->n_trunk; i++)
        if (!mover_await(&store->mover, &store->trunk[i], err)) return false;
    return true;
}

/* First filling: goes on while the first passes run. */
static bool start_filling(Store *store, Error *err)
{
    dense_load(&store->dense, &store->mover);
    if (store->cache.n_slots == blocks_n_experts(store->map))
        cache_load_all(&store->cache, &store->mover);
    rows_load(&store->rows, &store->mover);
    return mover_submit(&store->mover, err);
}

/* Layers whose experts differ in bytes are told apart; experts of one layer do not differ. */
static bool start_trace(Store *store, const char *path, Error *err)
{
    const BlockMap *map = store->map;
    if (!path) return true;

    uint64_t *expert_bytes =
        mem_alloc_array(MEM_OTHER, map->n_expert_layers, sizeof(uint64_t), err);
    if (!expert_bytes) return false;
    for (uint32_t i = 0; i < map->n_expert_layers; i++)
        expert_bytes[i] = expert_payload_bytes(&map->experts[blocks_expert_index(map, i, 0)]);
    bool ok = recorder_open(
        &store->recorder, path, expert_bytes, map->n_expert_layers, map->n_expert, err);
    mem_free(MEM_OTHER, expert_bytes);
    if (ok) store->mover.recorder = &store->recorder;
    return ok;
}

/* What every offset, length and address will be a multiple of. */
static uint32_t find_alignment(const StoreOptions *options)
{
    uint32_t alignment =
        reader_probe_alignment(options->files, n_all_files(options), options->direct);

    if (options->backend == READ_SIM && options->sim->alignment > 0)
        alignment = options->sim->alignment;
    return sidecar_alignment(options->sidecar, alignment);
}

Store *store_create(const BlockMap *map, const StoreOptions *options, Error *err)
{
    if (!blocks_check(map, options->files, options->n_files, err)) return NULL;
    Store *store = mem_alloc(MEM_OTHER, sizeof(Store), err);
    if (!store) return NULL;
    store->map = map;
    if (!residency_plan(&store->plan, map, find_alignment(options), &options->weights,
            options->memory_room, err))
        goto fail;
    if (!map_memory(store, err) || !lay_out(store, err)) goto fail;
    if (!start_mover(store, options, err)) goto fail;
    if (!start_trace(store, options->trace_path, err)) goto fail;
    shrink_init(&store->shrink, &store->cache_places, &store->dense, &store->rows, &store->cache,
        &store->mover);
    if (!read_trunk(store, err) || !start_filling(store, err)) goto fail;
    MoverCounters *moved = &store->mover.counters;
    moved->stall_ns = moved->busy_ns = moved->busy_bytes = 0; // nobody had anything else to do
    return store;

fail:
    store_free(store);
    return NULL;
}

void store_free(Store *store)
{
    if (!store) return;
    mover_destroy(&store->mover); // first: until it returns, memory belongs to reads
    recorder_close(&store->recorder);
    cache_destroy(&store->cache);
    rows_destroy(&store->rows);
    dense_destroy(&store->dense);
    mem_free(MEM_OTHER, store->trunk);
    places_destroy(&store->trunk_places);
    places_destroy(&store->ring_places);
    places_destroy(&store->cache_places);
    residency_destroy(&store->plan);
    mem_free(MEM_OTHER, store);
}

/* ---- reports ---- */

StoreBudget store_budget(const Store *store)
{
    return (StoreBudget){.weights = store->plan.allowed_bytes,
        .trunk = store->trunk_places.pages.n_bytes,
        .cache = store->cache_places.pages.n_bytes,
        .ring = store->ring_places.pages.n_bytes,
        .minimum = store->plan.minimum_bytes};
}

StoreCounters store_counters(const Store *store)
{
    const Mover *mover = &store->mover;
    const MoverCounters *moved = &mover->counters;
    // Nobody has used what is in the ring or on its way: as things stand it is wasted.
    uint64_t idle_bytes = moved->unsettled_bytes + mover->bytes_in_flight;

    return (StoreCounters){.read_bytes = moved->read_bytes + mover->bytes_in_flight,
        .read_missed_bytes = moved->missed_bytes,
        .read_demand_bytes = moved->demand_bytes,
        .read_load_bytes = moved->load_bytes,
        .read_padding_bytes = moved->padding_bytes,
        .read_wasted_bytes = moved->wasted_bytes + idle_bytes,
        .read_again_bytes = moved->again_bytes,
        .checked_bytes = moved->checked_bytes,
        .demanded_bytes = store->expert_bytes + store->row_bytes + store->dense.demanded_bytes,
        .demanded_expert_bytes = store->expert_bytes,
        .expert_hits = store->cache.n_hits,
        .expert_misses = store->cache.n_misses,
        .stall_ns = moved->stall_ns,
        .pass_ns = store->pass_ns,
        .experts_ns = store->experts_ns,
        .experts_stall_ns = store->experts_stall_ns,
        .busy_ns = moved->busy_ns,
        .busy_bytes = moved->busy_bytes,
        .n_requests = moved->n_requests,
        .depth_sum = moved->depth_sum,
        .n_passes = store->n_passes};
}

const Sources *store_sources(const Store *store)
{
    return &store->mover.sources;
}

const char *store_backend_name(const Store *store)
{
    return reader_backend_name(store->mover.reader);
}

bool store_is_direct(const Store *store)
{
    return reader_is_direct(store->mover.reader);
}

uint64_t store_cache_bytes(const Store *store)
{
    return store->cache_places.pages.n_bytes - store->cache_places.pages.n_bytes_back;
}

uint64_t store_set_cache_limit(Store *store, uint64_t n_bytes)
{
    // A broken mover says so at the next call that needs it; a refused growth is tried again.
    if (!shrink_to(&store->shrink, n_bytes, NULL)) return store_cache_bytes(store);
    return store_cache_bytes(store);
}

const uint8_t *store_trunk(const Store *store, uint32_t index)
{
    assert(index < store->map->n_trunk);
    return slot_payload(&store->trunk[index], 0, store->plan.alignment);
}

/* ---- trace ---- */

static void record_span(Store *store, RecordKind kind, uint32_t lane, uint64_t begin_ns)
{
    if (!store->recorder.is_open) return;
    recorder_add(&store->recorder, (Record){.kind = (uint8_t)kind,
                                       .lane = (uint16_t)lane,
                                       .begin_ns = begin_ns,
                                       .duration_ns = clock_now_ns() - begin_ns});
}

static uint32_t outcome_of_want(const Store *store, const CacheWant *want)
{
    if (want->slot == CACHE_NO_SLOT) return RECORD_MISS;
    const Slot *slot = &store->cache.slots[want->slot];
    if (slot->state == SLOT_READY) return RECORD_HIT;
    return slot->read.purpose == MOVE_DEMAND ? RECORD_MISS : RECORD_LOAD;
}

static void record_uses(Store *store, const ExpertCall *call)
{
    uint32_t n_choices = 0;

    for (uint32_t i = 0; i < call->n; i++) n_choices += call->n_rows ? call->n_rows[i] : 1;
    uint32_t prompt = n_choices > store->map->n_expert_used ? RECORD_PROMPT : 0;
    for (uint32_t i = 0; i < call->n; i++) {
        const CacheWant *want = &store->cache.wants[i];
        recorder_add(&store->recorder,
            (Record){.kind = RECORD_USE,
                .detail = (uint8_t)(outcome_of_want(store, want) | prompt),
                .lane = (uint16_t)call->layer,
                .number = call->experts[i],
                .begin_ns = store->experts_begun_ns,
                .n_bytes = expert_payload_bytes(&store->map->experts[want->block])});
    }
}

/* ---- passes ---- */

void store_expect_headless(Store *store, uint32_t n_passes)
{
    dense_expect_headless(&store->dense, n_passes);
}

bool store_pass_begin(Store *store, bool with_head, Error *err)
{
    assert(!store->is_in_pass);
    dense_begin_pass(&store->dense, with_head);
    cache_begin_pass(&store->cache);
    store->is_in_pass = true;
    store->pass_begun_ns = clock_now_ns();
    return store_advance(store, err);
}

bool store_pass_end(Store *store, Error *err)
{
    assert(store->is_in_pass);
    if (!mover_check_files(&store->mover, err)) return false;
    store->is_in_pass = false;
    record_span(store, RECORD_PASS, 0, store->pass_begun_ns);
    store->pass_ns += clock_now_ns() - store->pass_begun_ns;
    store->n_passes++;
    return true;
}

void store_explain(Store *store, Error *err)
{
    Error cause = {0};

    if (!err || err->id != ERROR_NUMERIC) return;
    if (!mover_check_files(&store->mover, &cause)) *err = cause;
}

void store_pass_abort(Store *store)
{
    dense_abort_pass(&store->dense);
    cache_abort(&store->cache, &store->mover);
    store->is_in_pass = false;
}

bool store_advance(Store *store, Error *err)
{
    cache_fill(&store->cache, &store->mover);
    return dense_advance(&store->dense, &store->mover, err);
}

bool store_dense_next(Store *store, uint32_t first, uint32_t n_wanted, DenseWave *wave, Error *err)
{
    assert(store->is_in_pass);
    return dense_next(&store->dense, &store->mover, first, n_wanted, wave, err);
}

void store_dense_done(Store *store, const DenseWave *wave)
{
    dense_done(&store->dense, &store->mover, wave);
}

bool store_experts_begin(Store *store, const ExpertCall *call, Error *err)
{
    assert(store->is_in_pass);
    if (!store_advance(store, err)) return false;
    store->experts_begun_ns = clock_now_ns();
    store->experts_begun_stall_ns = store->mover.counters.stall_ns;
    cache_begin(&store->cache, &store->mover, call);
    if (store->recorder.is_open) record_uses(store, call);
    return mover_submit(&store->mover, err);
}

bool store_experts_next(Store *store, ExpertWave *wave, Error *err)
{
    if (!cache_next(&store->cache, &store->mover, wave, err)) return false;
    for (uint32_t i = 0; i < wave->n_blocks; i++)
        store->expert_bytes +=
            expert_payload_bytes(&store->map->experts[store->cache.wants[wave->which[i]].block]);
    if (wave->n_blocks == 0) {
        record_span(store, RECORD_LAYER, store->cache.layer, store->experts_begun_ns);
        store->experts_ns += clock_now_ns() - store->experts_begun_ns;
        store->experts_stall_ns += store->mover.counters.stall_ns - store->experts_begun_stall_ns;
    }
    return true;
}

void store_experts_done(Store *store, const ExpertWave *wave)
{
    cache_done(&store->cache, wave);
}

bool store_rows_read(Store *store, const uint32_t *rows, uint32_t n, uint8_t *out, Error *err)
{
    if (!rows_read(&store->rows, &store->dense, &store->mover, rows, n, out, err)) return false;
    store->row_bytes += (uint64_t)n * store->map->rows.first_row.n_bytes;
    return true;
}

const Heat *store_heat(const Store *store)
{
    return blocks_n_experts(store->map) > 0 ? &store->cache.heat : NULL;
}

const Past *store_past(const Store *store)
{
    return blocks_n_experts(store->map) > 0 ? &store->cache.evict.past : NULL;
}

bool store_warm(
    Store *store, const HeatIdentity *identity, const uint8_t *data, size_t n_bytes, Error *err)
{
    assert(store_heat(store));
    if (!heat_decode(&store->cache.heat, identity, data, n_bytes, err)) return false;
    if (!heat_decode_past(&store->cache.evict.past, data, n_bytes))
        log_info("the heat map holds no passes");
    cache_warm(&store->cache);
    return store_advance(store, err);
}

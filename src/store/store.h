/* The bytes of a model, within a budget: what is resident, what streams, what is read when.
 * The forward pass asks for waves of blocks; the store promises their bytes until they are
 * given back. One thread owns a store and makes all calls; workers only read the bytes.
 * The calling thread also moves the blocks: each call reaps completions and keeps the
 * drive busy (docs/adr/0004). Data is readable 64 bytes past each block's end. */
#ifndef HYPURA_STORE_STORE_H
#define HYPURA_STORE_STORE_H

#include "base/size.h"
#include "store/blocks.h"
#include "store/heat.h"
#include "store/sidecar.h"
#include "store/sources.h"
#include "sys/read.h"

#define WAVE_BLOCKS_MAX 64

typedef struct StoreOptions {
    Budget weights;       // how much of them may be in memory; DEFAULT: what fits memory_room
    uint64_t memory_room; // most bytes for trunk, cache and ring together; 0: no such limit
    const File *files;    // [n_copies][n_files] the same files on other drives; borrowed
    uint32_t n_files;     // of one copy
    uint32_t n_copies;    // 0: one; at most SOURCES_MAX
    ReadBackend backend;
    DirectMode direct;
    struct ReadSim *sim;    // READ_SIM only
    const Sidecar *sidecar; // borrowed; what is read is held against it. NULL: against nothing
    const char *trace_path; // where the run is recorded (trace_record.h); NULL: nowhere
} StoreOptions;

/* Fixed at creation. */
typedef struct StoreBudget {
    uint64_t weights;            // allowed
    uint64_t trunk, cache, ring; // held
    uint64_t minimum;            // the smallest `weights` that runs
} StoreBudget;

/* Since creation. read_bytes = missed + load + padding + wasted + again, exactly. */
typedef struct StoreCounters {
    uint64_t read_bytes;
    uint64_t read_missed_bytes;          // payload of blocks demanded while absent
    uint64_t read_demand_bytes;          // of these, asked for only then: a router's choice, rows
    uint64_t read_load_bytes;            // trunk and first filling
    uint64_t read_padding_bytes;         // widening to the alignment
    uint64_t read_wasted_bytes;          // streamed ahead and not used (yet), or on its way
    uint64_t read_again_bytes;           // retries
    uint64_t checked_bytes;              // held against checksums, and right
    uint64_t demanded_bytes;             // payload of all blocks that passes used
    uint64_t demanded_expert_bytes;      // of these, of experts
    uint64_t expert_hits, expert_misses; // blocks
    uint64_t stall_ns;                   // time in which the caller waited for the drive
    uint64_t pass_ns;                    // from store_pass_begin to store_pass_end
    uint64_t experts_ns;                 // of it, from a router's word to the last expert done
    uint64_t experts_stall_ns;           // of that, waiting
    uint64_t busy_ns, busy_bytes;        // what the drive gave while it was waited for (mover.h)
    uint64_t n_requests, depth_sum;      // depth_sum / n_requests: mean depth of the reads
    uint64_t n_passes;
} StoreCounters;

typedef struct Store Store;

/* Lays out the memory, loads the trunk and starts filling resident blocks (evenly spread
 * over the pass) and the ring. BUDGET (exit 4) names the number that would do. NULL: failed. */
CHECKED Store *store_create(const BlockMap *map, const StoreOptions *options, Error *err);
void store_free(Store *store); // waits for reads in flight

/* The minimum for this map and alignment, without creating anything. */
uint64_t store_minimum_bytes(const BlockMap *map, uint32_t alignment);
/* Likewise, what holds everything. */
uint64_t store_all_bytes(const BlockMap *map, uint32_t alignment);

/* The most that the cache may hold from now on, for as long as memory is short: the rest is given
 * back to the system and to the ledger, down to the least that runs, the least valuable first. A
 * higher limit takes it up again, to what the budget gave; what was dropped is read again. Tokens
 * stay the same. Within a pass only between layers, when no wave is out and no experts are asked
 * for. Waits for reads under way into what goes. Returns what the cache holds now; that is up to
 * a huge page more than the limit for each size of block, or less where the ledger has no more. */
uint64_t store_set_cache_limit(Store *store, uint64_t n_bytes);
uint64_t store_cache_bytes(const Store *store);

StoreBudget store_budget(const Store *store);
StoreCounters store_counters(const Store *store);
const Sources *store_sources(const Store *store); // what each copy gave
const char *store_backend_name(const Store *store);
bool store_is_direct(const Store *store);

/* A trunk tensor's bytes; alive as long as the store. */
const uint8_t *store_trunk(const Store *store, uint32_t index);

/* Tells the store what is coming, so that it reads the right blocks ahead: the next
 * n_passes skip the head, all later ones need it. A wrong guess costs bytes, never bits. */
void store_expect_headless(Store *store, uint32_t n_passes);

/* A pass asks for dense blocks in order, each once, and for experts layer by layer.
 * store_pass_end fails with FILE_CHANGED when a file was written to while bytes of it were
 * read: what the pass computed is then to be dropped, and so it stays for all later passes.
 * After a failure call store_pass_abort; the store is then as before the pass. */
CHECKED bool store_pass_begin(Store *store, bool with_head, Error *err);
CHECKED bool store_pass_end(Store *store, Error *err);
void store_pass_abort(Store *store);

/* NUMERIC, found in what was computed from the bytes, becomes FILE_CHANGED where that is the
 * reason. Other errors stay. */
void store_explain(Store *store, Error *err);

/* Blocks first, first+1, … whose bytes are there; at least one, at most n_wanted and
 * WAVE_BLOCKS_MAX. Waits for the first only. Pinned until store_dense_done, which comes
 * before the next store_dense_next: a small ring has no slot for a second wave. */
typedef struct DenseWave {
    uint32_t first, n_blocks;
    const uint8_t *data[WAVE_BLOCKS_MAX];
} DenseWave;
CHECKED bool store_dense_next(
    Store *store, uint32_t first, uint32_t n_wanted, DenseWave *wave, Error *err);
void store_dense_done(Store *store, const DenseWave *wave);

/* The router has spoken: these experts of this layer are needed. */
typedef struct ExpertCall {
    uint32_t layer; // among those with experts
    uint32_t n;
    const uint32_t *experts; // [n], each once
    const uint32_t *n_rows;  // [n] rows that chose it; NULL: one each
} ExpertCall;

/* All misses are submitted at once as far as slots go; store_experts_next then hands out
 * waves, hits first, until every expert was given once (wave->n_blocks 0: all given). Each
 * wave is given back by store_experts_done before the next is asked for. */
typedef struct ExpertWave {
    uint32_t n_blocks;
    uint32_t which[WAVE_BLOCKS_MAX]; // index into the call's experts
    const uint8_t *data[WAVE_BLOCKS_MAX][EXPERT_EXTENTS_MAX];
    uint32_t slot[WAVE_BLOCKS_MAX]; // the store's own
} ExpertWave;
CHECKED bool store_experts_begin(Store *store, const ExpertCall *call, Error *err);
CHECKED bool store_experts_next(Store *store, ExpertWave *wave, Error *err);
void store_experts_done(Store *store, const ExpertWave *wave);

/* Rows of the row table: out[i] = row rows[i], each first_row.n_bytes long. */
CHECKED bool store_rows_read(
    Store *store, const uint32_t *rows, uint32_t n, uint8_t *out, Error *err);

/* Called between pieces of compute: reaps and submits without waiting. */
CHECKED bool store_advance(Store *store, Error *err);

/* The heat map (heat.h). store_warm takes over a record and begins to fill the cache with what it
 * says is used most; FORMAT_VALUE: it cannot be used, and nothing has changed. */
const Heat *store_heat(const Store *store); // NULL: there are no experts
const Past *store_past(const Store *store); // what the last passes used; NULL as well
CHECKED bool store_warm(
    Store *store, const HeatIdentity *identity, const uint8_t *data, size_t n_bytes, Error *err);

#endif

/* A model that can run: file, vocabulary, weights within a budget, workers, working memory. */
#ifndef HYPURA_ENGINE_LOADED_H
#define HYPURA_ENGINE_LOADED_H

#include "engine/checksums.h"
#include "engine/governor.h"
#include "engine/heat_map.h"
#include "engine/memory.h"
#include "engine/mirrors.h"
#include "model/forward.h"
#include "model/layout.h"
#include "sys/process.h"
#include "sys/sandbox.h"
#include "text/vocab.h"

typedef struct LoadOptions {
    bool text_only; // vocabulary and shape, no weights
    bool plan_only; // and blocks and budget, no store: nothing can be evaluated
    Budget memory, weights, reserve;
    ReadBackend backend;
    DirectMode direct;
    KvType kv;
    uint32_t n_threads;    // 0: usable cores
    uint32_t n_ctx;        // 0: the model's, at most 4096
    uint32_t n_ubatch;     // 0: 512
    uint32_t n_sequences;  // 0: 1
    uint32_t n_logit_rows; // 0: n_sequences
    const char *isa;       // NULL: HYPURA_ISA
    bool f32_activations;
    const GgufOverride *overrides; // borrowed until the model is closed
    size_t n_overrides;
    const char *const *mirrors; // paths of further copies; borrowed for the call
    size_t n_mirrors;
    bool heat_map;          // start from what earlier runs used most, and save it (heat_map.h)
    const char *trace_path; // NULL: the run is not recorded
    bool sandbox;
    const char *const *write_paths;
    uint32_t n_write_paths;
    const char *draft_path; // a model that guesses for this one (draft.h); NULL: none
    bool speculates;        // passes have room for guesses
    bool is_draft;          // in memory whole; another model gives it its workers
    uint64_t beside_bytes;  // the least that the other model needs beside it
} LoadOptions;

/* Who is asked, after every layer, whether to go on; `call` NULL: nobody. */
typedef struct ProgressHook {
    bool (*call)(void *context, size_t done, size_t total); // tokens
    void *context;
} ProgressHook;

/* What guessing came to (speculate.h), in all sequences. */
typedef struct SpeculationCounters {
    uint64_t n_drafted, n_accepted; // tokens
    uint64_t n_passes;              // that had guesses
} SpeculationCounters;

typedef struct Loaded {
    GgufFile *gguf;
    Vocab *vocab;
    Shape shape;
    bool has_plan;    // weights, map, memory and what else plan_model.c reads
    bool has_weights; // everything below
    Weights weights;
    BlockMap map;
    Store *store;
    Pool *pool;
    StatePool states;
    Forward forward;
    MemoryPlan memory;
    Governor governor; // asked between layers
    Budget weights_budget;
    KvType kv_type;
    uint32_t alignment, n_threads;
    uint32_t n_ctx, n_ubatch, n_logit_rows, n_sequences;
    ProcessIo io_at_start;
    uint64_t header_read_bytes; // fetched from the drive to read metadata, checksums, heat map
    SandboxReport sandbox;
    bool is_sandboxed;
    Mirrors mirrors;
    Checksums checksums; // what the weights are held against as they are read
    HeatMap heat_map;
    Heat heat_found; // what the heat map said at the start; no uses: there was none
    ProgressHook progress;
    Row *rows;            // [n_ubatch] of a pass, owned
    struct Loaded *draft; // owned; NULL: none
    bool is_draft;        // its pool is another's
    SpeculationCounters speculated;
    const struct Sequence *ahead_of; // whose tokens the rows of logits belong to (sequence.h)
} Loaded;

/* Opens the model at `path` (any shard). `out` must stay where it is until loaded_close. On
 * failure nothing is held and `err` says what, where, why. */
CHECKED bool loaded_open(Loaded *out, const char *path, const LoadOptions *options, Error *err);

/* Saves the heat map, if it is on and there is one; *n_bytes: what was written. Afterwards a
 * sandboxed process may not open any file for writing, and later calls do nothing. */
CHECKED bool loaded_save_heat_map(Loaded *loaded, uint64_t *n_bytes, Error *err);

/* After its sequences. A zeroed one is fine. */
void loaded_close(Loaded *loaded);

#endif

/* A model that can run: file, vocabulary, weights within a budget, workers, working memory. */
#ifndef HYPURA_ENGINE_LOADED_H
#define HYPURA_ENGINE_LOADED_H

#include "engine/memory.h"
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
    bool sandbox;
    const char *const *write_paths;
    uint32_t n_write_paths;
} LoadOptions;

/* Who is asked, after every layer, whether to go on; `call` NULL: nobody. */
typedef struct ProgressHook {
    bool (*call)(void *context, size_t done, size_t total); // tokens
    void *context;
} ProgressHook;

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
    Budget weights_budget;
    KvType kv_type;
    uint32_t alignment, n_threads;
    uint32_t n_ctx, n_ubatch, n_logit_rows, n_sequences;
    ProcessIo io_at_start;
    uint64_t header_read_bytes; // fetched from the drive to read the metadata
    SandboxReport sandbox;
    ProgressHook progress;
    Row *rows; // [n_ubatch] of a pass, owned
} Loaded;

/* Opens the model at `path` (any shard). `out` must stay where it is until loaded_close. On
 * failure nothing is held and `err` says what, where, why. */
CHECKED bool loaded_open(Loaded *out, const char *path, const LoadOptions *options, Error *err);

/* After its sequences. A zeroed one is fine. */
void loaded_close(Loaded *loaded);

#endif

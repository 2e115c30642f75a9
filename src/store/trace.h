/* What a run asked its expert cache for, in memory: the input of replay. It is read from a
 * recorded file and knows nothing of the cache that served it.
 *
 * A call is one layer of one pass: all its experts are needed together. A pass is a walk over the
 * layers; it begins where the layer does not rise. */
#ifndef HYPURA_STORE_TRACE_H
#define HYPURA_STORE_TRACE_H

#include "base/mem.h"
#include "base/view.h"

#define TRACE_LAYERS_MAX       4096u
#define TRACE_BLOCKS_MAX       (1u << 22)          // experts of all layers
#define TRACE_USES_MAX         (1u << 28)          // experts of all calls
#define TRACE_EXPERT_BYTES_MAX (UINT64_C(1) << 40) // of one

typedef struct TraceCall {
    uint64_t first; // of its experts, in `experts`
    uint32_t n;     // distinct experts, at least 1
    uint32_t layer;
    bool begins_pass;
    bool is_prompt; // else it decodes: one row of each sequence
} TraceCall;

typedef struct Trace {
    uint32_t n_layers, n_expert;
    uint64_t *expert_bytes; // [n_layers] of one expert of that layer; owned
    TraceCall *calls;       // [n_calls], owned
    uint32_t *experts;      // [n_experts] of all calls, each below n_expert; owned
    uint64_t n_calls, n_experts;
    uint64_t calls_room, experts_room; // allocated
} Trace;

/* Sizes and room for the bytes of each layer's experts, which the caller fills in. `trace` is
 * zeroed or made by nobody yet; trace_destroy ends it, also after a failure. */
CHECKED bool trace_init(Trace *trace, uint32_t n_layers, uint32_t n_expert, Error *err);
void trace_destroy(Trace *trace);

/* A call without experts yet, and one more expert of the last call. TOO_LARGE, OUT_OF_MEMORY. */
CHECKED bool trace_add_call(Trace *trace, uint32_t layer, bool is_prompt, Error *err);
CHECKED bool trace_add_expert(Trace *trace, uint32_t expert, Error *err);

/* Bytes of all experts of all layers: what percentages of a budget mean. */
uint64_t trace_all_bytes(const Trace *trace);

/*
 * Reads routing in the form `phase,token,layer,rank,expert`, a line each, behind `# key=value`
 * comments of which n_expert and expert_bytes (of each layer) are needed. Rows of a prompt that
 * follow each other in one layer are one call, as they are one wave of a chunk.
 * FORMAT_VALUE names the line. On failure `out` holds nothing.
 */
CHECKED bool trace_read_route(Trace *out, StringView text, Error *err);

#endif

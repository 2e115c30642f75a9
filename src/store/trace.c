/* The calls of a recorded run, growing by doubling while a file is read. */
#include "store/trace.h"

#include <assert.h>

#define ROOM_FIRST 4096u

bool trace_init(Trace *trace, uint32_t n_layers, uint32_t n_expert, Error *err)
{
    *trace = (Trace){0};
    if (n_layers == 0 || n_layers > TRACE_LAYERS_MAX || n_expert == 0
        || n_expert > TRACE_BLOCKS_MAX / n_layers)
        return error_set(err, ERROR_TOO_LARGE, "%u layers of %u experts: not 1 to %u experts",
            n_layers, n_expert, TRACE_BLOCKS_MAX);
    trace->expert_bytes = mem_alloc_array(MEM_OTHER, n_layers, sizeof(uint64_t), err);
    if (!trace->expert_bytes) return false;
    trace->n_layers = n_layers;
    trace->n_expert = n_expert;
    return true;
}

void trace_destroy(Trace *trace)
{
    mem_free(MEM_OTHER, trace->expert_bytes);
    mem_free(MEM_OTHER, trace->calls);
    mem_free(MEM_OTHER, trace->experts);
    *trace = (Trace){0};
}

/* A larger `data` when it has room for n elements alone; NULL: failed. */
static void *with_room(void *data, uint64_t n, uint64_t *room, size_t element_bytes, Error *err)
{
    if (n < *room) return data;
    if (n >= TRACE_USES_MAX) {
        error_set(err, ERROR_TOO_LARGE, "more than %u uses of experts", TRACE_USES_MAX);
        return NULL;
    }
    uint64_t n_wanted = *room > 0 ? *room * 2 : ROOM_FIRST;
    void *grown = mem_resize(MEM_OTHER, data, n_wanted * element_bytes, err);
    if (grown) *room = n_wanted;
    return grown;
}

bool trace_add_call(Trace *trace, uint32_t layer, bool is_prompt, Error *err)
{
    TraceCall *calls =
        with_room(trace->calls, trace->n_calls, &trace->calls_room, sizeof(TraceCall), err);
    if (!calls) return false;
    trace->calls = calls;

    assert(layer < trace->n_layers);
    const TraceCall *before = trace->n_calls > 0 ? &calls[trace->n_calls - 1] : NULL;
    calls[trace->n_calls++] = (TraceCall){.first = trace->n_experts,
        .layer = layer,
        .begins_pass = !before || layer <= before->layer || is_prompt != before->is_prompt,
        .is_prompt = is_prompt};
    return true;
}

bool trace_add_expert(Trace *trace, uint32_t expert, Error *err)
{
    uint32_t *experts =
        with_room(trace->experts, trace->n_experts, &trace->experts_room, sizeof(uint32_t), err);
    if (!experts) return false;
    trace->experts = experts;

    assert(trace->n_calls > 0);
    assert(expert < trace->n_expert);
    experts[trace->n_experts++] = expert;
    trace->calls[trace->n_calls - 1].n++;
    return true;
}

uint64_t trace_all_bytes(const Trace *trace)
{
    uint64_t n_bytes = 0;

    for (uint32_t i = 0; i < trace->n_layers; i++)
        n_bytes += trace->expert_bytes[i] * trace->n_expert;
    return n_bytes;
}

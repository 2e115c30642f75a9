/* The way of loaded.c from header to blocks to plan, without a store. A plan depends on nothing but
 * blocks, alignment and bytes, so it is the run's. */
#include "engine/streamed.h"

#include "base/mem.h"
#include "model/layout.h"
#include "store/residency.h"

static uint32_t list_reads(const BlockMap *map, const Residency *plan, ReadRequest *out)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < map->n_dense; i++) {
        const Extent *extent = &map->dense[i].extent;
        if (plan->dense_is_resident[i]) continue;
        out[n++] = (ReadRequest){.file = extent->file,
            .offset_bytes = size_align_down(extent->offset_bytes, plan->alignment),
            .n_bytes = (uint32_t)extent_span_bytes(extent, plan->alignment)}; // a block's, so below
    }
    return n;
}

static bool plan_reads(const BlockMap *map, uint32_t alignment, uint64_t weights_bytes,
    ReadRequest **out, uint32_t *n, Error *err)
{
    Budget budget = {.unit = BUDGET_BYTES, .n_bytes = weights_bytes};
    Residency plan = {0};

    if (!residency_plan(&plan, map, alignment, &budget, 0, err)) return false;
    ReadRequest *reads = mem_alloc_array(MEM_OTHER, map->n_dense, sizeof(*reads), err);
    if (reads) {
        *out = reads;
        *n = list_reads(map, &plan, reads);
    }
    residency_destroy(&plan);
    return reads;
}

bool streamed_reads(
    const GgufFile *gguf, uint64_t weights_bytes, ReadRequest **out, uint32_t *n, Error *err)
{
    uint32_t alignment = reader_probe_alignment(gguf_shards(gguf), gguf_n_shards(gguf), DIRECT_ON);
    ReadRequest *reads = NULL;
    uint32_t n_reads = 0;
    Weights weights = {0};
    BlockMap map = {0};
    Shape shape;

    bool ok = shape_read(gguf, &shape, err) && weights_bind(&weights, gguf, &shape, err)
              && layout_make(&map, &weights, &shape, err);
    if (ok && map.n_expert_layers == 0)
        ok = plan_reads(&map, alignment, weights_bytes, &reads, &n_reads, err);
    layout_destroy(&map);
    weights_destroy(&weights);
    if (!ok) return false;
    *out = reads;
    *n = n_reads;
    return true;
}

/* The way of loaded.c from header to blocks to plan, without a store. A plan depends on nothing but
 * blocks, alignment and bytes, so it is the run's. */
#include "engine/streamed.h"

#include "base/mem.h"
#include "model/layout.h"
#include "store/residency.h"

/* Without what lies past the file's end: part of its last unit, or what a cut file lacks. */
static ReadRequest read_of(const Extent *extent, uint32_t alignment, const File *files)
{
    uint64_t begin = size_align_down(extent->offset_bytes, alignment);
    uint64_t end = begin + extent_span_bytes(extent, alignment);
    uint64_t file_end = size_align_down(files[extent->file].n_bytes, alignment);

    if (end > file_end) end = file_end > begin ? file_end : begin;
    return (ReadRequest){.file = extent->file,
        .offset_bytes = begin,
        .n_bytes = (uint32_t)(end - begin)}; // a block's at most
}

static uint32_t list_reads(
    const BlockMap *map, const Residency *plan, const File *files, ReadRequest *out)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < map->n_dense; i++) {
        const Extent *extent = &map->dense[i].extent;
        if (plan->dense_is_resident[i]) continue;
        ReadRequest read = read_of(extent, plan->alignment, files);
        if (read.n_bytes > 0) out[n++] = read;
    }
    return n;
}

static bool plan_reads(const BlockMap *map, const File *files, uint32_t alignment,
    uint64_t weights_bytes, ReadRequest **out, uint32_t *n, Error *err)
{
    Budget budget = {.unit = BUDGET_BYTES, .n_bytes = weights_bytes};
    Residency plan = {0};

    if (!residency_plan(&plan, map, alignment, &budget, 0, err)) return false;
    ReadRequest *reads = mem_alloc_array(MEM_OTHER, map->n_dense, sizeof(*reads), err);
    if (reads) {
        *out = reads;
        *n = list_reads(map, &plan, files, reads);
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
        ok = plan_reads(&map, gguf_shards(gguf), alignment, weights_bytes, &reads, &n_reads, err);
    layout_destroy(&map);
    weights_destroy(&weights);
    if (!ok) return false;
    *out = reads;
    *n = n_reads;
    return true;
}

/* A block map checked once, so that nothing after it doubts an offset or a size.
 *
 * The map comes from model/layout, whose numbers come from a file: every extent is held
 * against the size of its file here, and later code adds and subtracts them freely. Also
 * the two ways to count a block: payload (what kernels read) and place (what it occupies,
 * with the widening that direct reads ask for). */
#include "store/blocks.h"

#include <assert.h>
#include <inttypes.h>

#include "base/size.h"

uint64_t extent_span_bytes(const Extent *extent, uint32_t alignment)
{
    uint64_t begin = size_align_down(extent->offset_bytes, alignment);

    return size_align_up(extent->offset_bytes + extent->n_bytes, alignment) - begin;
}

uint64_t extent_place_bytes(const Extent *extent, uint32_t alignment)
{
    uint64_t begin = size_align_down(extent->offset_bytes, alignment);
    uint64_t end = extent->offset_bytes + extent->n_bytes + BLOCK_TAIL_BYTES;

    return size_align_up(end, alignment) - begin;
}

uint64_t expert_place_bytes(const ExpertBlock *expert, uint32_t alignment)
{
    uint64_t n_bytes = 0;

    for (uint32_t i = 0; i < expert->n_extents; i++) {
        uint64_t tail = i + 1 == expert->n_extents ? BLOCK_TAIL_BYTES : 0;
        n_bytes += size_align_up(expert->extents[i].n_bytes + tail + alignment - 1, alignment);
    }
    return n_bytes;
}

uint64_t expert_payload_bytes(const ExpertBlock *expert)
{
    uint64_t n_bytes = 0;

    for (uint32_t i = 0; i < expert->n_extents; i++) n_bytes += expert->extents[i].n_bytes;
    return n_bytes;
}

uint32_t blocks_n_experts(const BlockMap *map)
{
    return map->n_expert_layers * map->n_expert;
}

uint32_t blocks_expert_index(const BlockMap *map, uint32_t expert_layer, uint32_t expert)
{
    assert(expert_layer < map->n_expert_layers);
    assert(expert < map->n_expert);
    return expert_layer * map->n_expert + expert;
}

static bool extent_check(const Extent *extent, const File *files, uint32_t n_files, Error *err)
{
    uint64_t end;

    if (extent->file >= n_files)
        return error_set(err, ERROR_INTERNAL, "file %u of %u", extent->file, n_files);
    if (extent->n_bytes == 0) return error_set(err, ERROR_INTERNAL, "no bytes");
    if (!size_add(extent->offset_bytes, extent->n_bytes, &end) || end > files[extent->file].n_bytes)
        return error_set(err, ERROR_FORMAT_TRUNCATED,
            "%s: %u bytes at %" PRIu64 " end outside the file of %" PRIu64 " bytes",
            files[extent->file].path, extent->n_bytes, extent->offset_bytes,
            files[extent->file].n_bytes);
    return true;
}

static bool dense_check(const BlockMap *map, const File *files, uint32_t n_files, Error *err)
{
    if (map->n_dense == 0) return error_set(err, ERROR_INTERNAL, "no dense block");
    for (uint32_t i = 0; i < map->n_dense; i++) {
        const DenseBlock *block = &map->dense[i];
        if (block->extent.n_bytes > BLOCK_BYTES_MAX)
            return error_set(err, ERROR_INTERNAL, "dense block %u: %u bytes, more than %u", i,
                block->extent.n_bytes, BLOCK_BYTES_MAX);
        if (!extent_check(&block->extent, files, n_files, err))
            return error_at(err, "dense block %u", i);
        if (i > 0 && map->dense[i - 1].is_head && !block->is_head)
            return error_set(err, ERROR_INTERNAL, "dense block %u follows the head", i);
    }
    return true;
}

static bool experts_check(const BlockMap *map, const File *files, uint32_t n_files, Error *err)
{
    uint64_t n_experts;

    if (map->n_expert_layers == 0) return true;
    if (!size_mul(map->n_expert_layers, map->n_expert, &n_experts) || n_experts >= UINT32_MAX)
        return error_set(
            err, ERROR_TOO_LARGE, "%u layers of %u experts", map->n_expert_layers, map->n_expert);
    if (map->n_expert_used == 0 || map->n_expert_used > map->n_expert)
        return error_set(
            err, ERROR_INTERNAL, "%u of %u experts used", map->n_expert_used, map->n_expert);
    for (uint32_t i = 0; i < n_experts; i++) {
        const ExpertBlock *expert = &map->experts[i];
        if (expert->n_extents == 0 || expert->n_extents > EXPERT_EXTENTS_MAX)
            return error_set(
                err, ERROR_INTERNAL, "expert block %u: %u extents", i, expert->n_extents);
        for (uint32_t k = 0; k < expert->n_extents; k++)
            if (!extent_check(&expert->extents[k], files, n_files, err))
                return error_at(err, "expert block %u", i);
    }
    return true;
}

static bool rows_check(const BlockMap *map, const File *files, uint32_t n_files, Error *err)
{
    const RowTable *rows = &map->rows;
    uint64_t table_bytes, end;

    if (rows->n_rows == 0) return true;
    if (!extent_check(&rows->first_row, files, n_files, err)) return error_at(err, "row table");
    if (!size_mul(rows->n_rows, rows->first_row.n_bytes, &table_bytes)
        || !size_add(rows->first_row.offset_bytes, table_bytes, &end)
        || end > files[rows->first_row.file].n_bytes)
        return error_set(err, ERROR_FORMAT_TRUNCATED, "row table: ends outside the file");
    if (!rows->is_dense) return true;

    if (rows->rows_per_block == 0)
        return error_set(err, ERROR_INTERNAL, "row table: no rows in a block");
    for (uint64_t row = 0; row < rows->n_rows; row += rows->rows_per_block) {
        uint64_t block = rows->first_dense_block + row / rows->rows_per_block;
        uint64_t n_rows = rows->n_rows - row;
        if (n_rows > rows->rows_per_block) n_rows = rows->rows_per_block;
        if (block >= map->n_dense
            || map->dense[block].extent.n_bytes < n_rows * rows->first_row.n_bytes)
            return error_set(err, ERROR_INTERNAL, "row table: row %" PRIu64 " is in no block", row);
    }
    return true;
}

bool blocks_check(const BlockMap *map, const File *files, uint32_t n_files, Error *err)
{
    for (uint32_t i = 0; i < map->n_trunk; i++)
        if (!extent_check(&map->trunk[i], files, n_files, err))
            return error_at(err, "trunk tensor %u", i);
    return dense_check(map, files, n_files, err) && experts_check(map, files, n_files, err)
           && rows_check(map, files, n_files, err);
}

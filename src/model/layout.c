/* The one place where tensors become blocks. Pass order: per layer q k v o, then gate up down;
 * the head last. */
#include "model/layout.h"

#include <assert.h>

#include "base/mem.h"
#include "base/size.h"

/* Room for widening a range to the drive's alignment on both sides (4 KiB at most is usual). */
#define ALIGNMENT_ROOM 8192

/* A model is cut into at least so many blocks, as far as they stay worth a read: a small one
 * has to run in a quarter of its bytes, three blocks at a time. */
#define BLOCKS_MIN      16
#define BLOCK_BYTES_MIN (128u << 10)
#define TILE_ROWS       16 // what kernels compute at once

/* A power of two, as ring slots are (store/residency.c). */
static uint32_t block_bytes(const Weights *weights)
{
    uint64_t n_bytes = weights->weight_bytes / BLOCKS_MIN;
    uint32_t block_bytes = BLOCK_BYTES_MIN;

    while (block_bytes < BLOCK_BYTES_MAX && 2 * block_bytes <= n_bytes) block_bytes *= 2;
    return block_bytes;
}

static Extent extent_of(const GgufTensor *tensor, uint64_t first_byte, uint64_t n_bytes)
{
    assert(n_bytes <= UINT32_MAX);
    return (Extent){.file = tensor->shard,
        .n_bytes = (uint32_t)n_bytes,
        .offset_bytes = tensor->offset_bytes + first_byte};
}

/* As few blocks as hold the matrix, and these of about one size: a small last one would be a
 * small read in every pass. */
static uint32_t rows_per_block(const Matrix *matrix, uint32_t n_bytes)
{
    uint64_t n_rows_max = (n_bytes - ALIGNMENT_ROOM) / matrix->row_bytes;

    if (n_rows_max > TILE_ROWS) n_rows_max -= n_rows_max % TILE_ROWS;
    if (n_rows_max == 0) return 1;
    uint64_t n_blocks = (matrix->n_out + n_rows_max - 1) / n_rows_max;
    uint64_t n_rows = (matrix->n_out + n_blocks - 1) / n_blocks;
    if (n_rows > TILE_ROWS) n_rows = size_align_up(n_rows, TILE_ROWS);
    return (uint32_t)(n_rows < n_rows_max ? n_rows : n_rows_max);
}

/* Cuts the matrix into blocks of at most n_bytes, numbered from *n_blocks on. */
static void number_blocks(Matrix *matrix, uint32_t n_bytes, uint32_t *n_blocks)
{
    if (!matrix->tensor || matrix->trunk != TRUNK_NONE) return;
    matrix->rows_per_block = rows_per_block(matrix, n_bytes);
    matrix->n_blocks = (matrix->n_out + matrix->rows_per_block - 1) / matrix->rows_per_block;
    matrix->first_block = *n_blocks;
    *n_blocks += matrix->n_blocks;
}

static void fill_blocks(const Matrix *matrix, uint32_t layer, bool is_head, DenseBlock *dense)
{
    for (uint32_t i = 0; i < matrix->n_blocks; i++) {
        uint32_t first_row = i * matrix->rows_per_block;
        uint32_t n_rows = matrix->n_out - first_row;
        if (n_rows > matrix->rows_per_block) n_rows = matrix->rows_per_block;
        dense[matrix->first_block + i] = (DenseBlock){.layer = layer,
            .is_head = is_head,
            .extent = extent_of(
                matrix->tensor, first_row * matrix->row_bytes, n_rows * matrix->row_bytes)};
    }
}

static void fill_experts(const LayerWeights *w, uint32_t n_expert, ExpertBlock *experts)
{
    for (uint32_t expert = 0; expert < n_expert; expert++) {
        ExpertBlock *block = &experts[(size_t)w->expert_layer * n_expert + expert];
        block->n_extents = EXPERT_PROJECTIONS;
        for (size_t p = 0; p < EXPERT_PROJECTIONS; p++) {
            const ExpertMatrix *matrix = &w->experts[p];
            block->extents[p] =
                extent_of(matrix->tensor, expert * matrix->expert_bytes, matrix->expert_bytes);
        }
    }
}

/* Dense matrices of a layer in the order in which forward.c multiplies with them. */
#define LAYER_MATRICES 7
static void layer_matrices(LayerWeights *w, Matrix *out[LAYER_MATRICES])
{
    Matrix *matrices[LAYER_MATRICES] = {&w->q, &w->k, &w->v, &w->o, &w->gate, &w->up, &w->down};
    for (size_t i = 0; i < LAYER_MATRICES; i++) out[i] = matrices[i];
}

static void fill_row_table(BlockMap *map, const Weights *weights)
{
    const GgufTensor *table = weights->embedding;

    map->rows.n_rows = table->dims[1];
    map->rows.first_row = extent_of(table, 0, quant_row_bytes(table->type, table->dims[0]));
    map->rows.is_dense = weights->is_tied;
    map->rows.first_dense_block = weights->head.first_block;
    map->rows.rows_per_block = weights->head.rows_per_block;
}

static bool check_sizes(const Weights *weights, Error *err)
{
    if (weights->head.row_bytes > BLOCK_BYTES_MAX - ALIGNMENT_ROOM)
        return error_set(err, ERROR_MODEL_SHAPE, "rows of the head are larger than a block");
    for (uint32_t layer = 0; layer < weights->n_layer; layer++) {
        const LayerWeights *w = &weights->layers[layer];
        const Matrix *matrices[] = {&w->q, &w->o, &w->gate, &w->down};
        for (size_t i = 0; i < COUNT(matrices); i++)
            if (matrices[i]->row_bytes > BLOCK_BYTES_MAX - ALIGNMENT_ROOM)
                return error_set(err, ERROR_MODEL_SHAPE,
                    "layer %u: rows of a matrix are larger than a block", layer);
        for (size_t p = 0; p < EXPERT_PROJECTIONS; p++)
            if (w->experts[p].expert_bytes > UINT32_MAX / 4)
                return error_set(
                    err, ERROR_MODEL_SHAPE, "layer %u: an expert is larger than 1 GiB", layer);
    }
    return true;
}

bool layout_make(BlockMap *out, Weights *weights, const Shape *shape, Error *err)
{
    Matrix *matrices[LAYER_MATRICES];
    uint32_t n_dense = 0, n_bytes = block_bytes(weights);

    *out = (BlockMap){.n_trunk = weights->n_trunk, .weight_bytes = weights->weight_bytes};
    if (!check_sizes(weights, err)) return false;
    for (uint32_t layer = 0; layer < weights->n_layer; layer++) {
        layer_matrices(&weights->layers[layer], matrices);
        for (size_t i = 0; i < LAYER_MATRICES; i++) number_blocks(matrices[i], n_bytes, &n_dense);
    }
    number_blocks(&weights->head, n_bytes, &n_dense);

    out->n_dense = n_dense;
    out->n_expert = shape->n_expert;
    out->n_expert_used = shape->n_expert_used;
    out->n_expert_layers = shape->n_expert > 0 ? shape->n_layer : 0;
    out->trunk = mem_alloc_array(MEM_OTHER, out->n_trunk, sizeof(Extent), err);
    out->dense = mem_alloc_array(MEM_OTHER, n_dense, sizeof(DenseBlock), err);
    out->experts = mem_alloc_array(
        MEM_OTHER, (size_t)out->n_expert_layers * out->n_expert, sizeof(ExpertBlock), err);
    if (!out->trunk || !out->dense || !out->experts) {
        layout_destroy(out);
        return false;
    }

    for (uint32_t i = 0; i < out->n_trunk; i++)
        out->trunk[i] = extent_of(weights->trunk[i], 0, weights->trunk[i]->n_bytes);
    for (uint32_t layer = 0; layer < weights->n_layer; layer++) {
        layer_matrices(&weights->layers[layer], matrices);
        for (size_t i = 0; i < LAYER_MATRICES; i++)
            fill_blocks(matrices[i], layer, false, out->dense);
        if (shape->n_expert > 0)
            fill_experts(&weights->layers[layer], shape->n_expert, out->experts);
    }
    fill_blocks(&weights->head, weights->n_layer, true, out->dense);
    fill_row_table(out, weights);
    return true;
}

void layout_destroy(BlockMap *map)
{
    mem_free(MEM_OTHER, map->trunk);
    mem_free(MEM_OTHER, map->dense);
    mem_free(MEM_OTHER, map->experts);
    *map = (BlockMap){0};
}

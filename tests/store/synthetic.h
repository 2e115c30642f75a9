/* Made-up models for the tests of store/: a file of random bytes, and a block map over it.
 * What the store hands out is compared with the file. Not a general builder: the shapes
 * below are what the tests need. */
#ifndef HYPURA_TESTS_STORE_SYNTHETIC_H
#define HYPURA_TESTS_STORE_SYNTHETIC_H

#include <stdlib.h>

#include "base/rng.h"
#include "harness.h"
#include "store/store.h"
#include "sys/read_sim.h"

typedef struct Shape {
    uint32_t n_layers;
    uint32_t n_trunk; // of trunk_bytes each
    uint32_t trunk_bytes;
    uint32_t dense_per_layer;
    uint32_t dense_bytes; // of the largest; others are up to a quarter smaller
    uint32_t n_head;      // blocks of head_rows rows each
    uint32_t head_rows, row_bytes;
    uint32_t n_expert, n_expert_used; // n_expert 0: dense only
    uint32_t projection_bytes;        // odd layers: a fifth more in the last projection
    bool is_tied;                     // rows are the head's; else a table of its own
} Shape;

/* Close to the bundled mixture, in which blocks have these sizes. */
static const Shape shape_mixture = {.n_layers = 6,
    .n_trunk = 31,
    .trunk_bytes = 13000,
    .dense_per_layer = 2,
    .dense_bytes = 430000,
    .n_head = 3,
    .head_rows = 1024,
    .row_bytes = 420,
    .n_expert = 32,
    .n_expert_used = 4,
    .projection_bytes = 75000,
    .is_tied = true};

/* Small enough for thousands of passes. */
static const Shape shape_small = {.n_layers = 4,
    .n_trunk = 5,
    .trunk_bytes = 700,
    .dense_per_layer = 3,
    .dense_bytes = 20000,
    .n_head = 2,
    .head_rows = 50,
    .row_bytes = 300,
    .n_expert = 8,
    .n_expert_used = 3,
    .projection_bytes = 8000};

typedef struct Synthetic {
    Shape shape;
    uint8_t *data; // the file's bytes
    uint64_t n_bytes;
    File file;
    BlockMap map;
} Synthetic;

static inline Extent synthetic_extent(Synthetic *model, Rng *rng, uint32_t n_bytes)
{
    uint64_t gap = rng_below(rng, 3) == 0 ? 32 * rng_below(rng, 100) : 0;
    Extent extent = {.n_bytes = n_bytes, .offset_bytes = model->n_bytes + gap};

    model->n_bytes = (extent.offset_bytes + n_bytes + 31) / 32 * 32;
    return extent;
}

static inline uint32_t synthetic_dense_bytes(Rng *rng, uint32_t most)
{
    return most - (uint32_t)rng_below(rng, most / 4);
}

/* The file ends with its last tensor, at no alignment. */
static inline void synthetic_init(Synthetic *model, Shape shape, uint64_t seed)
{
    Rng rng = rng_seeded(seed);
    BlockMap *map = &model->map;
    uint32_t n_layers = shape.n_layers;
    uint32_t n_body = n_layers * shape.dense_per_layer;
    uint32_t head_bytes = shape.head_rows * shape.row_bytes;

    *model = (Synthetic){.shape = shape, .n_bytes = 5000};
    map->n_trunk = shape.n_trunk;
    map->trunk = calloc(shape.n_trunk, sizeof(Extent));
    map->n_dense = n_body + shape.n_head;
    map->dense = calloc(map->n_dense, sizeof(DenseBlock));
    map->n_expert_layers = shape.n_expert > 0 ? n_layers : 0;
    map->n_expert = shape.n_expert;
    map->n_expert_used = shape.n_expert_used;
    map->experts = calloc((size_t)map->n_expert_layers * map->n_expert + 1, sizeof(ExpertBlock));
    map->rows.n_rows = (uint64_t)shape.n_head * shape.head_rows;
    map->rows.is_dense = shape.is_tied;
    map->rows.first_dense_block = n_body;
    map->rows.rows_per_block = shape.head_rows;

    for (uint32_t i = 0; i < map->n_trunk; i++)
        map->trunk[i] = synthetic_extent(model, &rng, shape.trunk_bytes);
    for (uint32_t i = 0; i < n_body; i++)
        map->dense[i] = (DenseBlock){
            .extent = synthetic_extent(model, &rng, synthetic_dense_bytes(&rng, shape.dense_bytes)),
            .layer = i / shape.dense_per_layer};
    for (uint32_t layer = 0; layer < map->n_expert_layers; layer++)
        for (uint32_t k = 0; k < EXPERT_EXTENTS_MAX; k++)
            for (uint32_t i = 0; i < map->n_expert; i++) {
                ExpertBlock *expert = &map->experts[layer * map->n_expert + i];
                bool is_larger = layer % 2 == 1 && k == 2;
                uint32_t n_bytes =
                    shape.projection_bytes + (is_larger ? shape.projection_bytes / 5 : 0);
                expert->extents[expert->n_extents++] = synthetic_extent(model, &rng, n_bytes);
            }
    if (!shape.is_tied) {
        map->rows.first_row =
            synthetic_extent(model, &rng, (uint32_t)map->rows.n_rows * shape.row_bytes);
        map->rows.first_row.n_bytes = shape.row_bytes;
    }
    uint64_t head_begin = model->n_bytes;
    for (uint32_t i = 0; i < shape.n_head; i++)
        map->dense[n_body + i] =
            (DenseBlock){.extent = {.n_bytes = head_bytes,
                             .offset_bytes = head_begin + (uint64_t)i * head_bytes},
                .layer = n_layers,
                .is_head = true};
    if (shape.is_tied)
        map->rows.first_row = (Extent){.n_bytes = shape.row_bytes, .offset_bytes = head_begin};
    model->n_bytes = head_begin + (uint64_t)shape.n_head * head_bytes;
    map->weight_bytes = model->n_bytes - 5000;

    model->data = malloc(model->n_bytes);
    rng_fill(&rng, model->data, model->n_bytes);
    Error err = {0};
    if (!read_sim_file(&model->file, model->data, model->n_bytes, &err)) {
        printf("  no file in memory: %s\n", err.message);
        exit(1);
    }
}

static inline void synthetic_destroy(Synthetic *model)
{
    file_close(&model->file);
    free(model->data);
    free(model->map.trunk);
    free(model->map.dense);
    free(model->map.experts);
    *model = (Synthetic){0};
}

static inline uint32_t synthetic_n_body(const Synthetic *model)
{
    return model->shape.n_layers * model->shape.dense_per_layer;
}

/* The bytes of an extent, and the readable tail behind them. */
static inline bool synthetic_matches(
    const Synthetic *model, const Extent *extent, const uint8_t *data)
{
    volatile uint8_t tail = data[extent->n_bytes + BLOCK_TAIL_BYTES - 1]; // a sanitizer's case
    (void)tail;
    return memcmp(model->data + extent->offset_bytes, data, extent->n_bytes) == 0;
}

/* read_bytes is the sum of its parts. */
static inline bool synthetic_identity_holds(const StoreCounters *c)
{
    return c->read_bytes
           == c->read_missed_bytes + c->read_load_bytes + c->read_padding_bytes
                  + c->read_wasted_bytes + c->read_again_bytes;
}

/* ---- a pass as the forward pass makes it, every byte compared ---- */

static inline bool synthetic_dense_range(
    const Synthetic *model, Store *store, uint32_t first, uint32_t n, Error *err)
{
    while (n > 0) {
        DenseWave wave;
        if (!store_dense_next(store, first, n, &wave, err)) return false;
        CHECK(wave.first == first && wave.n_blocks >= 1 && wave.n_blocks <= n);
        for (uint32_t i = 0; i < wave.n_blocks; i++)
            CHECK(synthetic_matches(model, &model->map.dense[first + i].extent, wave.data[i]));
        if (!store_advance(store, err)) return false;
        for (uint32_t i = 0; i < wave.n_blocks; i++)
            CHECK(synthetic_matches(model, &model->map.dense[first + i].extent, wave.data[i]));
        first += wave.n_blocks;
        n -= wave.n_blocks;
        store_dense_done(store, &wave);
    }
    return true;
}

static inline bool synthetic_experts(const Synthetic *model, Store *store, uint32_t layer,
    const uint32_t *experts, uint32_t n, Error *err)
{
    uint32_t n_given[256] = {0};
    uint32_t n_left = n;
    ExpertWave wave;

    ExpertCall call = {.layer = layer, .n = n, .experts = experts};
    if (!store_experts_begin(store, &call, err)) return false;
    for (;;) {
        if (!store_experts_next(store, &wave, err)) return false;
        if (wave.n_blocks == 0) break;
        if (!store_advance(store, err)) return false;
        CHECK(wave.n_blocks <= n_left);
        for (uint32_t i = 0; i < wave.n_blocks; i++) {
            const ExpertBlock *expert =
                &model->map.experts[layer * model->map.n_expert + experts[wave.which[i]]];
            n_given[wave.which[i]]++;
            for (uint32_t k = 0; k < expert->n_extents; k++)
                CHECK(synthetic_matches(model, &expert->extents[k], wave.data[i][k]));
        }
        n_left -= wave.n_blocks;
        store_experts_done(store, &wave);
    }
    for (uint32_t i = 0; i < n; i++) CHECK(n_given[i] == 1);
    return true;
}

/* n different experts of a layer. */
static inline void synthetic_choose(const Synthetic *model, Rng *rng, uint32_t *experts, uint32_t n)
{
    uint32_t n_chosen = 0;

    for (uint32_t i = 0; i < model->map.n_expert && n_chosen < n; i++) {
        uint32_t n_left = model->map.n_expert - i;
        if (rng_below(rng, n_left) < n - n_chosen) experts[n_chosen++] = i;
    }
}

static inline bool synthetic_rows(
    const Synthetic *model, Store *store, Rng *rng, uint32_t n, Error *err)
{
    uint32_t rows[64];
    uint32_t row_bytes = model->shape.row_bytes;
    uint8_t *out = malloc((size_t)n * row_bytes);

    for (uint32_t i = 0; i < n; i++) rows[i] = (uint32_t)rng_below(rng, model->map.rows.n_rows);
    bool ok = store_rows_read(store, rows, n, out, err);
    for (uint32_t i = 0; ok && i < n; i++)
        CHECK(memcmp(model->data + model->map.rows.first_row.offset_bytes
                         + (uint64_t)rows[i] * row_bytes,
                  out + (size_t)i * row_bytes, row_bytes)
              == 0);
    free(out);
    return ok;
}

/* One pass of n_rows rows; experts are drawn from the random stream. */
static inline bool synthetic_pass(
    const Synthetic *model, Store *store, Rng *rng, bool with_head, uint32_t n_rows, Error *err)
{
    const Shape *shape = &model->shape;
    uint32_t experts[256];

    if (!store_pass_begin(store, with_head, err)) return false;
    if (!synthetic_rows(model, store, rng, n_rows, err)) return false;
    for (uint32_t layer = 0; layer < shape->n_layers; layer++) {
        uint32_t first = layer * shape->dense_per_layer;
        if (!synthetic_dense_range(model, store, first, shape->dense_per_layer, err)) return false;
        if (shape->n_expert == 0) continue;
        uint32_t n = shape->n_expert_used * n_rows;
        if (n > shape->n_expert) n = shape->n_expert;
        synthetic_choose(model, rng, experts, n);
        if (!synthetic_experts(model, store, layer, experts, n, err)) return false;
    }
    uint32_t n_body = synthetic_n_body(model);
    if (with_head && !synthetic_dense_range(model, store, n_body, shape->n_head, err)) return false;
    return store_pass_end(store, err);
}

#endif

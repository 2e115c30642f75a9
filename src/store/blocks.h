/* What a model consists of, as the store sees it: runs of bytes in files and the order in
 * which passes need them. model/layout makes it; nothing here knows what bytes mean. */
#ifndef HYPURA_STORE_BLOCKS_H
#define HYPURA_STORE_BLOCKS_H

#include "sys/file.h"

#define BLOCK_BYTES_MAX    (1u << 20) // a dense block with its alignment padding: one ring slot
#define EXPERT_EXTENTS_MAX 3          // gate, up, down

typedef struct Extent {
    uint32_t file;
    uint32_t n_bytes;
    uint64_t offset_bytes;
} Extent;

/* A row range of a dense matrix. */
typedef struct DenseBlock {
    Extent extent;
    uint32_t layer; // for reports; n_layer: the head
    bool is_head;   // needed only by passes that want logits
} DenseBlock;

/* One expert of one layer: an extent per projection. */
typedef struct ExpertBlock {
    Extent extents[EXPERT_EXTENTS_MAX];
    uint32_t n_extents;
} ExpertBlock;

/* A matrix of which passes read single rows (the embedding table). Where the table is also
 * the head, its rows may be found in dense blocks: first_dense_block says where it begins
 * there. first_row is its place in the file either way. */
typedef struct RowTable {
    Extent first_row; // n_bytes: of one row
    uint64_t n_rows;  // 0: no such table
    bool is_dense;    // tied to the head: rows lie in dense blocks from first_dense_block on
    uint32_t first_dense_block;
    uint32_t rows_per_block; // of those dense blocks
} RowTable;

/* Owned by whoever made it; borrowed by the store for its life. */
typedef struct BlockMap {
    Extent *trunk; // [n_trunk] small tensors: loaded once, pinned
    uint32_t n_trunk;
    DenseBlock *dense; // [n_dense] in pass order, head blocks last
    uint32_t n_dense;
    ExpertBlock *experts; // [n_expert_layers][n_expert], layer-major in pass order
    uint32_t n_expert_layers, n_expert;
    uint32_t n_expert_used; // of a layer, per token; for planning
    RowTable rows;
    uint64_t weight_bytes; // sum of all tensors' bytes: what "all" and percentages mean
} BlockMap;

/* Readable past each block's end, so that kernels may load whole vectors. */
#define BLOCK_TAIL_BYTES 64

/* What a read of `extent` moves: from the alignment's multiple at or below its begin to the
 * one at or above its end. The alignment is a power of two. */
uint64_t extent_span_bytes(const Extent *extent, uint32_t alignment);

/* The memory that holds this very span and the readable tail; a multiple of the alignment. */
uint64_t extent_place_bytes(const Extent *extent, uint32_t alignment);

/* The memory that holds any expert with extents of these sizes, wherever they lie in the file. */
uint64_t expert_place_bytes(const ExpertBlock *expert, uint32_t alignment);

/* Payload of all extents. */
uint64_t expert_payload_bytes(const ExpertBlock *expert);

/* The expert's number among all of the map, layer-major. */
uint32_t blocks_expert_index(const BlockMap *map, uint32_t expert_layer, uint32_t expert);
uint32_t blocks_n_experts(const BlockMap *map);

/* Refuses a map that the store cannot serve: nothing dense, an empty or too large block, an
 * extent outside its file (FORMAT_TRUNCATED), head blocks before others, a row table that
 * its blocks do not hold. */
CHECKED bool blocks_check(const BlockMap *map, const File *files, uint32_t n_files, Error *err);

#endif

/* Tensors to blocks: what the store must know of a model, and nothing of what it means. */
#ifndef HYPURA_MODEL_LAYOUT_H
#define HYPURA_MODEL_LAYOUT_H

#include "model/weights.h"
#include "store/blocks.h"

/*
 * Cuts dense matrices into row ranges of at most BLOCK_BYTES_MAX, in pass order, makes a
 * block of each expert and an extent of each trunk tensor, and writes the block numbers into
 * `weights`. The caller ends `out` with layout_destroy. On failure nothing is held.
 */
CHECKED bool layout_make(BlockMap *out, Weights *weights, const Shape *shape, Error *err);
void layout_destroy(BlockMap *map);

#endif

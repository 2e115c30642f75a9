/* The forward pass: rows of any sequences in, logits out. */
#ifndef HYPURA_MODEL_FORWARD_H
#define HYPURA_MODEL_FORWARD_H

#include "model/multiply.h"
#include "model/positions.h"
#include "model/scratch.h"
#include "model/state.h"

/* One token of one sequence. Rows of a sequence are in order of position and without gaps. */
typedef struct Row {
    SequenceState *state; // pages for `position` are reserved
    uint32_t position;
    int32_t token; // in [0, n_vocab)
    bool wants_logits;
} Row;

/* Sees results on their way; NULL functions are not called. */
typedef struct Observer {
    void *context;
    // x: [n_rows][n_embd] after a layer; false stops the pass (INTERRUPTED)
    bool (*layer)(void *context, uint32_t layer, const float *x, uint32_t n_rows);
    // of the rows that want logits
    void (*result_norm)(void *context, const float *x, uint32_t n_rows);
} Observer;

/* All borrowed but scratch and positions. One thread at a time. */
typedef struct Forward {
    const Shape *shape;
    const Weights *weights;
    Store *store;
    Compute compute;
    Positions positions;
    Scratch scratch;
} Forward;

/* Sizes for passes of n_rows rows, n_logits of them with logits: what a scratch must hold. */
ScratchSizes forward_scratch_sizes(const Shape *shape, const Weights *weights,
    const Compute *compute, uint32_t n_rows, uint32_t n_logits);

/* On failure nothing is held. */
CHECKED bool forward_init(Forward *forward, const Shape *shape, const Weights *weights,
    Store *store, const Compute *compute, const ScratchSizes *sizes, Error *err);
void forward_destroy(Forward *forward);

/*
 * Runs the model over rows[0..n_rows) and leaves the logits of the rows that want them, in
 * order, in scratch.logits [n][n_vocab]. Keys and values of all rows are in their pages
 * afterwards; the caller moves end_position. A row's logits are the same bits whatever the
 * other rows are. On failure (a read, or NUMERIC naming the layer) no logits are valid, and
 * the store is ready for another pass.
 */
CHECKED bool forward_pass(
    Forward *forward, const Row *rows, uint32_t n_rows, const Observer *observer, Error *err);

#endif

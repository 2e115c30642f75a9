/* Matrices times activations: jobs for the pool, and dense matrices as their blocks arrive. */
#ifndef HYPURA_MODEL_MULTIPLY_H
#define HYPURA_MODEL_MULTIPLY_H

#include "model/weights.h"
#include "store/store.h"
#include "sys/pool.h"

/* Who computes, and how. */
typedef struct Compute {
    const Kernels *kernels;
    Pool *pool;           // may come later than the rest
    uint32_t n_workers;   // that the pool has or will have
    bool decodes_weights; // --f32-activations: weights become float32, activations stay
} Compute;

/* y[t * y_stride + r] for n_out rows of one matrix or of a range of it. */
typedef struct MatmulJob {
    QuantType type;
    const uint8_t *w;
    uint64_t row_bytes;
    uint32_t n_out;
    float *y;
    size_t y_stride;
    const Acts *acts;
} MatmulJob;

/* The activations of a weight type in this mode. */
ActKind compute_act_kind(const Compute *compute, QuantType type);

/* Runs all jobs, split by rows among the workers. */
void compute_matmul(const Compute *compute, const MatmulJob *jobs, uint32_t n_jobs);

/* Calls task(context, worker, row) for every row; a single row without waking anyone. */
void compute_rows(const Compute *compute, uint32_t n_rows, PoolUnitTask *task, void *context);

/* Fills several activations from float rows, split by units among the workers. */
typedef struct ActsFill {
    Acts *acts;
    const float *x;
    size_t x_stride;
    const uint32_t *index; // rows of x, or NULL: 0, 1, …
} ActsFill;
void compute_fill(const Compute *compute, const ActsFill *fills, uint32_t n_fills);

/* The input of some matrices, quantised once for each kind that they want. */
typedef struct Input {
    const float *x;
    size_t x_stride;
    uint32_t n_rows, n_cols;
    uint8_t *room; // borrowed scratch
    uint64_t room_bytes, used_bytes;
    Acts by_kind[ACT_KINDS]; // data NULL: not yet made
} Input;

const Acts *input_acts(const Compute *compute, Input *input, ActKind kind);

/* y[i][t * y_stride[i] + r] = matrices[i] x input, biases added where the model has them.
 * Dense matrices must be neighbours in pass order; their blocks are awaited as they come. */
CHECKED bool multiply_dense(const Compute *compute, Store *store, const Matrix *const *matrices,
    uint32_t n_matrices, Input *input, float *const *y, const size_t *y_stride, Error *err);

/* The same for one matrix of the trunk. */
void multiply_trunk(const Compute *compute, const Store *store, const Matrix *matrix, Input *input,
    float *y, size_t y_stride);

#endif

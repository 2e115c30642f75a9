/* The working memory of a pass, sized once for the most rows that a pass may have; nothing on
 * the path of a token allocates. */
#ifndef HYPURA_MODEL_SCRATCH_H
#define HYPURA_MODEL_SCRATCH_H

#include "model/shape.h"
#include "sys/pages.h"

/* What a scratch is made for. */
typedef struct ScratchSizes {
    uint32_t n_rows;   // most rows of a pass
    uint32_t n_logits; // most rows of a pass that want logits
    uint32_t n_workers;
    uint64_t embedding_row_bytes;
    bool kinds[ACT_KINDS];        // activations that matrices outside the experts take
    bool expert_kinds[ACT_KINDS]; // and those of the experts
} ScratchSizes;

/* Row-major float arrays; T is sizes.n_rows, P = T * n_expert_used. */
typedef struct Scratch {
    ScratchSizes sizes;
    float *x;                // [T][n_embd] residual stream
    float *normed;           // [T][n_embd]
    float *q;                // [T][n_head * d_k]
    float *k;                // [T][n_head_kv * d_k]
    float *v;                // [T][n_head_kv * d_v]
    float *attended;         // [T][n_head * d_v]
    float *cos, *sin;        // [T][n_rot / 2]
    float *gate, *up;        // [T][n_ff], or [P][n_ff_expert]
    float *expert_out;       // [P][n_embd]
    float *delta;            // [T][n_embd] what a block of the layer adds to x
    float *router;           // [T][n_expert]
    uint32_t *expert_of;     // [T][n_expert_used] chosen experts by rank
    float *expert_weight;    // [T][n_expert_used]
    uint32_t *pair_of;       // [T][n_expert_used] place of (row, rank) in the order by expert
    uint32_t *pair_row;      // [P] row of each place
    uint32_t *group_first;   // [n_expert + 1] first place of each expert's group
    uint32_t *group_expert;  // [n_expert] experts in use
    uint32_t *group_rows;    // [n_expert] rows of each of these
    float *logits;           // [n_logits_max][n_vocab]
    uint8_t *embedding_rows; // [T][row bytes]
    uint8_t *acts[2];        // inputs of a matrix; activations of experts
    uint64_t acts_bytes[2];
    float *worker; // [n_workers][worker_floats]: attention's partial results
    uint64_t worker_floats;
    Pages pages; // all of the above
} Scratch;

/* Bytes that a scratch of these sizes takes. */
uint64_t scratch_bytes(const Shape *shape, const ScratchSizes *sizes);

CHECKED bool scratch_init(
    Scratch *scratch, const Shape *shape, const ScratchSizes *sizes, Error *err);
void scratch_destroy(Scratch *scratch);

/* Room for the activations of an expert's n_rows rows, whichever of its matrices they are for. */
uint64_t scratch_expert_acts_bytes(const Scratch *scratch, const Shape *shape, uint32_t n_rows);

#endif

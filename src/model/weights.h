/* Where every weight of a model lies: matrices that stream as dense blocks, small tensors of
 * the trunk, experts. bind.c fills it from tensor names, layout.c adds the blocks. Plain data;
 * nothing here owns memory but the layers. */
#ifndef HYPURA_MODEL_WEIGHTS_H
#define HYPURA_MODEL_WEIGHTS_H

#include "gguf/gguf.h"
#include "model/shape.h"

#define TRUNK_NONE UINT32_MAX

/* A matrix that is multiplied with: y[n_out] = W[n_out][n_in] x[n_in]. */
typedef struct Matrix {
    const GgufTensor *tensor; // NULL: the model has none. Borrowed from the file
    QuantType type;
    uint32_t n_in, n_out;
    uint64_t row_bytes;
    uint32_t bias;  // trunk index of [n_out] float32, or TRUNK_NONE
    uint32_t trunk; // trunk index of the matrix itself, or TRUNK_NONE: dense blocks
    uint32_t first_block, n_blocks, rows_per_block; // in BlockMap.dense, in row order
} Matrix;

/* One projection of all experts of a layer: a slab of n_expert matrices. */
typedef struct ExpertMatrix {
    const GgufTensor *tensor;
    QuantType type;
    uint32_t n_in, n_out;
    uint64_t row_bytes;
    uint64_t expert_bytes; // n_out * row_bytes
} ExpertMatrix;

typedef enum ExpertProjection {
    EXPERT_GATE,
    EXPERT_UP,
    EXPERT_DOWN,
    EXPERT_PROJECTIONS
} ExpertProjection;

typedef struct LayerWeights {
    uint32_t attn_norm, ffn_norm; // trunk indices of [n_embd]
    uint32_t q_norm, k_norm;      // of [d_k], or TRUNK_NONE
    Matrix q, k, v, o;
    Matrix gate, up, down; // dense feed-forward; tensors NULL in a mixture
    Matrix router;         // in the trunk; tensor NULL without experts
    ExpertMatrix experts[EXPERT_PROJECTIONS];
    uint32_t expert_layer; // index among the layers with experts
} LayerWeights;

typedef struct Weights {
    LayerWeights *layers; // [n_layer], owned (MEM_OTHER)
    uint32_t n_layer;
    const GgufTensor *embedding; // rows are read one by one
    Matrix head;                 // output.weight, or the embedding table when tied
    bool is_tied;
    uint32_t output_norm;
    uint32_t rope_factors;    // trunk index of [n_rot/2] divisors, or TRUNK_NONE
    const GgufTensor **trunk; // [n_trunk], owned; the tensors behind the trunk indices
    uint32_t n_trunk;
    uint64_t weight_bytes; // of all tensors that belong to the model
} Weights;

/* Finds every tensor by name and checks type and shape against `shape`. Tensors that the family
 * does not have are refused by name; so is a missing one. `gguf` must outlive `out`. On failure
 * nothing is held. */
CHECKED bool weights_bind(Weights *out, const GgufFile *gguf, const Shape *shape, Error *err);
void weights_destroy(Weights *weights);

#endif

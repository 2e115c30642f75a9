/* Tensor names to roles. Each tensor's exact shape follows from the hyperparameters, so no
 * kernel ever meets an unchecked size; a tensor that nothing claims is refused, since leaving
 * it out would change the result. */
#include "model/weights.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "quant/decode.h"

#define NAME_BYTES 80

typedef struct Binder {
    const GgufFile *gguf;
    const Shape *shape;
    Weights *weights;
    uint32_t trunk_capacity;
    size_t n_claimed;
    Error *err;
} Binder;

typedef enum TensorNeed { TENSOR_REQUIRED, TENSOR_OPTIONAL } TensorNeed;

/* layer below 0: a tensor of the whole model. */
static const char *tensor_name(char *out, int64_t layer, const char *role, const char *suffix)
{
    if (layer < 0)
        snprintf(out, NAME_BYTES, "%s.%s", role, suffix);
    else
        snprintf(out, NAME_BYTES, "blk.%" PRId64 ".%s.%s", layer, role, suffix);
    return out;
}

/* Finds a tensor of exactly dims[0..n_dims). *found is NULL only for an absent optional one. */
static bool claim(Binder *binder, const char *name, TensorNeed need, const uint64_t *dims,
    uint32_t n_dims, const GgufTensor **found)
{
    const GgufTensor *tensor = gguf_find_tensor(binder->gguf, view_of(name));

    *found = NULL;
    if (!tensor) {
        if (need == TENSOR_OPTIONAL) return true;
        return error_set(binder->err, ERROR_TENSOR_MISSING, "tensor '%s' is missing", name);
    }
    for (uint32_t i = 0; i < GGUF_DIMS_MAX; i++) {
        uint64_t want = i < n_dims ? dims[i] : 1;
        if (tensor->dims[i] != want)
            return error_set(binder->err, ERROR_MODEL_SHAPE,
                "tensor '%s': dimension %u is %" PRIu64 ", not %" PRIu64, name, i, tensor->dims[i],
                want);
    }
    binder->n_claimed++;
    binder->weights->weight_bytes += tensor->n_bytes;
    *found = tensor;
    return true;
}

static uint32_t add_trunk(Binder *binder, const GgufTensor *tensor)
{
    Weights *weights = binder->weights;
    assert(weights->n_trunk < binder->trunk_capacity);
    weights->trunk[weights->n_trunk] = tensor;
    return weights->n_trunk++;
}

/* A float32 vector of the trunk. */
static bool bind_vector(Binder *binder, int64_t layer, const char *role, const char *suffix,
    TensorNeed need, uint32_t n, uint32_t *index)
{
    char name[NAME_BYTES];
    const GgufTensor *tensor;
    uint64_t dims[] = {n};

    *index = TRUNK_NONE;
    if (!claim(binder, tensor_name(name, layer, role, suffix), need, dims, 1, &tensor))
        return false;
    if (!tensor) return true;
    if (tensor->type != QUANT_F32)
        return error_set(binder->err, ERROR_TENSOR_TYPE, "tensor '%s': type %s, not F32", name,
            quant_get(tensor->type)->name);
    *index = add_trunk(binder, tensor);
    return true;
}

static bool check_multipliable(Binder *binder, const char *name, const GgufTensor *tensor)
{
    if (quant_can_decode(tensor->type)) return true;
    return error_set(binder->err, ERROR_TENSOR_TYPE,
        "tensor '%s': type %s cannot be multiplied with in this version", name,
        quant_get(tensor->type)->name);
}

static bool bind_matrix(
    Binder *binder, int64_t layer, const char *role, uint32_t n_in, uint32_t n_out, Matrix *out)
{
    char name[NAME_BYTES];
    const GgufTensor *tensor;
    uint64_t dims[] = {n_in, n_out};

    *out = (Matrix){.bias = TRUNK_NONE, .trunk = TRUNK_NONE};
    if (!claim(binder, tensor_name(name, layer, role, "weight"), TENSOR_REQUIRED, dims, 2, &tensor))
        return false;
    if (!check_multipliable(binder, name, tensor)) return false;
    out->tensor = tensor;
    out->type = tensor->type;
    out->n_in = n_in;
    out->n_out = n_out;
    out->row_bytes = quant_row_bytes(tensor->type, n_in);
    if (!binder->shape->arch->biases_allowed) return true;
    return bind_vector(binder, layer, role, "bias", TENSOR_OPTIONAL, n_out, &out->bias);
}

static bool bind_experts(Binder *binder, int64_t layer, const char *role, uint32_t n_in,
    uint32_t n_out, ExpertMatrix *out)
{
    char name[NAME_BYTES];
    const GgufTensor *tensor;
    uint64_t dims[] = {n_in, n_out, binder->shape->n_expert};

    if (!claim(binder, tensor_name(name, layer, role, "weight"), TENSOR_REQUIRED, dims, 3, &tensor))
        return false;
    if (!check_multipliable(binder, name, tensor)) return false;
    *out = (ExpertMatrix){.tensor = tensor, .type = tensor->type, .n_in = n_in, .n_out = n_out};
    out->row_bytes = quant_row_bytes(tensor->type, n_in);
    out->expert_bytes = out->row_bytes * n_out;
    return true;
}

static bool bind_attention(Binder *binder, uint32_t layer, LayerWeights *w)
{
    const Shape *shape = binder->shape;
    uint32_t n_q = shape->n_head * shape->d_k;

    if (!bind_vector(
            binder, layer, "attn_norm", "weight", TENSOR_REQUIRED, shape->n_embd, &w->attn_norm))
        return false;
    if (!bind_matrix(binder, layer, "attn_q", shape->n_embd, n_q, &w->q)) return false;
    if (!bind_matrix(binder, layer, "attn_k", shape->n_embd, shape->n_head_kv * shape->d_k, &w->k))
        return false;
    if (!bind_matrix(binder, layer, "attn_v", shape->n_embd, shape->n_head_kv * shape->d_v, &w->v))
        return false;
    if (!bind_matrix(
            binder, layer, "attn_output", shape->n_head * shape->d_v, shape->n_embd, &w->o))
        return false;
    w->q_norm = w->k_norm = TRUNK_NONE;
    if (!shape->arch->has_qk_norm) return true;
    return bind_vector(
               binder, layer, "attn_q_norm", "weight", TENSOR_REQUIRED, shape->d_k, &w->q_norm)
           && bind_vector(
               binder, layer, "attn_k_norm", "weight", TENSOR_REQUIRED, shape->d_k, &w->k_norm);
}

static bool bind_feed_forward(Binder *binder, uint32_t layer, LayerWeights *w)
{
    const Shape *shape = binder->shape;

    if (!bind_vector(
            binder, layer, "ffn_norm", "weight", TENSOR_REQUIRED, shape->n_embd, &w->ffn_norm))
        return false;
    if (shape->n_expert == 0)
        return bind_matrix(binder, layer, "ffn_gate", shape->n_embd, shape->n_ff, &w->gate)
               && bind_matrix(binder, layer, "ffn_up", shape->n_embd, shape->n_ff, &w->up)
               && bind_matrix(binder, layer, "ffn_down", shape->n_ff, shape->n_embd, &w->down);

    w->expert_layer = layer;
    if (!bind_matrix(binder, layer, "ffn_gate_inp", shape->n_embd, shape->n_expert, &w->router))
        return false;
    w->router.trunk = add_trunk(binder, w->router.tensor);
    return bind_experts(binder, layer, "ffn_gate_exps", shape->n_embd, shape->n_ff_expert,
               &w->experts[EXPERT_GATE])
           && bind_experts(binder, layer, "ffn_up_exps", shape->n_embd, shape->n_ff_expert,
               &w->experts[EXPERT_UP])
           && bind_experts(binder, layer, "ffn_down_exps", shape->n_ff_expert, shape->n_embd,
               &w->experts[EXPERT_DOWN]);
}

static bool bind_ends(Binder *binder)
{
    const Shape *shape = binder->shape;
    Weights *weights = binder->weights;
    uint64_t dims[] = {shape->n_embd, shape->n_vocab};

    if (!claim(binder, "token_embd.weight", TENSOR_REQUIRED, dims, 2, &weights->embedding))
        return false;
    if (!check_multipliable(binder, "token_embd.weight", weights->embedding)) return false;
    if (!bind_vector(binder, -1, "output_norm", "weight", TENSOR_REQUIRED, shape->n_embd,
            &weights->output_norm))
        return false;
    if (!bind_vector(binder, -1, "rope_freqs", "weight", TENSOR_OPTIONAL, shape->n_rot / 2,
            &weights->rope_factors))
        return false;

    weights->is_tied = !gguf_find_tensor(binder->gguf, view_of("output.weight"));
    if (!weights->is_tied)
        return bind_matrix(binder, -1, "output", shape->n_embd, shape->n_vocab, &weights->head);
    weights->head = (Matrix){.tensor = weights->embedding,
        .type = weights->embedding->type,
        .n_in = shape->n_embd,
        .n_out = shape->n_vocab,
        .bias = TRUNK_NONE,
        .trunk = TRUNK_NONE};
    weights->head.row_bytes = quant_row_bytes(weights->head.type, shape->n_embd);
    return true;
}

/* Names that files carry without effect on the result. */
static bool is_harmless(StringView name)
{
    return name.n_bytes > 14
           && view_is((StringView){name.data + name.n_bytes - 14, 14}, "rotary_emb.inv");
}

/* Every tensor must have found its role. The binder's counts make the common case cheap. */
static bool refuse_unclaimed(Binder *binder)
{
    const Weights *weights = binder->weights;

    if (binder->n_claimed == gguf_n_tensors(binder->gguf)) return true;
    for (size_t i = 0; i < gguf_n_tensors(binder->gguf); i++) {
        const GgufTensor *tensor = gguf_tensor(binder->gguf, i);
        bool is_claimed = tensor == weights->embedding || tensor == weights->head.tensor
                          || is_harmless(tensor->name);

        for (uint32_t t = 0; t < weights->n_trunk && !is_claimed; t++)
            is_claimed = weights->trunk[t] == tensor;
        for (uint32_t l = 0; l < weights->n_layer && !is_claimed; l++) {
            const LayerWeights *w = &weights->layers[l];
            const Matrix *matrices[] = {
                &w->q, &w->k, &w->v, &w->o, &w->gate, &w->up, &w->down, &w->router};
            for (size_t m = 0; m < COUNT(matrices); m++)
                is_claimed |= matrices[m]->tensor == tensor;
            for (size_t m = 0; m < EXPERT_PROJECTIONS; m++)
                is_claimed |= w->experts[m].tensor == tensor;
        }
        if (!is_claimed)
            return error_set(binder->err, ERROR_MODEL_UNSUPPORTED,
                "tensor '%.*s' has no place in '%s' as this version "
                "computes it",
                SV(tensor->name), binder->shape->arch->name);
    }
    return true;
}

bool weights_bind(Weights *out, const GgufFile *gguf, const Shape *shape, Error *err)
{
    Binder binder = {.gguf = gguf, .shape = shape, .weights = out, .err = err};

    *out = (Weights){.n_layer = shape->n_layer};
    binder.trunk_capacity =
        2 + 16 * shape->n_layer; // at most 4 norms, 8 biases and a router a layer
    out->layers = mem_alloc_array(MEM_OTHER, shape->n_layer, sizeof(LayerWeights), err);
    out->trunk = mem_alloc_array(MEM_OTHER, binder.trunk_capacity, sizeof(GgufTensor *), err);
    if (!out->layers || !out->trunk) goto fail;

    if (!bind_ends(&binder)) goto fail;
    for (uint32_t layer = 0; layer < shape->n_layer; layer++) {
        if (!bind_attention(&binder, layer, &out->layers[layer])) goto fail;
        if (!bind_feed_forward(&binder, layer, &out->layers[layer])) goto fail;
    }
    if (!refuse_unclaimed(&binder)) goto fail;
    return true;

fail:
    weights_destroy(out);
    return false;
}

void weights_destroy(Weights *weights)
{
    mem_free(MEM_OTHER, weights->layers);
    mem_free(MEM_OTHER, weights->trunk);
    *weights = (Weights){0};
}

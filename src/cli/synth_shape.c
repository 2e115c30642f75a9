/* The shapes are those of published models, so that bytes per token, block sizes and the
 * depth of the pass are theirs. gpt-oss-120b has that model's sizes without its biases and
 * sinks, in the layout of qwen3moe. The tiny ones are for tests.
 *
 * Deviations keep activations of ordinary size at any depth. A matrix of n inputs has
 * 1/sqrt(n), so that a normalised input gives outputs of deviation 1. The head has
 * 3/sqrt(n): logits spread like a trained model's. So has the embedding, which shares rows
 * with it (cli/synth_routing.c), and the two matrices of a layer that write to the residual
 * stream are smaller by that and by sqrt(2 n_layer) (Radford et al. 2019, section 2.3): a
 * token stays as loud as all layers together, and RMSNorm does not see the scale.
 *
 * "Q4_K_M" is the common mixture: Q4_K, but Q6_K for the head (with the embedding, in a
 * mixture of experts) and, in the first and last eighth of the layers and every third
 * between, for attn_v and ffn_down. Norms and routers are F32. Rows that are no multiple of
 * 256 are Q4_0. */
#include "cli/synth_shape.h"

#include <math.h>
#include <stdio.h>

#include "cli/synth_vocab.h"

#define HEAD_LOUDNESS 3

// clang-format off
static const SynthShape shapes[] = {
    /* name, arch, pre, layers, embd, heads, kv, dim, ff, experts, used, vocab, ctx, rope, eps, head norms, bos */
    {"llama-3-8b",    "llama",    "llama-bpe", 32, 4096, 32,  8, 128, 14336,   0, 0, 128256,  8192,  5e5f, 1e-5f, false, true},
    {"llama-3-70b",   "llama",    "llama-bpe", 80, 8192, 64,  8, 128, 28672,   0, 0, 128256,  8192,  5e5f, 1e-5f, false, true},
    {"mixtral-8x7b",  "llama",    "llama-bpe", 32, 4096, 32,  8, 128, 14336,   8, 2,  32000, 32768,  1e6f, 1e-5f, false, true},
    {"qwen3-30b-a3b", "qwen3moe", "qwen2",     48, 2048, 32,  4, 128,   768, 128, 8, 151936, 40960,  1e6f, 1e-6f, true,  false},
    {"qwen3-235b-a22b","qwen3moe","qwen2",    94, 4096, 64,  4, 128,  1536, 128, 8, 151936, 40960,  1e6f, 1e-6f, true,  false},
    {"gpt-oss-120b",  "qwen3moe", "qwen2",     36, 2880, 64,  8,  64,  2880, 128, 4, 201088, 131072, 15e4f, 1e-5f, true, false},
    {"tiny-dense",    "llama",    "llama-bpe",  4,  256,  4,  2,  64,   768,   0, 0,    512,  2048,  5e5f, 1e-5f, false, true},
    {"tiny-moe-64",   "qwen3moe", "qwen2",      2,  512,  4,  2,  64,   256,  64, 8,   8192,  2048,  1e6f, 1e-6f, true,  false},
    {"tiny-moe",      "qwen3moe", "qwen2",      4,  256,  4,  2,  64,   256,  16, 4,    512,  2048,  1e6f, 1e-6f, true,  false},
};
// clang-format on

size_t synth_n_shapes(void)
{
    return COUNT(shapes);
}

const SynthShape *synth_shape(size_t index)
{
    return &shapes[index];
}

const SynthShape *synth_find_shape(const char *name)
{
    for (size_t i = 0; i < COUNT(shapes); i++)
        if (strcmp(name, shapes[i].name) == 0) return &shapes[i];
    return NULL;
}

/* What the matrices of a file are stored in. */
typedef struct Types {
    QuantType most, best; // `best` for the head and what matters more
    uint32_t file_type;   // general.file_type
} Types;

static bool find_types(const char *name, Types *out, Error *err)
{
    static const struct {
        const char *name;
        Types types;
    } known[] = {
        {"Q4_K_M", {QUANT_Q4_K, QUANT_Q6_K, 15}},
        {"Q4_K", {QUANT_Q4_K, QUANT_Q4_K, 14}},
        {"Q6_K", {QUANT_Q6_K, QUANT_Q6_K, 18}},
        {"Q4_0", {QUANT_Q4_0, QUANT_Q4_0, 2}},
        {"Q8_0", {QUANT_Q8_0, QUANT_Q8_0, 7}},
        {"F16", {QUANT_F16, QUANT_F16, 1}},
        {"BF16", {QUANT_BF16, QUANT_BF16, 32}},
        {"F32", {QUANT_F32, QUANT_F32, 0}},
    };

    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(name, known[i].name) != 0) continue;
        *out = known[i].types;
        return true;
    }
    return error_set(err, ERROR_USAGE,
        "--type: '%s' is not one of Q4_K_M, Q4_K, Q6_K, Q4_0, Q8_0, F16, BF16, F32", name);
}

/* Does the mixture give this layer's attn_v and ffn_down more bits? */
static bool matters_more(uint32_t layer, uint32_t n_layer)
{
    uint32_t eighth = n_layer / 8;

    if (layer < eighth || layer >= n_layer - eighth) return true;
    return (layer - eighth) % 3 == 2;
}

/* Collects the tensors of a model. */
typedef struct Plan {
    SynthModel *model;
    size_t n_tensors_max;
    uint32_t layer;
} Plan;

static QuantType type_for_row(QuantType type, uint64_t n_cols)
{
    return n_cols % quant_get(type)->block_elements == 0 ? type : QUANT_Q4_0;
}

static SynthTensor *add(
    Plan *plan, const char *name, QuantType type, SynthRole role, const uint64_t dims[3])
{
    SynthTensor *tensor = &plan->model->tensors[plan->model->n_tensors++];
    uint64_t n_rows = 1;

    tensor->type = type_for_row(type, dims[0]);
    tensor->role = role;
    for (uint32_t i = 0; i < 3 && dims[i] > 0; i++) tensor->dims[tensor->n_dims++] = dims[i];
    for (uint32_t i = 1; i < tensor->n_dims; i++) n_rows *= dims[i];
    tensor->n_bytes = n_rows * quant_row_bytes(tensor->type, dims[0]);
    snprintf(tensor->name, sizeof tensor->name, "%s.weight", name);
    plan->model->data_bytes += tensor->n_bytes;
    return tensor;
}

/* Of the head, the embedding and all that is added to it. */
static float head_deviation(const SynthShape *shape)
{
    return HEAD_LOUDNESS / sqrtf((float)shape->n_embd);
}

/* A matrix of n_in inputs; n_expert of them when not 0. */
static void add_matrix(
    Plan *plan, const char *name, QuantType type, uint64_t n_in, uint64_t n_out, uint32_t n_expert)
{
    const uint64_t dims[3] = {n_in, n_out, n_expert};

    add(plan, name, type, SYNTH_MATRIX, dims)->deviation = 1 / sqrtf((float)n_in);
}

/* A row for each token. */
static void add_token_rows(Plan *plan, const char *name, QuantType type, SynthRole role)
{
    const SynthShape *shape = &plan->model->shape;
    const uint64_t dims[3] = {shape->n_embd, shape->n_vocab, 0};

    add(plan, name, type, role, dims)->deviation = head_deviation(shape);
}

/* The last matrix writes to the residual stream. */
static void soften_last(Plan *plan)
{
    const SynthShape *shape = &plan->model->shape;
    SynthTensor *last = &plan->model->tensors[plan->model->n_tensors - 1];

    last->deviation *= head_deviation(shape) / sqrtf(2 * (float)shape->n_layer);
}

static void add_norm(Plan *plan, const char *name, uint64_t n)
{
    const uint64_t dims[3] = {n, 0, 0};

    add(plan, name, QUANT_F32, SYNTH_NORM, dims);
}

/* "blk.7.attn_q" */
static const char *name_of(const Plan *plan, const char *part, char out[32])
{
    snprintf(out, 32, "blk.%u.%s", plan->layer, part);
    return out;
}

static void add_attention(Plan *plan, Types types, bool is_better)
{
    const SynthShape *shape = &plan->model->shape;
    uint64_t n_q = (uint64_t)shape->n_head * shape->head_dim;
    uint64_t n_kv = (uint64_t)shape->n_head_kv * shape->head_dim;
    char name[32];

    add_norm(plan, name_of(plan, "attn_norm", name), shape->n_embd);
    add_matrix(plan, name_of(plan, "attn_q", name), types.most, shape->n_embd, n_q, 0);
    add_matrix(plan, name_of(plan, "attn_k", name), types.most, shape->n_embd, n_kv, 0);
    add_matrix(plan, name_of(plan, "attn_v", name), is_better ? types.best : types.most,
        shape->n_embd, n_kv, 0);
    add_matrix(plan, name_of(plan, "attn_output", name), types.most, n_q, shape->n_embd, 0);
    soften_last(plan);
    if (!shape->normalises_heads) return;
    add_norm(plan, name_of(plan, "attn_q_norm", name), shape->head_dim);
    add_norm(plan, name_of(plan, "attn_k_norm", name), shape->head_dim);
}

static void add_feed_forward(Plan *plan, Types types, bool is_better)
{
    const SynthShape *shape = &plan->model->shape;
    const uint64_t router_dims[3] = {shape->n_embd, shape->n_expert, 0};
    bool is_mixture = shape->n_expert > 0;
    char name[32];

    add_norm(plan, name_of(plan, "ffn_norm", name), shape->n_embd);
    if (is_mixture)
        add(plan, name_of(plan, "ffn_gate_inp", name), QUANT_F32, SYNTH_ROUTER, router_dims);
    add_matrix(plan, name_of(plan, is_mixture ? "ffn_gate_exps" : "ffn_gate", name), types.most,
        shape->n_embd, shape->n_ff, shape->n_expert);
    add_matrix(plan, name_of(plan, is_mixture ? "ffn_up_exps" : "ffn_up", name), types.most,
        shape->n_embd, shape->n_ff, shape->n_expert);
    add_matrix(plan, name_of(plan, is_mixture ? "ffn_down_exps" : "ffn_down", name),
        is_better ? types.best : types.most, shape->n_ff, shape->n_embd, shape->n_expert);
    soften_last(plan);
}

bool synth_plan(
    const SynthShape *shape, const char *type_name, Arena *arena, SynthModel *out, Error *err)
{
    Plan plan = {.model = out};
    Types types;

    if (!find_types(type_name, &types, err)) return false;
    *out = (SynthModel){.shape = *shape};
    plan.n_tensors_max = 3 + (size_t)shape->n_layer * 12;
    out->tensors = arena_alloc_array(arena, plan.n_tensors_max, sizeof *out->tensors, err);
    if (!out->tensors) return false;

    bool is_mixture = shape->n_expert > 0;
    out->routing = is_mixture ? synth_routing(0) : NULL;
    add_token_rows(&plan, "token_embd", is_mixture ? types.best : types.most, SYNTH_EMBEDDING);
    for (plan.layer = 0; plan.layer < shape->n_layer; plan.layer++) {
        bool is_better = matters_more(plan.layer, shape->n_layer);
        add_attention(&plan, types, is_better);
        add_feed_forward(&plan, types, is_better);
    }
    add_norm(&plan, "output_norm", shape->n_embd);
    add_token_rows(&plan, "output", types.best, SYNTH_HEAD);
    return true;
}

static void write_u32(GgufWriter *writer, const SynthShape *shape, const char *key, uint32_t value)
{
    char name[80];

    snprintf(name, sizeof name, "%s.%s", shape->arch, key);
    gguf_writer_u32(writer, name, value);
}

static void write_f32(GgufWriter *writer, const SynthShape *shape, const char *key, float value)
{
    char name[80];

    snprintf(name, sizeof name, "%s.%s", shape->arch, key);
    gguf_writer_f32(writer, name, value);
}

static void write_shape(GgufWriter *writer, const SynthShape *shape)
{
    write_u32(writer, shape, "block_count", shape->n_layer);
    write_u32(writer, shape, "context_length", shape->n_ctx);
    write_u32(writer, shape, "embedding_length", shape->n_embd);
    write_u32(writer, shape, "feed_forward_length", shape->n_ff);
    write_u32(writer, shape, "vocab_size", shape->n_vocab);
    write_u32(writer, shape, "attention.head_count", shape->n_head);
    write_u32(writer, shape, "attention.head_count_kv", shape->n_head_kv);
    write_u32(writer, shape, "attention.key_length", shape->head_dim);
    write_u32(writer, shape, "attention.value_length", shape->head_dim);
    write_f32(writer, shape, "attention.layer_norm_rms_epsilon", shape->norm_epsilon);
    write_u32(writer, shape, "rope.dimension_count", shape->head_dim);
    write_f32(writer, shape, "rope.freq_base", shape->rope_base);
    if (shape->n_expert == 0) return;
    write_u32(writer, shape, "expert_count", shape->n_expert);
    write_u32(writer, shape, "expert_used_count", shape->n_expert_used);
    write_u32(writer, shape, "expert_feed_forward_length", shape->n_ff);
}

bool synth_describe(
    const SynthModel *model, const char *type_name, Arena *arena, GgufWriter *writer, Error *err)
{
    const SynthShape *shape = &model->shape;
    Types types;

    if (!find_types(type_name, &types, err)) return false;
    gguf_writer_string(writer, "general.architecture", view_of(shape->arch));
    gguf_writer_string(writer, "general.name", view_of(shape->name));
    gguf_writer_string(writer, "general.description",
        view_of("random weights of a published model's shape, for measuring"));
    gguf_writer_u32(writer, "general.file_type", types.file_type);
    gguf_writer_u32(writer, "general.quantization_version", 2);
    write_shape(writer, shape);
    if (!synth_write_vocab(writer, shape, arena, err)) return false;
    for (size_t i = 0; i < model->n_tensors; i++) {
        const SynthTensor *tensor = &model->tensors[i];
        gguf_writer_tensor(writer, tensor->name, tensor->type, tensor->dims, tensor->n_dims);
    }
    return true;
}

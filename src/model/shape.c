/* Hyperparameters from metadata. Every divisor, product and range that later code relies on is
 * checked here, so that a crafted file cannot reach a kernel with a shape that nobody expected. */
#include "model/shape.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define KEY_BYTES 96

typedef struct KeyReader {
    const GgufFile *gguf;
    const char *prefix; // "llama"
    char key[KEY_BYTES];
    Error *err;
} KeyReader;

static const char *full_key(KeyReader *reader, const char *name)
{
    snprintf(reader->key, sizeof reader->key, "%s.%s", reader->prefix, name);
    return reader->key;
}

/* A whole number in [low, high]; `fallback` below 0: the key is required. */
static bool read_u32(KeyReader *reader, const char *name, int64_t fallback, uint32_t low,
    uint32_t high, uint32_t *out)
{
    uint32_t value = 0;
    const char *key = full_key(reader, name);
    GgufPresence presence = gguf_get_u32(reader->gguf, key, &value, reader->err);

    if (presence == GGUF_BAD) return false;
    if (presence == GGUF_ABSENT) {
        if (fallback < 0)
            return error_set(reader->err, ERROR_KEY_MISSING, "key '%s' is missing", key);
        *out = (uint32_t)fallback;
        return true;
    }
    if (value < low || value > high)
        return error_set(
            reader->err, ERROR_KEY_RANGE, "key '%s': %u is not in %u to %u", key, value, low, high);
    *out = value;
    return true;
}

/* A finite number in [low, high]; `required`: the key must be there, else *out keeps its
 * default. */
typedef enum KeyNeed { KEY_OPTIONAL, KEY_REQUIRED } KeyNeed;

static bool read_f32(
    KeyReader *reader, const char *name, KeyNeed need, float low, float high, float *out)
{
    float value = 0;
    const char *key = full_key(reader, name);
    GgufPresence presence = gguf_get_f32(reader->gguf, key, &value, reader->err);

    if (presence == GGUF_BAD) return false;
    if (presence == GGUF_ABSENT) {
        if (need == KEY_REQUIRED)
            return error_set(reader->err, ERROR_KEY_MISSING, "key '%s' is missing", key);
        return true;
    }
    if (!(value >= low && value <= high))
        return error_set(reader->err, ERROR_KEY_RANGE, "key '%s': %g is not in %g to %g", key,
            (double)value, (double)low, (double)high);
    *out = value;
    return true;
}

/* Keys whose effect no entry of the table expresses yet: only their neutral value is accepted. */
static bool refuse_effects(KeyReader *reader)
{
    static const struct {
        const char *name;
        float neutral, neutral_too;
    } effects[] = {
        {"logit_scale", 1, 0},
        {"embedding_scale", 1, 0},
        {"residual_scale", 1, 0},
        {"final_logit_softcapping", 0, 0},
        {"attn_logit_softcapping", 0, 0},
        {"expert_weights_scale", 1, 0},
        {"expert_shared_count", 0, 0},
        {"expert_gating_func", 0, 1}, // 1: softmax
        {"expert_group_count", 0, 1},
        {"expert_group_used_count", 0, 1},
        {"leading_dense_block_count", 0, 0},
        {"nextn_predict_layers", 0, 0},
        {"rope.scaling.yarn_ext_factor", 1, -1},
        {"rope.scaling.yarn_attn_factor", 1, 1},
        {"rope.scaling.yarn_log_multiplier", 0, 0},
        {"rope.scale_linear", 1, 1},
    };

    for (size_t i = 0; i < COUNT(effects); i++) {
        float value = effects[i].neutral;
        if (!read_f32(reader, effects[i].name, KEY_OPTIONAL, -INFINITY, INFINITY, &value))
            return false;
        if (value != effects[i].neutral && value != effects[i].neutral_too)
            return error_set(reader->err, ERROR_MODEL_UNSUPPORTED,
                "key '%s' = %g changes the result in a way that "
                "this version does not compute for '%s'",
                full_key(reader, effects[i].name), (double)value, reader->prefix);
    }

    const char *flags[] = {"attention.causal", "expert_weights_norm"};
    for (size_t i = 0; i < COUNT(flags); i++) {
        bool value = true;
        const char *key = full_key(reader, flags[i]);
        if (gguf_get_bool(reader->gguf, key, &value, reader->err) == GGUF_BAD) return false;
        if (!value)
            return error_set(reader->err, ERROR_MODEL_UNSUPPORTED,
                "key '%s' = false is not computed for '%s'", key, reader->prefix);
    }
    return true;
}

static bool refuse_unknown_keys(KeyReader *reader)
{
    size_t n_prefix = strlen(reader->prefix);

    for (size_t i = 0; i < gguf_n_keys(reader->gguf); i++) {
        StringView name = gguf_key_name(reader->gguf, i);
        if (!view_starts_with(name, reader->prefix) || name.n_bytes <= n_prefix
            || name.data[n_prefix] != '.')
            continue;
        StringView rest = {name.data + n_prefix + 1, name.n_bytes - n_prefix - 1};
        if (!arch_knows_key(rest))
            return error_set(reader->err, ERROR_MODEL_UNSUPPORTED,
                "key '%.*s' is not known to this version and may "
                "change the result (--override-kv '%.*s=none' runs without it)",
                SV(name), SV(name));
    }
    return true;
}

static bool read_rope_scaling(KeyReader *reader, Shape *shape)
{
    StringView type = view_of("none");
    float factor = 1, attn_factor = 1, beta_fast = 32, beta_slow = 1;

    if (gguf_get_string(reader->gguf, full_key(reader, "rope.scaling.type"), &type, reader->err)
        == GGUF_BAD)
        return false;
    if (!read_f32(reader, "rope.scaling.factor", KEY_OPTIONAL, 0, 1e6f, &factor)) return false;
    if (!read_f32(reader, "rope.scaling.attn_factor", KEY_OPTIONAL, 1e-3f, 1e3f, &attn_factor))
        return false;
    if (!read_f32(reader, "rope.scaling.yarn_beta_fast", KEY_OPTIONAL, 1e-3f, 1e6f, &beta_fast))
        return false;
    if (!read_f32(reader, "rope.scaling.yarn_beta_slow", KEY_OPTIONAL, 1e-3f, 1e6f, &beta_slow))
        return false;
    if (!read_u32(reader, "rope.scaling.original_context_length", shape->n_ctx_train, 1, 1u << 30,
            &shape->rope_n_ctx_original))
        return false;

    shape->rope_factor = factor == 0 ? 1 : (double)factor; // 0: not scaled, as older files write it
    shape->rope_magnitude = (double)attn_factor;
    shape->yarn_beta_fast = (double)beta_fast;
    shape->yarn_beta_slow = (double)beta_slow;

    if (view_is(type, "none"))
        shape->rope_factor = 1;
    else if (view_is(type, "linear"))
        shape->rope_scaling = ROPE_SCALING_LINEAR;
    else if (view_is(type, "yarn"))
        shape->rope_scaling = ROPE_SCALING_YARN;
    else
        return error_set(reader->err, ERROR_MODEL_UNSUPPORTED,
            "rope scaling '%.*s' is not computed for '%s'", SV(type), reader->prefix);
    return true;
}

static bool read_attention(KeyReader *reader, Shape *shape)
{
    if (!read_u32(reader, "attention.head_count", -1, 1, 4096, &shape->n_head)) return false;
    if (!read_u32(reader, "attention.head_count_kv", shape->n_head, 1, 4096, &shape->n_head_kv))
        return false;
    if (shape->n_head % shape->n_head_kv != 0)
        return error_set(reader->err, ERROR_MODEL_SHAPE, "%u heads do not divide among %u kv heads",
            shape->n_head, shape->n_head_kv);

    int64_t head_dim = shape->arch->head_dim_keyed ? -1 : (int64_t)(shape->n_embd / shape->n_head);
    if (!read_u32(reader, "attention.key_length", head_dim, 1, 4096, &shape->d_k)) return false;
    if (!read_u32(reader, "attention.value_length", shape->d_k, 1, 4096, &shape->d_v)) return false;
    if (shape->d_k == 0 || shape->d_v == 0)
        return error_set(reader->err, ERROR_MODEL_SHAPE,
            "%u heads of an embedding of %u have no elements", shape->n_head, shape->n_embd);
    if (!read_u32(reader, "rope.dimension_count", shape->d_k, 2, shape->d_k, &shape->n_rot))
        return false;
    if (shape->n_rot % 2 != 0)
        return error_set(reader->err, ERROR_MODEL_SHAPE, "rope over an odd number of elements (%u)",
            shape->n_rot);
    if (!read_u32(reader, "attention.sliding_window", 0, 0, 1u << 30, &shape->window)) return false;

    float base = 10000, scale = 0;
    if (!read_f32(reader, "rope.freq_base", KEY_OPTIONAL, 1.5f, 1e12f, &base)) return false;
    if (!read_f32(reader, "attention.scale", KEY_OPTIONAL, 0, 1e6f, &scale)) return false;
    shape->rope_base = (double)base;
    shape->attention_scale = scale == 0 ? 1.0f / sqrtf((float)shape->d_k) : scale;
    return read_f32(
        reader, "attention.layer_norm_rms_epsilon", KEY_REQUIRED, 0, 1, &shape->rms_eps);
}

static bool read_feed_forward(KeyReader *reader, Shape *shape)
{
    bool may_mix = shape->arch->experts != EXPERTS_NEVER;
    int64_t required = shape->arch->experts == EXPERTS_ALWAYS ? -1 : 0;

    if (!read_u32(reader, "expert_count", required, 0, EXPERTS_MAX, &shape->n_expert)) return false;
    if (shape->n_expert == 0 && shape->arch->experts == EXPERTS_ALWAYS)
        return error_set(reader->err, ERROR_MODEL_SHAPE, "a mixture without experts");
    if (shape->n_expert > 0 && !may_mix)
        return error_set(reader->err, ERROR_MODEL_UNSUPPORTED, "experts are not computed for '%s'",
            reader->prefix);
    if (shape->n_expert == 0)
        return read_u32(reader, "feed_forward_length", -1, 1, 1u << 24, &shape->n_ff);

    uint32_t n_ff = 0;
    if (!read_u32(reader, "feed_forward_length", 0, 0, 1u << 24, &n_ff)) return false;
    if (!read_u32(reader, "expert_feed_forward_length", n_ff == 0 ? -1 : (int64_t)n_ff, 1, 1u << 24,
            &shape->n_ff_expert))
        return false;
    uint32_t most = shape->n_expert < EXPERTS_USED_MAX ? shape->n_expert : EXPERTS_USED_MAX;
    return read_u32(reader, "expert_used_count", -1, 1, most, &shape->n_expert_used);
}

/* The embedding table says how many tokens there are; a key that disagrees is refused. */
static bool read_vocabulary(KeyReader *reader, Shape *shape)
{
    const GgufTensor *table = gguf_find_tensor(reader->gguf, view_of("token_embd.weight"));

    if (!table)
        return error_set(
            reader->err, ERROR_TENSOR_MISSING, "tensor 'token_embd.weight' is missing");
    if (table->n_dims != 2 || table->dims[1] > 1u << 24)
        return error_set(reader->err, ERROR_TENSOR_SHAPE,
            "tensor 'token_embd.weight': not a table of at most 2^24 "
            "rows");
    return read_u32(reader, "vocab_size", (int64_t)table->dims[1], (uint32_t)table->dims[1],
        (uint32_t)table->dims[1], &shape->n_vocab);
}

bool shape_read(const GgufFile *gguf, Shape *out, Error *err)
{
    StringView name = {0};
    Shape shape = {0};

    GgufPresence presence = gguf_get_string(gguf, "general.architecture", &name, err);
    if (presence == GGUF_BAD) return false;
    if (presence == GGUF_ABSENT)
        return error_set(err, ERROR_KEY_MISSING, "key 'general.architecture' is missing");
    shape.arch = arch_find(name);
    if (!shape.arch)
        return error_set(err, ERROR_ARCH_UNKNOWN,
            "architecture '%.*s' is not one that this version runs (%s)", SV(name), arch_names());

    KeyReader reader = {.gguf = gguf, .prefix = shape.arch->name, .err = err};
    if (!refuse_unknown_keys(&reader) || !refuse_effects(&reader)) return false;
    if (!read_u32(&reader, "context_length", -1, 1, 1u << 30, &shape.n_ctx_train)) return false;
    if (!read_u32(&reader, "embedding_length", -1, 1, 1u << 20, &shape.n_embd)) return false;
    if (!read_u32(&reader, "block_count", -1, 1, LAYERS_MAX, &shape.n_layer)) return false;
    if (!read_vocabulary(&reader, &shape)) return false;
    if (!read_attention(&reader, &shape)) return false;
    if (!read_feed_forward(&reader, &shape)) return false;
    if (!read_rope_scaling(&reader, &shape)) return false;
    *out = shape;
    return true;
}

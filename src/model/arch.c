/* The table of model families and of their keys. Sources: the GGUF specification's key list
 * and, per family, Touvron et al. 2023 (arXiv:2302.13971), Jiang et al. 2024
 * (arXiv:2401.04088), Yang et al. 2025 (arXiv:2505.09388). */
#include "model/arch.h"

// clang-format off
static const Arch archs[] = {
    {.name = "llama",    .rope_style = ROPE_INTERLEAVED, .experts = EXPERTS_IF_KEYED, .activation = ACTIVATION_SILU,
     .has_qk_norm = false, .biases_allowed = true,  .head_dim_keyed = false},
    {.name = "qwen3",    .rope_style = ROPE_HALF_SPLIT,  .experts = EXPERTS_NEVER,    .activation = ACTIVATION_SILU,
     .has_qk_norm = true,  .biases_allowed = false, .head_dim_keyed = true},
    {.name = "qwen3moe", .rope_style = ROPE_HALF_SPLIT,  .experts = EXPERTS_ALWAYS,   .activation = ACTIVATION_SILU,
     .has_qk_norm = true,  .biases_allowed = false, .head_dim_keyed = true},
};

/* Keys behind "A." that shape.c reads, or that do not change a result. */
static const char *const known_keys[] = {
    "vocab_size", "context_length", "embedding_length", "block_count", "feed_forward_length",
    "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
    "attention.layer_norm_rms_epsilon", "attention.scale", "attention.sliding_window", "attention.causal",
    "rope.dimension_count", "rope.freq_base", "rope.scale_linear",
    "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length",
    "rope.scaling.attn_factor", "rope.scaling.finetuned",
    "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_log_multiplier",
    "expert_count", "expert_used_count", "expert_feed_forward_length", "expert_shared_count",
    "expert_weights_norm", "expert_weights_scale", "expert_gating_func", "expert_group_count",
    "expert_group_used_count", "leading_dense_block_count", "nextn_predict_layers",
    "logit_scale", "embedding_scale", "residual_scale", "final_logit_softcapping", "attn_logit_softcapping",
    "attention.layer_norm_epsilon", "tensor_data_layout", "use_parallel_residual", "pooling_type",
};
// clang-format on

const Arch *arch_find(StringView name)
{
    for (size_t i = 0; i < COUNT(archs); i++)
        if (view_is(name, archs[i].name)) return &archs[i];
    return NULL;
}

const char *arch_names(void)
{
    return "llama, qwen3, qwen3moe";
}

bool arch_knows_key(StringView key_without_prefix)
{
    for (size_t i = 0; i < COUNT(known_keys); i++)
        if (view_is(key_without_prefix, known_keys[i])) return true;
    return false;
}

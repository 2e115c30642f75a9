/* Hyperparameters: what a file says, and every way in which it can say something that must not
 * be run. */
#include "model/shape.h"

#include "engine/overrides.h"
#include "harness.h"

#define DENSE_PATH   HYPURA_SOURCE_ROOT "/tests/data/arch/llama3.head.gguf"
#define MIXTURE_PATH HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf"

/* The shape of a file with one key changed ("KEY=int:1"; NULL: as it is). */
static bool read_changed(const char *path, const char *change, Shape *shape, Error *err)
{
    GgufOverride override = {0};
    if (change && !override_parse(change, &override, err)) return false;
    GgufFile *gguf = gguf_open(path, GGUF_METADATA_ONLY, &override, change ? 1 : 0, err);
    bool ok = gguf && shape_read(gguf, shape, err);
    gguf_close(gguf);
    return ok;
}

TEST(a_dense_llama_is_read)
{
    Error err = {0};
    Shape shape = {0};
    CHECK(read_changed(DENSE_PATH, NULL, &shape, &err));
    CHECK(strcmp(shape.arch->name, "llama") == 0);
    CHECK(shape.n_vocab == 288 && shape.n_embd == 64 && shape.n_layer == 3 && shape.n_ff == 96);
    CHECK(shape.n_head == 4 && shape.n_head_kv == 2 && shape.d_k == 16 && shape.d_v == 16
          && shape.n_rot == 16);
    CHECK(shape.n_expert == 0 && shape.window == 0 && shape.rope_scaling == ROPE_SCALING_NONE);
    CHECK(shape.attention_scale == 0.25f && shape.rope_base == 5000);
}

TEST(a_mixture_is_read)
{
    Error err = {0};
    Shape shape = {0};
    CHECK(read_changed(MIXTURE_PATH, NULL, &shape, &err));
    CHECK(shape.arch->has_qk_norm && shape.arch->rope_style == ROPE_HALF_SPLIT);
    CHECK(shape.n_expert > 0 && shape.n_expert_used > 0 && shape.n_ff_expert > 0);
}

// clang-format off
static const struct {
    const char *change;
    ErrorId want;
    const char *named; // what the message must name
} refused[] = {
    {"general.architecture=str:gpt9",                ERROR_ARCH_UNKNOWN,      "gpt9"},
    {"general.architecture=none",                    ERROR_KEY_MISSING,       "general.architecture"},
    {"general.architecture=int:3",                   ERROR_KEY_TYPE,          "general.architecture"},
    {"llama.block_count=none",                       ERROR_KEY_MISSING,       "llama.block_count"},
    {"llama.block_count=int:0",                      ERROR_KEY_RANGE,         "llama.block_count"},
    {"llama.block_count=int:2147483648",             ERROR_KEY_RANGE,         "llama.block_count"},
    {"llama.block_count=str:three",                  ERROR_KEY_TYPE,          "llama.block_count"},
    {"llama.embedding_length=int:0",                 ERROR_KEY_RANGE,         "llama.embedding_length"},
    {"llama.context_length=int:0",                   ERROR_KEY_RANGE,         "llama.context_length"},
    {"llama.attention.head_count=int:0",             ERROR_KEY_RANGE,         "llama.attention.head_count"},
    {"llama.attention.head_count_kv=int:0",          ERROR_KEY_RANGE,         "llama.attention.head_count_kv"},
    {"llama.attention.head_count_kv=int:3",          ERROR_MODEL_SHAPE,       "3 kv heads"},
    {"llama.attention.head_count=int:128",           ERROR_MODEL_SHAPE,       "no elements"},
    {"llama.rope.dimension_count=int:15",            ERROR_MODEL_SHAPE,       "15"},
    {"llama.rope.dimension_count=int:18",            ERROR_KEY_RANGE,         "llama.rope.dimension_count"},
    {"llama.vocab_size=int:289",                     ERROR_KEY_RANGE,         "llama.vocab_size"},
    {"llama.feed_forward_length=none",               ERROR_KEY_MISSING,       "llama.feed_forward_length"},
    {"llama.attention.layer_norm_rms_epsilon=none",  ERROR_KEY_MISSING,       "epsilon"},
    {"llama.attention.layer_norm_rms_epsilon=float:nan", ERROR_KEY_RANGE,     "epsilon"},
    {"llama.rope.freq_base=float:-1",                ERROR_KEY_RANGE,         "llama.rope.freq_base"},
    {"llama.rope.freq_base=float:inf",               ERROR_KEY_RANGE,         "llama.rope.freq_base"},
    {"llama.rope.scaling.type=str:longrope",         ERROR_MODEL_UNSUPPORTED, "longrope"},
    {"llama.logit_scale=float:0.5",                  ERROR_MODEL_UNSUPPORTED, "llama.logit_scale"},
    {"llama.final_logit_softcapping=float:30",       ERROR_MODEL_UNSUPPORTED, "llama.final_logit_softcapping"},
    {"llama.attention.causal=bool:false",            ERROR_MODEL_UNSUPPORTED, "llama.attention.causal"},
    {"llama.attention.novelty=int:1",                ERROR_MODEL_UNSUPPORTED, "llama.attention.novelty"},
    {"llama.expert_count=int:4",                     ERROR_KEY_MISSING,       "llama.expert_used_count"},
    {"llama.expert_count=int:5000",                  ERROR_KEY_RANGE,         "llama.expert_count"},
};
// clang-format on

TEST(what_cannot_be_run_is_refused_by_name)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        Error err = {0};
        Shape shape = {.n_layer = 77}; // survives
        CHECK_CASE(refused[i].change, !read_changed(DENSE_PATH, refused[i].change, &shape, &err));
        CHECK_CASE(refused[i].change, err.id == refused[i].want);
        CHECK_CASE(refused[i].change, strstr(err.message, refused[i].named) != NULL);
        CHECK_CASE(refused[i].change, shape.n_layer == 77);
        if (err.id != refused[i].want) printf("    got E%04d %s\n", (int)err.id, err.message);
    }
}

TEST(a_mixture_needs_its_experts)
{
    static const char *const changes[] = {"qwen3moe.expert_count=none",
        "qwen3moe.expert_count=int:0", "qwen3moe.expert_used_count=int:0",
        "qwen3moe.expert_used_count=int:1000", "qwen3moe.attention.key_length=none",
        "qwen3moe.expert_weights_norm=bool:false", "qwen3moe.expert_gating_func=int:2"};
    for (size_t i = 0; i < COUNT(changes); i++) {
        Error err = {0};
        Shape shape;
        CHECK_CASE(changes[i], !read_changed(MIXTURE_PATH, changes[i], &shape, &err));
        CHECK_CASE(changes[i], error_exit_status(err.id) == 3);
    }
}

TEST(neutral_values_and_unknown_keys_that_were_removed_are_accepted)
{
    static const char *const changes[] = {"llama.logit_scale=float:1",
        "llama.rope.scaling.type=str:none", "llama.attention.causal=bool:true",
        "llama.expert_count=int:0", "llama.attention.novelty=none",
        "llama.rope.scaling.factor=float:0"};
    for (size_t i = 0; i < COUNT(changes); i++) {
        Error err = {0};
        Shape shape;
        CHECK_CASE(changes[i], read_changed(DENSE_PATH, changes[i], &shape, &err));
    }
}

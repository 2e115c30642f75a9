/* What the demonstration says first, as literal tokens and a hash of the logits' bits: the same
 * on every machine, compiler and instruction set. A change of the arithmetic shows here, and
 * must be a new version of the rule. */
#include "engine/reference.h"

#define MODEL_PATH HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf"
#define PROMPT     "Once upon a time there was a little fox who lived at the edge of the forest."

/* 32-bit FNV-1a. */
static uint32_t hash_of(uint32_t hash, const void *data, size_t n_bytes)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < n_bytes; i++) hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

TEST(the_demonstration_begins_with_these_tokens)
{
    static const int32_t wanted[] = {1258, 290, 347, 478, 1188, 562, 362, 338};
    const uint32_t wanted_hash = 0x6ba85fe6;
    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    hypura_sampling sampling = hypura_sampling_default();
    hypura_error err = {0};
    int32_t *ids = NULL, token = 0;
    size_t n_ids = 0;
    uint32_t hash = 2166136261u;

    options.weights = "25%";
    options.n_ctx = 256;
    options.n_threads = 2;
    sampling.temperature = 0.7f;
    sampling.seed = 42;
    hypura_model *model = hypura_model_open(MODEL_PATH, &options, &err);
    if (!CHECK(must(model != NULL, &err))) return;
    hypura_sequence *sequence = hypura_sequence_create(model, &err);
    CHECK(must(
        hypura_tokenize(model, PROMPT, strlen(PROMPT), true, false, &ids, &n_ids, &err), &err));
    CHECK(must(hypura_sequence_eval(sequence, ids, n_ids, &err), &err));
    for (size_t i = 0; i < COUNT(wanted); i++) {
        hash =
            hash_of(hash, hypura_sequence_logits(sequence), hypura_n_vocab(model) * sizeof(float));
        CHECK(must(hypura_sequence_sample(sequence, &sampling, &token, &err), &err));
        if (!CHECK(token == wanted[i])) printf("    token %zu is %d\n", i, token);
        CHECK(must(hypura_sequence_eval(sequence, &token, 1, &err), &err));
    }
    if (!CHECK(hash == wanted_hash)) printf("    hash of the logits: 0x%08x\n", hash);
    hypura_free(ids);
    hypura_sequence_free(sequence);
    hypura_model_close(model);
}

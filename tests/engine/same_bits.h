/* Runs of the bundled models whose every logit must be the same bits however they are computed. */
#ifndef HYPURA_TESTS_ENGINE_SAME_BITS_H
#define HYPURA_TESTS_ENGINE_SAME_BITS_H

#include "engine/reference.h"

#define RUN_PROMPTS 8
#define RUN_TOKENS  64

static const char *const run_models[] = {
    HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf",
    HYPURA_SOURCE_ROOT "/models/hypura-tiny-draft-Q8_0.gguf",
};

/* One way of computing. */
typedef struct RunConfig {
    const char *weights, *io, *direct, *isa;
    uint32_t n_threads, n_ubatch;
} RunConfig;

static inline const char *run_label(const RunConfig *config)
{
    static char label[160];
    snprintf(label, sizeof label, "weights %s, threads %u, io %s, direct %s, isa %s, ubatch %u",
        config->weights, config->n_threads, config->io, config->direct,
        config->isa ? config->isa : "best", config->n_ubatch);
    return label;
}

typedef struct RunPrompts {
    int32_t ids[RUN_PROMPTS][512];
    size_t n[RUN_PROMPTS];
} RunPrompts;

/* tests/data/prompts.ids: a prompt a line, two of them of 410 tokens. */
static inline bool run_read_prompts(RunPrompts *prompts)
{
    size_t n_bytes = 0;
    char *text = read_text(HYPURA_SOURCE_ROOT "/tests/data/prompts.ids", &n_bytes);
    if (!text) return false;
    char *at = text;
    for (int p = 0; p < RUN_PROMPTS; p++) {
        for (prompts->n[p] = 0; *at && *at != '\n' && prompts->n[p] < 512;) {
            prompts->ids[p][prompts->n[p]++] = (int32_t)strtol(at, &at, 10);
            while (*at == ' ') at++;
        }
        if (*at == '\n') at++;
    }
    free(text);
    return prompts->n[RUN_PROMPTS - 1] > 0;
}

/* Everything that a run said: [RUN_PROMPTS][RUN_TOKENS]. */
typedef struct RunResult {
    int32_t tokens[RUN_PROMPTS][RUN_TOKENS];
    uint32_t n_vocab;
    float *logits; // [RUN_PROMPTS][RUN_TOKENS][n_vocab], malloc'ed
} RunResult;

static inline bool run_prompt(
    hypura_model *model, const RunPrompts *prompts, int p, RunResult *out, hypura_error *err)
{
    hypura_sampling sampling = hypura_sampling_default();
    hypura_sequence *sequence = hypura_sequence_create(model, err);
    bool ok = sequence && hypura_sequence_eval(sequence, prompts->ids[p], prompts->n[p], err);

    sampling.seed = 1000 + (uint64_t)p;
    sampling.temperature = 0.7f;
    for (int t = 0; ok && t < RUN_TOKENS; t++) {
        size_t at = ((size_t)p * RUN_TOKENS + (size_t)t) * out->n_vocab;
        memcpy(out->logits + at, hypura_sequence_logits(sequence), out->n_vocab * sizeof(float));
        ok = hypura_sequence_sample(sequence, &sampling, &out->tokens[p][t], err)
             && (t == RUN_TOKENS - 1 || hypura_sequence_eval(sequence, &out->tokens[p][t], 1, err));
    }
    hypura_sequence_free(sequence);
    return ok;
}

/* The caller frees out->logits, also after a failure. */
static inline bool run_all(const char *path, const RunConfig *config, const RunPrompts *prompts,
    RunResult *out, hypura_error *err)
{
    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    options.weights = config->weights;
    options.io = config->io;
    options.direct = config->direct;
    options.isa = config->isa;
    options.n_threads = config->n_threads;
    options.n_ubatch = config->n_ubatch;
    options.n_ctx = 512;
    hypura_model *model = hypura_model_open(path, &options, err);
    if (!model) return false;

    out->n_vocab = hypura_n_vocab(model);
    out->logits = malloc((size_t)RUN_PROMPTS * RUN_TOKENS * out->n_vocab * sizeof(float));
    bool ok = true;
    for (int p = 0; ok && p < RUN_PROMPTS; p++) ok = run_prompt(model, prompts, p, out, err);
    hypura_model_close(model);
    return ok;
}

/* Runs `config` and compares it with what the baseline said. Was every bit the same? */
static inline bool run_and_compare(
    const char *path, const RunConfig *config, const RunPrompts *prompts, const RunResult *baseline)
{
    hypura_error err = {0};
    RunResult got = {0};
    bool same = false;

    if (CHECK_CASE(run_label(config), must(run_all(path, config, prompts, &got, &err), &err))) {
        size_t n_bytes = (size_t)RUN_PROMPTS * RUN_TOKENS * got.n_vocab * sizeof(float);
        bool tokens_same = memcmp(baseline->tokens, got.tokens, sizeof got.tokens) == 0;
        bool logits_same = memcmp(baseline->logits, got.logits, n_bytes) == 0;
        CHECK_CASE(run_label(config), tokens_same);
        CHECK_CASE(run_label(config), logits_same);
        same = tokens_same && logits_same;
    }
    free(got.logits);
    return same;
}

/* The instruction sets of this machine, scalar first; their number is returned. */
static inline size_t run_isas(const char *out[4])
{
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    size_t n = 0;

    for (size_t i = 0; i < COUNT(names); i++) {
        hypura_error err = {0};
        hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
        options.isa = names[i];
        options.n_ctx = 256;
        hypura_model *model = hypura_model_open(run_models[1], &options, &err);
        if (model) out[n++] = names[i];
        hypura_model_close(model);
    }
    return n;
}

#endif

/* Architectures against another engine's logits and layer states (oracle/arch): with float32
 * activations closely, on the normal path within that engine's own rounding. */
#include <math.h>

#include "engine/reference.h"

#define N_TOKENS    48
#define N_POSITIONS 4

typedef struct Captured {
    uint32_t n_vocab, n_embd, n_layer;
    int32_t positions[N_POSITIONS];
    float *logits; // [N_TOKENS][n_vocab]
    float *states; // [n_layer + 1][N_POSITIONS][n_embd]; the last is result_norm
} Captured;

static int position_index(const Captured *captured, size_t index)
{
    for (int i = 0; i < N_POSITIONS; i++)
        if ((size_t)captured->positions[i] == index) return i;
    return -1;
}

static void keep_state(Captured *captured, uint32_t layer, size_t index, const float *x)
{
    int p = position_index(captured, index);
    if (p < 0) return;
    memcpy(captured->states + (size_t)(layer * N_POSITIONS + (uint32_t)p) * captured->n_embd, x,
        captured->n_embd * sizeof(float));
}

static bool keep_layer(void *context, uint32_t layer, size_t index, const float *x)
{
    keep_state(context, layer, index, x);
    return true;
}

static bool keep_row(void *context, const hypura_row *row)
{
    Captured *captured = context;
    memcpy(captured->logits + row->index * captured->n_vocab, row->logits,
        captured->n_vocab * sizeof(float));
    keep_state(captured, captured->n_layer, row->index, row->result_norm);
    return true;
}

/* Runs the reference's tokens through a model; false: it could not. */
static bool capture(
    const char *path, const hypura_model_options *options, const int32_t *tokens, Captured *out)
{
    hypura_error err = {0};
    hypura_model *model = hypura_model_open(path, options, &err);
    if (!CHECK_CASE(path, must(model != NULL, &err))) return false;

    out->n_vocab = hypura_n_vocab(model);
    out->n_embd = hypura_n_embd(model);
    out->n_layer = hypura_n_layer(model);
    out->logits = malloc(sizeof(float) * N_TOKENS * out->n_vocab);
    out->states = calloc((size_t)(out->n_layer + 1) * N_POSITIONS * out->n_embd, sizeof(float));
    hypura_sequence *sequence = hypura_sequence_create(model, &err);
    bool ok = CHECK_CASE(path, must(sequence != NULL, &err))
              && CHECK_CASE(path, must(hypura_sequence_eval_rows(sequence, tokens, N_TOKENS,
                                           keep_row, keep_layer, out, &err),
                                      &err));
    hypura_sequence_free(sequence);
    hypura_model_close(model);
    return ok;
}

static void captured_free(Captured *captured)
{
    free(captured->logits);
    free(captured->states);
}

static void check_nmse(const char *what, double got, double most)
{
    if (CHECK_CASE(what, got <= most)) return;
    printf("    nmse %.3g, at most %.3g\n", got, most);
}

static void check_states(const char *name, const GgufFile *ref, const Captured *captured)
{
    char tensor[32], label[96];

    for (uint32_t layer = 0; layer <= captured->n_layer; layer++) {
        if (layer < captured->n_layer)
            snprintf(tensor, sizeof tensor, "l_out-%u", layer);
        else
            snprintf(tensor, sizeof tensor, "result_norm");
        snprintf(label, sizeof label, "%s %s", name, tensor);
        float *want = reference_tensor(ref, tensor);
        if (!CHECK_CASE(label, want != NULL)) continue;
        size_t n = (size_t)N_POSITIONS * captured->n_embd;
        check_nmse(label, nmse(captured->states + layer * n, want, n), 1e-8);
        free(want);
    }
}

/* A file of a test: from the shared folder, else the few that the tree holds. False: neither. */
static bool find_file(const char *name, const char *suffix, char path[4096])
{
    char file[64];
    snprintf(file, sizeof file, "oracle/arch/%s.%s", name, suffix);
    const char *shared = harness_shared_path(file);
    if (shared)
        snprintf(path, 4096, "%s", shared);
    else
        snprintf(path, 4096, HYPURA_SOURCE_ROOT "/tests/data/arch/%s.%s", name, suffix);
    return access(path, R_OK) == 0;
}

/* What the other engine's own rounding of activations costs: the measure of ours. */
static double native_noise(const char *name)
{
    char path[4096];
    Json *json = find_file(name, "json", path) ? read_json(path) : NULL;
    double noise = json_get_number(json_get(json_get(json, "noise"), "native_vs_f32act"), 0);
    json_free(json);
    return noise;
}

static void check_test(const char *name, bool is_quantised)
{
    char path[4096];
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    if (!find_file(name, "ref.gguf", path)) TEST_SKIP("no oracle/arch in the shared folder");
    GgufFile *ref = gguf_open(path, GGUF_TENSOR_DATA, NULL, 0, NULL);
    if (!CHECK_CASE(name, ref != NULL)) return;
    int32_t *tokens = reference_tensor(ref, "tokens"),
            *positions = reference_tensor(ref, "positions");
    float *logits = reference_tensor(ref, "logits");
    double native = native_noise(name);
    CHECK_CASE(name, find_file(name, "gguf", path));
    CHECK_CASE(name, tokens && positions && logits && native > 0);

    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    options.n_logit_rows = N_TOKENS;
    options.n_threads = 2;
    Captured exact = {0}, normal = {0};
    memcpy(exact.positions, positions, sizeof exact.positions);
    memcpy(normal.positions, positions, sizeof normal.positions);

    options.f32_activations = true;
    options.kv = "f32";
    if (capture(path, &options, tokens, &exact)) {
        check_nmse(name, nmse(exact.logits, logits, (size_t)N_TOKENS * exact.n_vocab), 1e-8);
        check_states(name, ref, &exact);
    }
    options.f32_activations = false;
    options.kv = "f16";
    if (capture(path, &options, tokens, &normal))
        check_nmse(name, nmse(normal.logits, logits, (size_t)N_TOKENS * normal.n_vocab),
            fmax(5 * native, is_quantised ? 1e-3 : 1e-5));

    captured_free(&exact);
    captured_free(&normal);
    gguf_close(ref);
    free(tokens);
    free(positions);
    free(logits);
}

TEST(llama2_equals_the_oracle)
{
    check_test("llama2.f16", false);
    check_test("llama2.q", true);
}

TEST(llama3_equals_the_oracle)
{
    check_test("llama3.f16", false);
    check_test("llama3.q", true);
}

TEST(llama_with_linear_rope_scaling_and_biases_equals_the_oracle)
{
    check_test("llama-linear.f16", false);
}

TEST(llama_with_yarn_equals_the_oracle)
{
    check_test("llama-yarn.f16", false);
}

TEST(mixtral_equals_the_oracle)
{
    check_test("mixtral.f16", false);
    check_test("mixtral.q", true);
}

TEST(qwen3_equals_the_oracle)
{
    check_test("qwen3.f16", false);
    check_test("qwen3.q", true);
}

TEST(qwen3moe_equals_the_oracle)
{
    check_test("qwen3moe.f16", false);
    check_test("qwen3moe.q", true);
}

/* Sequences: how tokens are cut into calls and what shares a pass never reaches a bit; errors
 * leave all as it was. */
#include "engine/same_bits.h"

static hypura_model *open_mixture(const char *weights, uint32_t n_sequences)
{
    hypura_error err = {0};
    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    options.weights = weights;
    options.n_ctx = 512;
    options.n_threads = 2;
    options.n_sequences_max = n_sequences;
    hypura_model *model = hypura_model_open(run_models[0], &options, &err);
    CHECK(must(model != NULL, &err));
    return model;
}

/* The logits after each of n tokens, fed one by one to a sequence of its own. */
static float *alone(hypura_model *model, const int32_t *tokens, size_t n)
{
    size_t n_vocab = hypura_n_vocab(model);
    float *logits = malloc(n * n_vocab * sizeof(float));
    hypura_error err = {0};
    hypura_sequence *sequence = hypura_sequence_create(model, &err);

    for (size_t i = 0; i < n; i++) {
        CHECK(must(hypura_sequence_eval(sequence, &tokens[i], 1, &err), &err));
        memcpy(logits + i * n_vocab, hypura_sequence_logits(sequence), n_vocab * sizeof(float));
    }
    hypura_sequence_free(sequence);
    return logits;
}

TEST(three_sequences_in_one_pass_equal_each_alone)
{
    static RunPrompts prompts;
    enum { N = 3, STEPS = 24 };
    CHECK(run_read_prompts(&prompts));
    hypura_model *model = open_mixture("25%", N);
    if (!model) return;
    size_t n_bytes = hypura_n_vocab(model) * sizeof(float);
    hypura_error err = {0};
    hypura_sequence *sequences[N];
    float *wanted[N];

    // Their lengths differ: the second and third join with 3 and 9 tokens behind them.
    static const size_t head_start[N] = {0, 3, 9};
    for (size_t s = 0; s < N; s++)
        wanted[s] = alone(model, prompts.ids[6 + s % 2] + 7 * s, head_start[s] + STEPS);
    for (size_t s = 0; s < N; s++) {
        sequences[s] = hypura_sequence_create(model, &err);
        if (head_start[s] > 0)
            CHECK(must(hypura_sequence_eval(
                           sequences[s], prompts.ids[6 + s % 2] + 7 * s, head_start[s], &err),
                &err));
    }
    for (size_t step = 0; step < STEPS; step++) {
        int32_t tokens[N];
        for (size_t s = 0; s < N; s++)
            tokens[s] = prompts.ids[6 + s % 2][7 * s + head_start[s] + step];
        if (!CHECK(must(hypura_eval_together(sequences, tokens, N, &err), &err))) break;
        for (size_t s = 0; s < N; s++)
            CHECK_BITS((const char *)wanted[s] + (head_start[s] + step) * n_bytes,
                (const char *)hypura_sequence_logits(sequences[s]), n_bytes);
    }
    for (size_t s = 0; s < N; s++) {
        hypura_sequence_free(sequences[s]);
        free(wanted[s]);
    }
    hypura_model_close(model);
}

TEST(a_prompt_cut_anywhere_gives_the_same_bits)
{
    static RunPrompts prompts;
    CHECK(run_read_prompts(&prompts));
    hypura_model *model = open_mixture("all", 1);
    if (!model) return;
    size_t n_bytes = hypura_n_vocab(model) * sizeof(float), n = 300;
    const int32_t *tokens = prompts.ids[6];
    hypura_error err = {0};
    CHECK(prompts.n[6] >= n);
    float *wanted = alone(model, tokens, n);

    static const size_t cuts[] = {1, 2, 15, 16, 17, 255, 256, 257, 299};
    for (size_t c = 0; c < COUNT(cuts); c++) {
        hypura_sequence *sequence = hypura_sequence_create(model, &err);
        CHECK(must(hypura_sequence_eval(sequence, tokens, cuts[c], &err), &err));
        CHECK_BITS((const char *)wanted + (cuts[c] - 1) * n_bytes,
            (const char *)hypura_sequence_logits(sequence), n_bytes);
        CHECK(must(hypura_sequence_eval(sequence, tokens + cuts[c], n - cuts[c], &err), &err));
        CHECK_BITS((const char *)wanted + (n - 1) * n_bytes,
            (const char *)hypura_sequence_logits(sequence), n_bytes);
        hypura_sequence_free(sequence);
    }
    free(wanted);
    hypura_model_close(model);
}

TEST(a_reset_sequence_is_like_a_new_one)
{
    static RunPrompts prompts;
    CHECK(run_read_prompts(&prompts));
    hypura_model *model = open_mixture("all", 1);
    if (!model) return;
    size_t n_bytes = hypura_n_vocab(model) * sizeof(float);
    hypura_error err = {0};
    float *wanted = alone(model, prompts.ids[0], 8);
    hypura_sequence *sequence = hypura_sequence_create(model, &err);

    CHECK(hypura_sequence_eval(sequence, prompts.ids[7], prompts.n[7], &err));
    CHECK(hypura_sequence_reset(sequence, 0, &err));
    CHECK(hypura_sequence_logits(sequence) == NULL);
    CHECK(hypura_sequence_eval(sequence, prompts.ids[0], 8, &err));
    CHECK_BITS((const char *)wanted + 7 * n_bytes, (const char *)hypura_sequence_logits(sequence),
        n_bytes);
    hypura_sequence_free(sequence);
    free(wanted);
    hypura_model_close(model);
}

typedef struct Asked {
    size_t n_calls, n_calls_max, done, total;
    bool has_gone_back;
} Asked;

static bool count_and_stop(void *context, size_t done, size_t total)
{
    Asked *asked = context;
    asked->has_gone_back |= done < asked->done;
    asked->done = done;
    asked->total = total;
    return ++asked->n_calls < asked->n_calls_max;
}

TEST(progress_is_told_and_can_stop_a_call)
{
    static RunPrompts prompts;
    CHECK(run_read_prompts(&prompts));
    hypura_model *model = open_mixture("25%", 1);
    if (!model) return;
    size_t n_bytes = hypura_n_vocab(model) * sizeof(float), n = 100;
    hypura_error err = {0};
    float *wanted = alone(model, prompts.ids[6], n);
    hypura_sequence *sequence = hypura_sequence_create(model, &err);

    for (size_t stop = 1; stop <= hypura_n_layer(model); stop++) {
        Asked asked = {.n_calls_max = stop};
        hypura_model_on_progress(model, count_and_stop, &asked);
        CHECK(!hypura_sequence_eval(sequence, prompts.ids[6], n, &err));
        CHECK(err.exit_status == 130 && asked.n_calls == stop);
        CHECK(hypura_sequence_position(sequence) == 0);
    }
    Asked asked = {.n_calls_max = SIZE_MAX};
    hypura_model_on_progress(model, count_and_stop, &asked);
    CHECK(must(hypura_sequence_eval(sequence, prompts.ids[6], n, &err), &err));
    CHECK(asked.n_calls == hypura_n_layer(model) && asked.done == n && asked.total == n);
    CHECK(!asked.has_gone_back);
    CHECK_BITS((const char *)wanted + (n - 1) * n_bytes,
        (const char *)hypura_sequence_logits(sequence), n_bytes);
    hypura_sequence_free(sequence);
    free(wanted);
    hypura_model_close(model);
}

TEST(wrong_calls_are_refused_and_change_nothing)
{
    hypura_model *model = open_mixture("all", 1);
    if (!model) return;
    hypura_error err = {0};
    hypura_sequence *sequence = hypura_sequence_create(model, &err);
    int32_t good = 5, negative = -1, large = (int32_t)hypura_n_vocab(model), drawn = -7;
    int32_t *many = calloc(513, sizeof(int32_t));
    hypura_sampling sampling = hypura_sampling_default();

    CHECK(!hypura_sequence_sample(sequence, &sampling, &drawn, &err) && drawn == -7);
    CHECK(!hypura_sequence_eval(sequence, &negative, 1, &err) && err.number == ERROR_TOKEN_RANGE);
    CHECK(!hypura_sequence_eval(sequence, &large, 1, &err) && err.number == ERROR_TOKEN_RANGE);
    CHECK(!hypura_sequence_eval(sequence, &good, 0, &err) && err.number == ERROR_USAGE);
    CHECK(!hypura_sequence_eval(sequence, many, 513, &err) && err.number == ERROR_CONTEXT_FULL);
    CHECK(hypura_sequence_position(sequence) == 0);
    CHECK(must(hypura_sequence_eval(sequence, many, 512, &err), &err));
    CHECK(!hypura_sequence_eval(sequence, &good, 1, &err) && err.number == ERROR_CONTEXT_FULL);
    CHECK(hypura_sequence_position(sequence) == 512);
    free(many);
    hypura_sequence_free(sequence);
    hypura_model_close(model);
}

/* Whoever guesses, and however badly: tokens, logits and positions are those without guesses. */
#include "engine/speculate.h"

#include "base/fault.h"
#include "base/ledger.h"
#include "base/rng.h"
#include "engine/same_bits.h"

enum { N_PROMPT = 12, N_TOKENS = 24 };

/* What a run without guesses says: the truth for all others. */
typedef struct Told {
    int32_t text[N_PROMPT + N_TOKENS];
    float *logits; // [N_TOKENS][n_vocab] that the tokens were drawn from
    uint32_t n_vocab;
} Told;

static const int32_t prompt[N_PROMPT] = {42, 498, 81, 1076, 290, 347, 478, 118, 562, 362, 338, 9};

static bool open_loaded(Loaded *loaded, const char *path, LoadOptions options, Error *err)
{
    options.n_ctx = 256;
    if (options.n_threads == 0) options.n_threads = 2;
    options.speculates = true;
    return loaded_open(loaded, path, &options, err);
}

/* Generates into `out`, with or without guesses; how its tokens are drawn is in `sampler`. */
static bool tell(Sequence *sequence, Speculation *speculation, Sampler *sampler, Told *out,
    uint32_t n_tokens, Error *err)
{
    size_t n_vocab = sequence->loaded->shape.n_vocab;

    memcpy(out->text, prompt, sizeof prompt);
    if (speculation) speculation->sampling = sampler->options;
    if (!(speculation ? speculate_eval(speculation, prompt, N_PROMPT, err)
                      : sequence_eval(sequence, prompt, N_PROMPT, err)))
        return false;
    for (uint32_t i = 0; i < n_tokens; i++) {
        int32_t *token = &out->text[N_PROMPT + i];
        CHECK(sequence->state.end_position == N_PROMPT + i);
        memcpy(out->logits + i * n_vocab, sequence->logits, n_vocab * sizeof(float));
        if (!sampler_draw(sampler, sequence->logits, N_PROMPT + i, token, err)) return false;
        if (!(speculation ? speculate_eval(speculation, token, 1, err)
                          : sequence_eval(sequence, token, 1, err)))
            return false;
    }
    return true;
}

static bool tell_truth(const char *path, SamplerOptions sampling, Told *out)
{
    Error err = {0};
    Loaded loaded;
    Sequence sequence;
    Sampler sampler;

    if (!CHECK(open_loaded(&loaded, path, (LoadOptions){0}, &err))) return false;
    out->n_vocab = loaded.shape.n_vocab;
    out->logits = malloc(N_TOKENS * sizeof(float) * out->n_vocab);
    CHECK(sequence_init(&sequence, &loaded, &err));
    CHECK(sampler_init(&sampler, sampling, out->n_vocab, &err));
    bool ok = CHECK(tell(&sequence, NULL, &sampler, out, N_TOKENS, &err));
    sampler_destroy(&sampler);
    sequence_destroy(&sequence);
    loaded_close(&loaded);
    return ok;
}

/* A guesser that knows the truth, and says it with a chance; else something hostile. */
typedef struct Liar {
    const Told *truth;
    double chance;
    Rng rng;
} Liar;

static uint32_t lie(
    void *context, const int32_t *tokens, uint32_t n_tokens, uint32_t n_max, int32_t *guesses)
{
    Liar *liar = context;
    const Told *truth = liar->truth;

    (void)tokens;
    for (uint32_t i = 0; i < n_max; i++) {
        uint32_t at = n_tokens + i;
        int32_t right = at < N_PROMPT + N_TOKENS ? truth->text[at] : 5;
        if ((double)rng_unit(&liar->rng) < liar->chance) {
            guesses[i] = right;
        } else if (rng_below(&liar->rng, 20) == 0) {
            guesses[i] = rng_below(&liar->rng, 2) ? -1 : (int32_t)truth->n_vocab;
        } else {
            guesses[i] =
                (int32_t)(((uint32_t)right + 1 + rng_below(&liar->rng, 100)) % truth->n_vocab);
        }
    }
    return n_max;
}

typedef struct Way {
    GuessSource source;
    double chance; // of a script
    uint32_t n_fixed;
    const char *draft_path;
} Way;

static const char *label_of(const char *path, const LoadOptions *load, const Way *way)
{
    static char label[200];
    snprintf(label, sizeof label, "%s, %d threads, budget %d, source %d, chance %.1f, %u guesses",
        path, (int)load->n_threads, (int)load->weights.unit, (int)way->source, way->chance,
        way->n_fixed);
    return label;
}

static SpeculationCounters check_way(
    const char *path, LoadOptions load, const Way *way, SamplerOptions sampling, const Told *truth)
{
    Error err = {0};
    Loaded loaded;
    Sequence sequence;
    Sampler sampler;
    Speculation speculation;
    Liar liar = {.truth = truth, .chance = way->chance, .rng = rng_seeded(harness.seed)};
    SpeculateOptions options = {
        .source = way->source, .script = lie, .script_context = &liar, .n_fixed = way->n_fixed};
    Told got = {.logits = malloc(N_TOKENS * sizeof(float) * truth->n_vocab)};
    const char *label = label_of(path, &load, way);
    SpeculationCounters counters = {0};

    load.draft_path = way->draft_path;
    if (CHECK_CASE(label, open_loaded(&loaded, path, load, &err))) {
        CHECK(sequence_init(&sequence, &loaded, &err));
        CHECK(sampler_init(&sampler, sampling, truth->n_vocab, &err));
        CHECK(speculate_init(&speculation, &sequence, &options, &err));
        CHECK_CASE(label, tell(&sequence, &speculation, &sampler, &got, N_TOKENS, &err));
        CHECK_CASE(label, memcmp(got.text, truth->text, sizeof got.text) == 0);
        CHECK_CASE(label,
            memcmp(got.logits, truth->logits, N_TOKENS * sizeof(float) * truth->n_vocab) == 0);
        counters = loaded.speculated;
        CHECK(counters.n_accepted <= counters.n_drafted);
        speculate_destroy(&speculation);
        sampler_destroy(&sampler);
        sequence_destroy(&sequence);
        loaded_close(&loaded);
    }
    CHECK(ledger_total() == 0);
    free(got.logits);
    return counters;
}

static const SamplerOptions greedy = {.temperature = 0};

TEST(hostile_guesses_change_no_bit)
{
    static const double chances[] = {0, 1, 0.6};
    static const uint32_t numbers[] = {1, 3, PACE_GUESSES_MAX, 0};

    for (size_t m = 0; m < COUNT(run_models); m++) {
        Told truth;
        if (!tell_truth(run_models[m], greedy, &truth)) return;
        for (size_t c = 0; c < COUNT(chances); c++)
            for (size_t n = 0; n < COUNT(numbers); n++) {
                Way way = {.source = GUESS_SCRIPT, .chance = chances[c], .n_fixed = numbers[n]};
                LoadOptions load = {.n_threads = 1 + (uint32_t)(c + n) % 3};
                load.weights.unit = n % 2 == 0 ? BUDGET_MIN : BUDGET_ALL;
                SpeculationCounters got = check_way(run_models[m], load, &way, greedy, &truth);
                if (way.n_fixed > 0) CHECK(got.n_drafted > 0);
                if (way.chance <= 0) CHECK(got.n_accepted == 0);
                if (way.chance >= 1 && way.n_fixed > 0)
                    CHECK(got.n_accepted >= N_TOKENS - N_TOKENS / (way.n_fixed + 1) - 1);
            }
        free(truth.logits);
    }
}

TEST(the_draft_and_the_text_change_no_bit)
{
    static const SamplerOptions ways_to_draw[] = {{.temperature = 0},
        {.seed = 7,
            .temperature = 0.8f,
            .top_k = 40,
            .top_p = 0.95f,
            .min_p = 0.05f,
            .draw = SAMPLER_DRAW_RACE},
        {.seed = 9, .temperature = 1.5f, .top_p = 1, .draw = SAMPLER_DRAW_RACE},
        {.seed = 9, .temperature = 0.7f, .top_k = 5, .top_p = 1, .draw = SAMPLER_DRAW_SUM}};

    for (size_t d = 0; d < COUNT(ways_to_draw); d++) {
        Told truth;
        if (!tell_truth(run_models[0], ways_to_draw[d], &truth)) return;
        Way draft = {.source = GUESS_DRAFT, .n_fixed = 4, .draft_path = run_models[1]};
        Way ngram = {.source = GUESS_NGRAM, .n_fixed = 4};
        LoadOptions load = {.weights = {.unit = BUDGET_PERCENT, .percent = 25}};
        SpeculationCounters got = check_way(run_models[0], load, &draft, ways_to_draw[d], &truth);
        CHECK(got.n_drafted > N_TOKENS && got.n_accepted > 0);
        (void)check_way(run_models[0], load, &ngram, ways_to_draw[d], &truth);
        draft.n_fixed = 0;
        (void)check_way(run_models[0], load, &draft, ways_to_draw[d], &truth);
        free(truth.logits);
    }
}

/* A model that guesses for itself is right as long as nobody stops it. */
TEST(equal_distributions_draw_equal_tokens)
{
    SamplerOptions sampling = {.seed = 3, .temperature = 1, .top_p = 1, .draw = SAMPLER_DRAW_RACE};
    Way way = {.source = GUESS_DRAFT, .n_fixed = 5, .draft_path = run_models[1]};
    Told truth;

    if (!tell_truth(run_models[1], sampling, &truth)) return;
    SpeculationCounters got = check_way(run_models[1], (LoadOptions){0}, &way, sampling, &truth);
    CHECK(got.n_accepted >= N_TOKENS - N_TOKENS / 6 - 1);
    free(truth.logits);
}

static bool never_again(void *context, size_t done, size_t total)
{
    uint32_t *n_left = context;
    (void)done;
    (void)total;
    return (*n_left)-- > 1;
}

/* Stopped at any layer of either model: as before, and the next try gives the same bits. */
TEST(a_stop_between_guess_and_check_leaves_all_as_it_was)
{
    Told truth;
    Error err = {0};
    Loaded loaded;
    Sequence sequence;
    Speculation speculation;
    SpeculateOptions options = {.source = GUESS_DRAFT, .n_fixed = 2};
    LoadOptions load = {.draft_path = run_models[1]};

    if (!tell_truth(run_models[0], greedy, &truth)) return;
    if (!CHECK(open_loaded(&loaded, run_models[0], load, &err))) return;
    CHECK(sequence_init(&sequence, &loaded, &err));
    CHECK(speculate_init(&speculation, &sequence, &options, &err));
    CHECK(speculate_eval(&speculation, prompt, N_PROMPT, &err));
    for (uint32_t i = 0, stop = 1; i < N_TOKENS; i++) {
        uint32_t n_left = stop++ % 16 + 1;
        CHECK_BITS((const char *)(truth.logits + (size_t)i * truth.n_vocab),
            (const char *)sequence.logits, truth.n_vocab * sizeof(float));
        loaded.progress = loaded.draft->progress = (ProgressHook){never_again, &n_left};
        bool ok = speculate_eval(&speculation, &truth.text[N_PROMPT + i], 1, &err);
        loaded.progress = loaded.draft->progress = (ProgressHook){0};
        if (ok) continue;
        CHECK_ERROR(err, ERROR_INTERRUPTED);
        CHECK(sequence.state.end_position == N_PROMPT + i);
        err = (Error){0};
        CHECK(speculate_eval(&speculation, &truth.text[N_PROMPT + i], 1, &err));
    }
    speculate_destroy(&speculation);
    sequence_destroy(&sequence);
    loaded_close(&loaded);
    free(truth.logits);
}

/* Guesses end where the context does, and a full context is refused as ever. */
TEST(a_context_is_filled_to_its_end)
{
    Told truth;
    Error err = {0};
    Loaded loaded;
    Sequence sequence;
    Speculation speculation;
    Liar liar = {.truth = &truth, .chance = 1, .rng = rng_seeded(1)};
    SpeculateOptions options = {
        .source = GUESS_SCRIPT, .script = lie, .script_context = &liar, .n_fixed = 16};
    LoadOptions load = {.n_ctx = N_PROMPT + 10, .n_threads = 2, .speculates = true};

    if (!tell_truth(run_models[1], greedy, &truth)) return;
    if (!CHECK(loaded_open(&loaded, run_models[1], &load, &err))) return;
    CHECK(sequence_init(&sequence, &loaded, &err));
    CHECK(speculate_init(&speculation, &sequence, &options, &err));
    CHECK(speculate_eval(&speculation, prompt, N_PROMPT, &err));
    for (uint32_t i = 0; i < 10; i++)
        CHECK(speculate_eval(&speculation, &truth.text[N_PROMPT + i], 1, &err));
    CHECK_BITS((const char *)(truth.logits + (size_t)10 * truth.n_vocab),
        (const char *)sequence.logits, truth.n_vocab * sizeof(float));
    CHECK(loaded.speculated.n_accepted == 9);
    CHECK(!speculate_eval(&speculation, &truth.text[0], 1, &err));
    CHECK_ERROR(err, ERROR_CONTEXT_FULL);
    speculate_destroy(&speculation);
    sequence_destroy(&sequence);
    loaded_close(&loaded);
    free(truth.logits);
}

/* Another sequence's pass between two tokens overwrites what was evaluated ahead. */
TEST(sequences_do_not_take_each_others_rows)
{
    enum { N = 2 };
    Told truth;
    Error err = {0};
    Loaded loaded;
    Sequence sequences[N];
    Speculation speculations[N];
    Liar liar = {.truth = &truth, .chance = 1, .rng = rng_seeded(1)};
    SpeculateOptions options = {
        .source = GUESS_SCRIPT, .script = lie, .script_context = &liar, .n_fixed = 3};

    if (!tell_truth(run_models[1], greedy, &truth)) return;
    if (!CHECK(open_loaded(&loaded, run_models[1], (LoadOptions){.n_sequences = N}, &err))) return;
    for (int s = 0; s < N; s++) {
        CHECK(sequence_init(&sequences[s], &loaded, &err));
        CHECK(speculate_init(&speculations[s], &sequences[s], &options, &err));
        CHECK(speculate_eval(&speculations[s], prompt, N_PROMPT, &err));
    }
    for (uint32_t i = 0; i < N_TOKENS; i++)
        for (int s = 0; s < N; s++) {
            if (s == 1 && i % 3 == 1) continue; // so that the first one has runs of its own
            uint32_t at = sequences[s].state.end_position;
            CHECK_BITS((const char *)(truth.logits + (size_t)(at - N_PROMPT) * truth.n_vocab),
                (const char *)sequences[s].logits, truth.n_vocab * sizeof(float));
            CHECK(speculate_eval(&speculations[s], &truth.text[at], 1, &err));
        }
    CHECK(loaded.speculated.n_accepted > 0);

    // Nor what a pass of another kind left behind: a prompt, in the middle of a run of guesses.
    for (int s = 0; s < N; s++) {
        state_reset(&sequences[s].state, 0);
        speculate_forget(&speculations[s]);
    }
    CHECK(speculate_eval(&speculations[0], prompt, N_PROMPT, &err));
    CHECK(speculate_eval(&speculations[0], &truth.text[N_PROMPT], 1, &err));
    CHECK(sequence_is_ahead(&sequences[0]));
    CHECK(speculate_eval(&speculations[1], prompt, N_PROMPT, &err));
    CHECK(!sequence_is_ahead(&sequences[0]));
    CHECK(speculate_eval(&speculations[0], &truth.text[N_PROMPT + 1], 1, &err));
    CHECK_BITS((const char *)(truth.logits + (size_t)2 * truth.n_vocab),
        (const char *)sequences[0].logits, truth.n_vocab * sizeof(float));
    for (int s = 0; s < N; s++) {
        speculate_destroy(&speculations[s]);
        sequence_destroy(&sequences[s]);
    }
    loaded_close(&loaded);
    free(truth.logits);
}

/* Reads that fail in either model, once or for good: the right tokens or the error. */
TEST(failing_reads_give_right_tokens_or_the_error)
{
    Told truth;
    uint32_t n_right = 0, n_failed = 0;

    if (!tell_truth(run_models[0], greedy, &truth)) return;
    for (uint64_t k = 1; k <= 4000; k += k < 8 ? 1 : k / 2) {
        Error err = {0};
        Loaded loaded = {0};
        Sequence sequence = {0};
        Speculation speculation = {0};
        Sampler sampler = {0};
        SpeculateOptions options = {.source = GUESS_DRAFT, .n_fixed = 3};
        LoadOptions load = {.draft_path = run_models[1], .weights = {.unit = BUDGET_MIN}};
        Told got = {.logits = malloc(N_TOKENS * sizeof(float) * truth.n_vocab)};

        fault_arm(FAULT_READ, k, k % 2 == 0);
        bool ok = open_loaded(&loaded, run_models[0], load, &err)
                  && sequence_init(&sequence, &loaded, &err)
                  && sampler_init(&sampler, greedy, truth.n_vocab, &err)
                  && speculate_init(&speculation, &sequence, &options, &err)
                  && tell(&sequence, &speculation, &sampler, &got, 8, &err);
        fault_arm(FAULT_READ, 0, false);
        if (ok)
            CHECK(memcmp(got.text, truth.text, (N_PROMPT + 8) * sizeof(int32_t)) == 0);
        else
            CHECK(err.id != ERROR_NONE && err.message[0] != '\0');
        n_right += ok;
        n_failed += !ok;
        speculate_destroy(&speculation);
        sampler_destroy(&sampler);
        sequence_destroy(&sequence);
        loaded_close(&loaded);
        free(got.logits);
        CHECK(ledger_total() == 0);
    }
    CHECK(n_right > 5 && n_failed > 5);
    free(truth.logits);
}

TEST(a_draft_of_another_vocabulary_is_refused_by_name)
{
    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    hypura_error err = {0};

    options.draft = HYPURA_SOURCE_ROOT "/tests/data/arch/mixtral.f16.gguf";
    hypura_model *model = hypura_model_open(run_models[0], &options, &err);
    CHECK(!model && err.exit_status == 3);
    CHECK_CASE(err.message, strstr(err.message, "mixtral.f16.gguf: another vocabulary: tokenizer"));
    hypura_model_close(model);
    CHECK(ledger_total() == 0);
}

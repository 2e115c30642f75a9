/* A batch: every prompt gets the tokens that it would get alone, whatever shares its passes. */
#include "engine/same_bits.h"

enum { N_TOKENS = 12, N_PROMPTS_MAX = 8 };

static hypura_model *open_model(
    const char *path, const char *weights, uint32_t n_sequences, uint32_t n_ubatch)
{
    hypura_error err = {0};
    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    options.weights = weights;
    options.n_ctx = 512;
    options.n_threads = 2;
    options.n_ubatch = n_ubatch;
    options.n_sequences_max = n_sequences;
    hypura_model *model = hypura_model_open(path, &options, &err);
    CHECK(must(model != NULL, &err));
    return model;
}

/* Prompt i: a few of different length, drawn from with a seed and a temperature of its own. */
typedef struct Prompt {
    const int32_t *tokens;
    size_t n;
    hypura_sampling sampling;
    int32_t wanted[N_TOKENS];
} Prompt;

static void choose_prompt(const RunPrompts *prompts, size_t i, Prompt *out)
{
    static const size_t lengths[N_PROMPTS_MAX] = {1, 40, 7, 200, 16, 3, 90, 33};

    *out = (Prompt){.tokens = prompts->ids[6 + i % 2] + 5 * i, .n = lengths[i]};
    out->sampling = hypura_sampling_default();
    out->sampling.seed = 100 + i;
    if (i % 3 == 2) out->sampling.temperature = 0;
}

static void generate_alone(hypura_model *model, Prompt *prompt)
{
    hypura_error err = {0};
    hypura_sequence *sequence = hypura_sequence_create(model, &err);

    CHECK(must(hypura_sequence_eval(sequence, prompt->tokens, prompt->n, &err), &err));
    for (size_t i = 0; i < N_TOKENS; i++) {
        CHECK(hypura_sequence_sample(sequence, &prompt->sampling, &prompt->wanted[i], &err));
        CHECK(hypura_sequence_eval(sequence, &prompt->wanted[i], 1, &err));
    }
    hypura_sequence_free(sequence);
}

static void make_prompts(const char *path, Prompt out[N_PROMPTS_MAX])
{
    static RunPrompts prompts;
    hypura_model *model = open_model(path, "all", 1, 0);

    CHECK(model && run_read_prompts(&prompts));
    for (size_t i = 0; model && i < N_PROMPTS_MAX; i++) {
        choose_prompt(&prompts, i, &out[i]);
        generate_alone(model, &out[i]);
    }
    hypura_model_close(model);
}

/* All prompts through n places; a place that has its tokens takes the next prompt. */
static void check_batch(const char *label, hypura_model *model, uint32_t n, const Prompt *prompts)
{
    hypura_error err = {0};
    hypura_batch *batch = hypura_batch_create(model, n, &err);
    hypura_batch_answer answers[N_PROMPTS_MAX];
    size_t prompt_of[N_PROMPTS_MAX], n_got[N_PROMPTS_MAX] = {0}, n_begun = 0, n_ended = 0;
    uint32_t n_answers;

    if (!CHECK_CASE(label, must(batch != NULL, &err))) return;
    for (uint32_t place = 0; place < n; place++) {
        const Prompt *p = &prompts[n_begun];
        CHECK(hypura_batch_begin(batch, place, p->tokens, p->n, &p->sampling, &err));
        prompt_of[place] = n_begun++;
    }
    while (n_ended < N_PROMPTS_MAX) {
        if (!CHECK_CASE(label, must(hypura_batch_step(batch, answers, &n_answers, &err), &err)))
            break;
        for (uint32_t i = 0; i < n_answers; i++) {
            uint32_t place = answers[i].place;
            size_t prompt = prompt_of[place];
            CHECK_CASE(label, answers[i].token == prompts[prompt].wanted[n_got[prompt]]);
            if (++n_got[prompt] < N_TOKENS) continue;
            hypura_batch_end(batch, place);
            n_ended++;
            if (n_begun == N_PROMPTS_MAX) continue;
            const Prompt *p = &prompts[n_begun];
            CHECK(hypura_batch_begin(batch, place, p->tokens, p->n, &p->sampling, &err));
            prompt_of[place] = n_begun++;
        }
    }
    hypura_batch_free(batch);
}

TEST(a_prompt_gets_the_tokens_that_it_gets_alone)
{
    static const struct {
        const char *label, *weights;
        uint32_t n, n_ubatch;
    } cases[] = {{"one place", "25%", 1, 0}, {"two", "min", 2, 16}, {"three", "25%", 3, 512},
        {"three, small parts", "50%", 3, 3}, {"eight", "all", 8, 512},
        {"eight, small parts", "25%", 8, 8}, {"eight, at the least", "min", 8, 0}};

    for (size_t m = 0; m < 2; m++) {
        Prompt prompts[N_PROMPTS_MAX];
        make_prompts(run_models[m], prompts);
        for (size_t i = 0; i < COUNT(cases); i++) {
            hypura_model *model =
                open_model(run_models[m], cases[i].weights, cases[i].n, cases[i].n_ubatch);
            if (model) check_batch(cases[i].label, model, cases[i].n, prompts);
            hypura_model_close(model);
        }
    }
}

static bool stop_at_once(void *context, size_t done, size_t total)
{
    (void)context;
    CHECK(done <= total);
    return false;
}

TEST(a_pass_that_was_stopped_can_be_tried_again)
{
    Prompt prompts[N_PROMPTS_MAX];
    hypura_batch_answer answers[2];
    hypura_error err = {0};
    uint32_t n_answers = 0;
    make_prompts(run_models[0], prompts);
    hypura_model *model = open_model(run_models[0], "25%", 2, 0);
    hypura_batch *batch = model ? hypura_batch_create(model, 2, &err) : NULL;

    if (!CHECK(batch)) return;
    for (uint32_t i = 0; i < 2; i++)
        CHECK(hypura_batch_begin(
            batch, i, prompts[i].tokens, prompts[i].n, &prompts[i].sampling, &err));
    for (size_t t = 0; t < N_TOKENS; t++) {
        hypura_model_on_progress(model, stop_at_once, NULL);
        CHECK(!hypura_batch_step(batch, answers, &n_answers, &err) && err.exit_status == 130);
        hypura_model_on_progress(model, NULL, NULL);
        CHECK(must(hypura_batch_step(batch, answers, &n_answers, &err), &err) && n_answers == 2);
        for (uint32_t i = 0; i < 2; i++) CHECK(answers[i].token == prompts[i].wanted[t]);
    }
    hypura_batch_free(batch);
    hypura_model_close(model);
}

TEST(wrong_calls_are_refused_and_change_nothing)
{
    hypura_model *model = open_model(run_models[0], "all", 2, 0);
    hypura_error err = {0};
    hypura_sampling greedy = hypura_sampling_default();
    int32_t good = 5, negative = -1, *many = calloc(512, sizeof(int32_t));
    hypura_batch_answer answers[2];
    uint32_t n_answers = 7;
    greedy.temperature = 0;

    if (!CHECK(model)) return;
    CHECK(!hypura_batch_create(model, 0, &err) && err.number == ERROR_USAGE);
    CHECK(!hypura_batch_create(model, 3, &err) && err.number == ERROR_USAGE);
    hypura_batch *batch = hypura_batch_create(model, 2, &err);
    CHECK(batch);
    CHECK(!hypura_batch_step(batch, answers, &n_answers, &err) && err.number == ERROR_USAGE);
    CHECK(!hypura_batch_begin(batch, 0, &good, 0, &greedy, &err) && err.number == ERROR_USAGE);
    CHECK(!hypura_batch_begin(batch, 0, &negative, 1, &greedy, &err)
          && err.number == ERROR_TOKEN_RANGE);
    CHECK(!hypura_batch_begin(batch, 0, many, 512, &greedy, &err)
          && err.number == ERROR_CONTEXT_FULL);
    CHECK(!hypura_batch_step(batch, answers, &n_answers, &err) && n_answers == 7);

    // The last token that the context has room for is drawn, and not evaluated.
    CHECK(hypura_batch_begin(batch, 1, many, 511, &greedy, &err));
    CHECK(must(hypura_batch_step(batch, answers, &n_answers, &err), &err));
    CHECK(n_answers == 1 && answers[0].place == 1);
    CHECK(must(hypura_batch_step(batch, answers, &n_answers, &err), &err) && n_answers == 1);
    CHECK(!hypura_batch_step(batch, answers, &n_answers, &err) && err.number == ERROR_CONTEXT_FULL);
    free(many);
    hypura_batch_free(batch);
    hypura_model_close(model);
}

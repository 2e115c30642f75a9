/* The child's side of a bench: open, a cold prompt, a warm one, a few tokens to warm up, then
 * windows of decode. It reports its own failures; the parent sees them as silence and a status. */
#include "cli/bench.h"

#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/report.h"
#include "engine/bound.h"

#define WARM_TOKENS 16 // whose misses are those of a cold cache
#define EARLY_NS    UINT64_C(1000000000)

static const char text[] =
    "Once upon a time there was a king who had three sons. The eldest was strong and the second "
    "was clever, but the youngest, whom everybody called a fool, listened to what the birds said "
    "in the morning. One winter the well in the yard froze to its ground, and no rope was long "
    "enough to reach the water. Who brings me a cup of it before the sun sets, said the king, "
    "shall have the half of what I own; and he sat down at the window and waited. ";

typedef struct Worker {
    const BenchJob *job;
    hypura_model *model;
    hypura_sequence *sequence;
    hypura_sampling sampling;
    int32_t *prompt;    // [n_prompt], owned
    uint64_t *token_ns; // [BENCH_TOKENS_MAX + 1], owned: made before the budget is
    TokenWork first;    // compute of the first window; its pass_bytes 0: there was none
} Worker;

static hypura_stats stats_of(const hypura_model *model)
{
    hypura_stats stats = {.size_bytes = sizeof stats};

    hypura_model_stats(model, &stats);
    return stats;
}

static double seconds_since(uint64_t begin_ns)
{
    return (double)(clock_now_ns() - begin_ns) / 1e9;
}

/* The text's tokens again and again. */
static bool make_prompt(Worker *worker, hypura_error *err)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;

    if (!hypura_tokenize(worker->model, text, sizeof text - 1, false, false, &ids, &n_ids, err))
        return false;
    for (uint32_t i = 0; i < worker->job->n_prompt; i++) worker->prompt[i] = ids[i % n_ids];
    hypura_free(ids);
    return true;
}

/* Samples and evaluates one token; where the context ends, an empty one begins. */
static bool next_token(Worker *worker, hypura_error *err)
{
    int32_t token;

    if (!hypura_sequence_sample(worker->sequence, &worker->sampling, &token, err)) return false;
    if (hypura_sequence_position(worker->sequence) == hypura_n_ctx(worker->model)
        && !hypura_sequence_reset(worker->sequence, 0, err))
        return false;
    return hypura_sequence_eval(worker->sequence, &token, 1, err);
}

static bool run_prompts(Worker *worker, BenchStart *start, hypura_error *err)
{
    uint32_t n = worker->job->n_prompt;
    int32_t token;

    start->prompt_begun_ns = clock_now_ns();
    if (!hypura_sequence_eval(worker->sequence, worker->prompt, n, err)) return false;
    start->prompt_ended_ns = clock_now_ns();
    if (!hypura_sequence_sample(worker->sequence, &worker->sampling, &token, err)) return false;
    start->first_token_ns = clock_now_ns();
    if (!hypura_sequence_reset(worker->sequence, 0, err)) return false;
    start->cold = stats_of(worker->model);
    uint64_t begin_ns = clock_now_ns();
    if (!hypura_sequence_eval(worker->sequence, worker->prompt, n, err)) return false;
    start->warm_prompt_seconds = seconds_since(begin_ns);
    return true;
}

static bool warm_up(Worker *worker, double seconds_max, BenchStart *start, hypura_error *err)
{
    uint64_t begin_ns = clock_now_ns();
    hypura_stats before = stats_of(worker->model);

    for (uint32_t i = 0; i < WARM_TOKENS; i++) {
        if (!next_token(worker, err)) return false;
        start->n_warm_tokens++;
        if (seconds_since(begin_ns) > seconds_max) break;
    }
    start->open = before; // what warming up read is between the two
    start->warm = stats_of(worker->model);
    return true;
}

static bool run_window(Worker *worker, const BenchAsk *ask, OutcomeSpan *span, hypura_error *err)
{
    uint64_t n = 0, begin_ns = clock_now_ns(), now_ns = begin_ns;
    uint64_t end_ns = begin_ns + (uint64_t)(ask->seconds * 1e9);

    *span = (OutcomeSpan){.begin = stats_of(worker->model), .n_prompt = worker->job->n_prompt};
    worker->token_ns[0] = begin_ns;
    while ((n < ask->n_tokens || now_ns < end_ns) && n < BENCH_TOKENS_MAX) {
        if (!next_token(worker, err)) return false;
        now_ns = clock_now_ns();
        worker->token_ns[++n] = now_ns;
        if (span->n_early_tokens > 0 || now_ns - begin_ns < EARLY_NS) continue;
        span->early = stats_of(worker->model);
        span->n_early_tokens = n;
        span->early_seconds = (double)(now_ns - begin_ns) / 1e9;
    }
    span->end = stats_of(worker->model);
    span->n_tokens = n;
    span->seconds = (double)(now_ns - begin_ns) / 1e9;
    if (span->n_early_tokens > 0) return true;
    span->early = span->end;
    span->n_early_tokens = n;
    span->early_seconds = span->seconds;
    return true;
}

/* With the drive as just measured, and compute as it was at the start of the first window. */
static double predict(Worker *worker, const BenchAsk *ask, const OutcomeSpan *span)
{
    hypura_plan_options wish = HYPURA_PLAN_OPTIONS_INIT;
    hypura_plan plan;

    if (!(worker->first.pass_bytes > 0)) worker->first = outcome_early_work(span);
    wish.n_prompt = worker->job->n_prompt;
    wish.drive_bytes_per_s = ask->drive_bytes_per_s;
    wish.other_seconds = worker->first.other_seconds;
    wish.expert_seconds = worker->first.expert_seconds;
    if (!hypura_model_plan(worker->model, &wish, &plan, NULL)) return (double)NAN;
    return plan.generate_per_s.expected;
}

static bool serve_windows(Worker *worker, const Talk *talk, hypura_error *err)
{
    BenchAsk ask;

    while (talk_receive(talk, &ask, sizeof ask)) {
        BenchWindow window = {0};
        if (!run_window(worker, &ask, &window.span, err)) return false;
        window.predicted_per_s = predict(worker, &ask, &window.span);
        window.foretold_per_s = outcome_of(worker->model, &window.span).predicted_per_s;
        size_t n_bytes = (window.span.n_tokens + 1) * sizeof *worker->token_ns;
        if (!talk_send(talk, &window, sizeof window) || !talk_send(talk, worker->token_ns, n_bytes))
            return true; // the parent is gone, and knows why
    }
    return true;
}

static bool start_worker(Worker *worker, BenchStart *start, hypura_error *err)
{
    hypura_model_on_progress(worker->model, interrupt_goes_on, NULL);
    worker->sampling = hypura_sampling_default();
    worker->sampling.seed = 42;
    worker->sequence = hypura_sequence_create(worker->model, err);
    return worker->sequence && hypura_model_plan(worker->model, NULL, &start->plan, err)
           && make_prompt(worker, err) && run_prompts(worker, start, err)
           && warm_up(worker, 2, start, err);
}

int bench_work(void *context, Talk *talk)
{
    Worker worker = {.job = context};
    Options options = *worker.job->options;
    BenchStart start = {0};
    hypura_error api_error = {0};
    Error err = {0};
    int status = STATUS_OK;

    options.weights = worker.job->weights;
    worker.token_ns =
        mem_alloc_array(MEM_OTHER, BENCH_TOKENS_MAX + 1, sizeof *worker.token_ns, &err);
    worker.prompt = mem_alloc_array(MEM_OTHER, worker.job->n_prompt, sizeof *worker.prompt, &err);
    if (!worker.token_ns || !worker.prompt) {
        status = report_error("bench", &err);
        goto out;
    }
    worker.model =
        load_model(&options, (LoadWish){.need = HYPURA_NEED_WEIGHTS, .sandbox = true}, &status);
    if (!worker.model) goto out;
    bool ok =
        start_worker(&worker, &start, &api_error)
        && (!talk_send(talk, &start, sizeof start) || serve_windows(&worker, talk, &api_error));
    if (!ok) status = report_api_error("bench", &api_error);

out:
    hypura_sequence_free(worker.sequence);
    hypura_model_close(worker.model);
    mem_free(MEM_OTHER, worker.prompt);
    mem_free(MEM_OTHER, worker.token_ns);
    return interrupt_signal() ? STATUS_OF_SIGNAL + interrupt_signal() : status;
}

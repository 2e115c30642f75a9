/* `hypura bench`: budget after budget, windows of decode in turn with windows of the drive's
 * ceiling, at the size and depth at which decode reads: a dense model's own reads in their order,
 * else reads at random places of the file. A virtual drive's
 * speed wanders within minutes, so only neighbours in time are compared. */
#include "cli/verbs.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/size.h"
#include "cli/bench.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "engine/ceiling.h"

#define SECONDS_DEFAULT 2.0
#define CEILING_SECONDS 1.0 // where windows end by their tokens
#define PAIRS_DEFAULT   5
#define TOKENS_MIN      4 // of a window
#define PROMPT_DEFAULT  512

/* The size and depth at which the child has read since `before`; false: it hardly reads. */
static bool find_reads(BenchRun *run, const hypura_stats *before, const hypura_stats *after)
{
    uint64_t n_reads = after->n_reads - before->n_reads;

    if (n_reads < 8) return false;
    run->read_bytes = (uint32_t)((after->read_bytes - before->read_bytes) / n_reads);
    run->depth = (uint32_t)((after->read_depth_sum - before->read_depth_sum) / n_reads);
    // A layer's misses go out together, from an empty queue: on average half of them are in flight.
    if (after->n_expert_used > 0) run->depth = run->depth > 1 ? 2 * run->depth - 1 : 1;
    return true;
}

static bool measure_ceiling(Ceiling *ceiling, const Bench *bench, BenchRun *run, double *out)
{
    const BenchPair *last = run->n_pairs > 0 ? &run->pairs[run->n_pairs - 1] : NULL;
    const hypura_stats *before = last ? &last->window.span.begin : &run->start.open;
    const hypura_stats *after = last ? &last->window.span.end : &run->start.warm;
    Error err = {0};

    *out = 0;
    if (!find_reads(run, before, after)) return true;
    double seconds = bench->seconds > 0 ? bench->seconds : CEILING_SECONDS;
    if (ceiling_measure(ceiling, run->read_bytes, run->depth, seconds, out, &err)) return true;
    report_error("the drive's ceiling", &err);
    return false;
}

/* One window of each. False: the child is silent, or a failure was reported. */
static bool run_pair(const Bench *bench, BenchRun *run, Ceiling *ceiling, const Talk *talk)
{
    BenchPair *pair = &run->pairs[run->n_pairs];
    BenchAsk ask = {.seconds = bench->seconds, .n_tokens = bench->n_tokens};

    if (!measure_ceiling(ceiling, bench, run, &pair->ceiling)) return false;
    ask.drive_bytes_per_s = pair->ceiling;
    if (!talk_send(talk, &ask, sizeof ask)) return false;
    if (!talk_receive(talk, &pair->window, sizeof pair->window)) return false;
    uint64_t n_times = pair->window.span.n_tokens + 1;
    pair->token_ns = mem_alloc_array(MEM_OTHER, n_times, sizeof *pair->token_ns, NULL);
    if (!pair->token_ns) return false;
    run->n_pairs++;
    if (!talk_receive(talk, pair->token_ns, n_times * sizeof *pair->token_ns)) return false;
    bench_judge(pair);
    return !interrupt_signal();
}

static void show_progress(const Bench *bench, const BenchRun *run)
{
    const BenchPair *pair = &run->pairs[run->n_pairs - 1];

    if (bench->options->quiet) return;
    fprintf(stderr, "hypura: %s: window %u of %u: %.2f tokens/s, ceiling %.2f GB/s\n", run->budget,
        run->n_pairs, bench->n_pairs, pair->per_s, pair->ceiling / 1e9);
}

static bool run_pairs(const Bench *bench, BenchRun *run, const Talk *talk)
{
    Error err = {0};
    Ceiling *ceiling = ceiling_open(bench->options->model, &err);

    bool ok = ceiling && ceiling_follow(ceiling, run->start.open.budget.weights, &err);
    if (!ok) report_error("the drive's ceiling", &err);
    while (ok && run->n_pairs < bench->n_pairs) {
        ok = run_pair(bench, run, ceiling, talk);
        if (ok) show_progress(bench, run);
    }
    ceiling_close(ceiling);
    return ok;
}

/* The exit status. */
static int run_budget(const Bench *bench, BenchRun *run)
{
    BenchJob job = {.options = bench->options,
        .weights = run->weights,
        .n_prompt = bench->n_prompt,
        .begun_ns = clock_now_ns()};
    Error err = {0};
    Child child;

    run->begun_ns = job.begun_ns;
    if (!child_start(&child, bench_work, &job, &err)) return report_error("bench", &err);
    bool ok = talk_receive(&child.talk, &run->start, sizeof run->start)
              && run_pairs(bench, run, &child.talk);
    int status = child_end(&child);
    if (interrupt_signal()) return STATUS_OF_SIGNAL + interrupt_signal();
    if (ok || status != STATUS_OK) return status;
    return error_exit_status(ERROR_READ); // of a ceiling, reported
}

/* Cuts "10%,50%,all" at its commas, in place. */
static bool split_budgets(Bench *bench, char *text, Error *err)
{
    char *rest = NULL;
    Budget budget;

    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (bench->n_runs == BENCH_BUDGETS_MAX)
            return error_set(err, ERROR_USAGE, "more than %d", BENCH_BUDGETS_MAX);
        if (!budget_parse(word, &budget, err)) return false;
        bench->runs[bench->n_runs++] = (BenchRun){.budget = word, .weights = word};
    }
    return bench->n_runs > 0 || error_set(err, ERROR_USAGE, "there is none");
}

static bool prepare(Bench *bench, char *budgets, Error *err)
{
    const Options *options = bench->options;

    bench->n_prompt =
        options->n_prompt.is_given ? (uint32_t)options->n_prompt.value : PROMPT_DEFAULT;
    bench->n_pairs = options->n_pairs.is_given ? (uint32_t)options->n_pairs.value : PAIRS_DEFAULT;
    bench->n_tokens = options->n_tokens.value > 0 ? (uint32_t)options->n_tokens.value : TOKENS_MIN;
    if (bench->n_tokens > BENCH_TOKENS_MAX) bench->n_tokens = BENCH_TOKENS_MAX;
    bench->seconds = options->seconds.is_given    ? options->seconds.value
                     : options->n_tokens.is_given ? 0
                                                  : SECONDS_DEFAULT;
    bench->runs = mem_alloc_array(MEM_OTHER, BENCH_BUDGETS_MAX, sizeof *bench->runs, err);
    if (!bench->runs) return false;
    if (!*budgets) { // what a run would take
        bench->runs[bench->n_runs++] = (BenchRun){.budget = "auto"};
        return true;
    }
    return split_budgets(bench, budgets, err) || error_at(err, "--budgets");
}

static void destroy(Bench *bench)
{
    for (uint32_t i = 0; i < bench->n_runs; i++)
        for (uint32_t k = 0; k < bench->runs[i].n_pairs; k++)
            mem_free(MEM_OTHER, bench->runs[i].pairs[k].token_ns);
    mem_free(MEM_OTHER, bench->runs);
}

int verb_bench(const Options *options)
{
    Bench bench = {.options = options};
    char budgets[256];
    Error err = {0};
    int status = STATUS_OK;

    if (options->n_parallel.value > 1)
        return report_usage("bench", NULL, "--parallel: this version runs one sequence at a time");
    const char *wanted = options->budgets   ? options->budgets
                         : options->weights ? options->weights
                                            : "";
    if (strlen(wanted) >= sizeof budgets) return report_usage("bench", NULL, "--budgets: too long");
    memcpy(budgets, wanted, strlen(wanted) + 1);
    if (!prepare(&bench, budgets, &err)) status = report_error("bench", &err);
    for (uint32_t i = 0; i < bench.n_runs && status == STATUS_OK; i++)
        status = run_budget(&bench, &bench.runs[i]);
    if (status == STATUS_OK) status = bench_report(&bench);
    destroy(&bench);
    return status;
}

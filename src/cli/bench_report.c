/* Medians over pairs and their spread; a table for people, or the document of docs/cli.md. */
#include "cli/bench.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/size.h"
#include "cli/plan_json.h"
#include "cli/report.h"
#include "cli/statistics.h"
#include "cli/terminal.h"
#include "engine/bound.h"

/* A figure over the pairs of a run. */
typedef struct Spread {
    double median, low, high;
} Spread;

void bench_judge(BenchPair *pair)
{
    const OutcomeSpan *span = &pair->window.span;
    double n_tokens = (double)span->n_tokens;
    TokenWork work = bound_work_between(&span->begin, &span->end, n_tokens);
    Ceilings ceilings = {.drive_bytes_per_s = pair->ceiling};
    double read_bytes = (double)(span->end.read_bytes - span->begin.read_bytes);

    pair->per_s = n_tokens / span->seconds;
    pair->bound = bound_of(&work, &ceilings);
    pair->fraction = pair->per_s / pair->bound.least_per_s;
    pair->drive_share = pair->ceiling > 0 ? read_bytes / span->seconds / pair->ceiling : 0;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static Spread spread_of(double *values, uint32_t n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return (Spread){.median = (values[(n - 1) / 2] + values[n / 2]) / 2,
        .low = values[0],
        .high = values[n - 1]};
}

/* Of a double in each pair. */
static Spread spread_over(const BenchRun *run, size_t offset)
{
    double values[BENCH_PAIRS_MAX];

    for (uint32_t i = 0; i < run->n_pairs; i++)
        memcpy(&values[i], (const char *)&run->pairs[i] + offset, sizeof(double));
    return spread_of(values, run->n_pairs);
}

#define OVER_PAIRS(run, field) spread_over((run), offsetof(BenchPair, field))

/* By how much predictions were too high, as a share of the outcome: on the ceilings of the same
 * pairs, and by the first second of each window. */
static Spread prediction_error(const BenchRun *run, bool by_first_second)
{
    double values[BENCH_PAIRS_MAX];

    for (uint32_t i = 0; i < run->n_pairs; i++) {
        const BenchWindow *window = &run->pairs[i].window;
        double per_s = by_first_second ? window->foretold_per_s : window->predicted_per_s;
        values[i] = per_s / run->pairs[i].per_s - 1;
    }
    return spread_of(values, run->n_pairs);
}

/* Seconds that the warm prompt takes at least: its reads at the drive's ceiling, or all that it
 * did beside waiting. */
static double prompt_bound_seconds(const BenchRun *run)
{
    const hypura_stats *before = &run->start.cold, *after = &run->start.open;
    double stall = (double)(after->stall_ns - before->stall_ns) / 1e9;
    double ceiling = OVER_PAIRS(run, ceiling).median;
    double reads = ceiling > 0 ? (double)(after->read_bytes - before->read_bytes) / ceiling : 0;

    return fmax(reads, run->start.warm_prompt_seconds - stall);
}

/* The pair whose speed is the median, or just below it. */
static const BenchPair *median_pair(const BenchRun *run)
{
    double median = OVER_PAIRS(run, per_s).median;
    const BenchPair *best = &run->pairs[0];

    for (uint32_t i = 1; i < run->n_pairs; i++)
        if (fabs(run->pairs[i].per_s - median) < fabs(best->per_s - median)) best = &run->pairs[i];
    return best;
}

static double prompt_seconds(const BenchRun *run)
{
    return (double)(run->start.prompt_ended_ns - run->start.prompt_begun_ns) / 1e9;
}

/* A pair as the statistics of a run: the prompt is the cold one, the tokens are the window's. */
static Statistics statistics_of(const Bench *bench, const BenchRun *run, const BenchPair *pair)
{
    const OutcomeSpan *span = &pair->window.span;

    return (Statistics){.model_path = bench->options->model,
        .finish = FINISH_LENGTH,
        .n_prompt = bench->n_prompt,
        .n_generated = span->n_tokens + 1,
        .begun_ns = run->begun_ns,
        .prompt_begun_ns = run->start.prompt_begun_ns,
        .prompt_ended_ns = run->start.prompt_ended_ns,
        .token_ns = pair->token_ns,
        .after_prompt = span->begin,
        .after_all = span->end,
        .outcome = {.bound = pair->bound, .predicted_per_s = pair->window.foretold_per_s}};
}

/* ---- JSON ---- */

static Json *spread_json(Spread spread)
{
    Json *out = json_object();

    json_set_f64(out, "median", spread.median);
    json_set_f64(out, "low", spread.low);
    json_set_f64(out, "high", spread.high);
    return out;
}

static Json *prediction_json(const BenchRun *run)
{
    const hypura_plan *plan = &run->start.plan;
    Json *out = json_object();

    json_set(out, "generate_per_s", range_json(&plan->generate_per_s, 1));
    json_set(out, "prompt_per_s", range_json(&plan->prompt_per_s, 1));
    json_set(out, "first_token_ns", range_json(&plan->first_token_seconds, 1e9));
    json_set_f64(out, "missing_bytes_per_token", plan->missing_bytes_per_token.expected);
    json_set(
        out, "generate_per_s_on_ceilings", spread_json(OVER_PAIRS(run, window.predicted_per_s)));
    json_set(out, "error", spread_json(prediction_error(run, false)));
    json_set(out, "error_by_first_second", spread_json(prediction_error(run, true)));
    json_set_bool(out, "experts_are_known", plan->experts_are_known);
    return out;
}

static Json *outcome_json(const BenchRun *run, uint32_t n_prompt)
{
    const BenchStart *start = &run->start;
    Json *out = json_object();

    json_set_f64(out, "generate_per_s", OVER_PAIRS(run, per_s).median);
    json_set_f64(out, "prompt_per_s", n_prompt / prompt_seconds(run));
    json_set_f64(out, "prompt_per_s_warm", n_prompt / start->warm_prompt_seconds);
    json_set_f64(out, "prompt_fraction", prompt_bound_seconds(run) / start->warm_prompt_seconds);
    json_set_u64(out, "load_ns", start->prompt_begun_ns - run->begun_ns);
    json_set_u64(out, "first_token_ns", start->first_token_ns - start->prompt_begun_ns);
    return out;
}

static Json *ceiling_json(const BenchRun *run)
{
    Json *out = spread_json(OVER_PAIRS(run, ceiling));

    json_set_u64(out, "read_bytes", run->read_bytes);
    json_set_u64(out, "depth", run->depth);
    return out;
}

static Json *pairs_json(const BenchRun *run)
{
    Json *out = json_list();

    for (uint32_t i = 0; i < run->n_pairs; i++) {
        const BenchPair *pair = &run->pairs[i];
        Json *item = json_object();
        json_set_f64(item, "generate_per_s", pair->per_s);
        json_set_f64(item, "predicted_generate_per_s", pair->window.predicted_per_s);
        json_set_f64(item, "ceiling_bytes_per_s", pair->ceiling);
        json_set_f64(item, "drive_fraction", pair->drive_share);
        json_set_f64(item, "bound_per_s", pair->bound.least_per_s);
        json_set_f64(item, "fraction", pair->fraction);
        json_set_f64(item, "seconds", pair->window.span.seconds);
        json_add(out, item);
    }
    return out;
}

/* The statistics of the median pair, with the figures of the whole run in their places. */
static void set_run(Json *out, const Bench *bench, const BenchRun *run)
{
    const BenchPair *pair = median_pair(run);
    const OutcomeSpan *span = &pair->window.span;
    Statistics statistics = statistics_of(bench, run, pair);
    double n_tokens = (double)span->n_tokens;

    statistics_set_json(out, &statistics);
    json_set_f64(out, "generate_per_s", OVER_PAIRS(run, per_s).median);
    json_set_u64(out, "first_token_ns", run->start.first_token_ns - run->start.prompt_begun_ns);
    json_set_f64(out, "read_bytes_per_token",
        (double)(span->end.read_bytes - span->begin.read_bytes) / n_tokens);
    json_set_f64(out, "drive_bytes_per_s",
        (double)(span->end.read_bytes - span->begin.read_bytes) / span->seconds);
}

static Json *run_json(const Bench *bench, const BenchRun *run)
{
    Json *out = json_object();

    json_set_text(out, "budget", view_of(run->budget));
    set_run(out, bench, run);
    json_set(out, "prediction", prediction_json(run));
    json_set(out, "outcome", outcome_json(run, bench->n_prompt));
    json_set(out, "ceiling", ceiling_json(run));
    json_set_f64(out, "fraction", OVER_PAIRS(run, fraction).median);
    json_set_f64(out, "drive_fraction", OVER_PAIRS(run, drive_share).median);
    Json *spread = json_object();
    json_set(spread, "generate_per_s", spread_json(OVER_PAIRS(run, per_s)));
    json_set(spread, "fraction", spread_json(OVER_PAIRS(run, fraction)));
    json_set(spread, "drive_fraction", spread_json(OVER_PAIRS(run, drive_share)));
    json_set(out, "spread", spread);
    json_set(out, "pairs", pairs_json(run));
    return out;
}

/* The budget whose speed is the median of all budgets' (of two in the middle the slower). */
static const BenchRun *median_run(const Bench *bench)
{
    for (uint32_t i = 0; i < bench->n_runs; i++) {
        double per_s = OVER_PAIRS(&bench->runs[i], per_s).median;
        uint32_t n_slower = 0;
        for (uint32_t k = 0; k < bench->n_runs; k++) {
            double other = OVER_PAIRS(&bench->runs[k], per_s).median;
            n_slower += other < per_s || (other <= per_s && k < i);
        }
        if (n_slower == (bench->n_runs - 1) / 2) return &bench->runs[i];
    }
    return &bench->runs[0];
}

static int write_json(const Bench *bench)
{
    Json *out = json_object(), *runs = json_list();

    set_run(out, bench, median_run(bench));
    for (uint32_t i = 0; i < bench->n_runs; i++) json_add(runs, run_json(bench, &bench->runs[i]));
    json_set(out, "runs", runs);
    return terminal_write_json("bench", out);
}

/* ---- a table ---- */

/* The pair's n-th percentile of the time between two tokens, in milliseconds; nearest rank. */
static double token_ms(const BenchPair *pair, unsigned percent)
{
    uint64_t n = pair->window.span.n_tokens;
    double *times = mem_alloc_array(MEM_OTHER, n, sizeof *times, NULL);
    double result = (double)NAN;

    if (!times) return result;
    for (uint64_t i = 0; i < n; i++)
        times[i] = (double)(pair->token_ns[i + 1] - pair->token_ns[i]) / 1e6;
    qsort(times, n, sizeof *times, compare_doubles);
    if (n > 0) result = times[(n * percent + 99) / 100 - 1];
    mem_free(MEM_OTHER, times);
    return result;
}

static void write_run(const BenchRun *run)
{
    const BenchPair *pair = median_pair(run);
    const OutcomeSpan *span = &pair->window.span;
    const hypura_stats *stats = &span->end;
    Spread per_s = OVER_PAIRS(run, per_s), ceiling = OVER_PAIRS(run, ceiling);
    char held[24], read[24];

    printf(
        "%-8s %10s %8.2f %7.2f %7.2f %+5.0f %% %+5.0f %% %10s %8.2f %5.2f %5.0f %% %-8s %5.0f %%",
        run->budget,
        size_format(stats->budget.trunk + stats->budget.cache + stats->budget.ring, held),
        per_s.median, per_s.low, per_s.high, 100 * prediction_error(run, false).median,
        100 * prediction_error(run, true).median,
        size_format((stats->read_bytes - span->begin.read_bytes) / span->n_tokens, read),
        ceiling.median / 1e9, ceiling.low / 1e9, 100 * OVER_PAIRS(run, drive_share).median,
        pair->bound.name ? pair->bound.name : "-", 100 * OVER_PAIRS(run, fraction).median);
    printf(" %8.1f %8.1f %8.1f\n", token_ms(pair, 50), token_ms(pair, 95), token_ms(pair, 99));
}

static void write_start(const Bench *bench, const BenchRun *run)
{
    const BenchStart *start = &run->start;
    const BenchPair *last = &run->pairs[run->n_pairs - 1];
    char peak[24];

    printf("%-8s %10.1f %10.1f %7.0f %% %12.1f %12.1f %12s\n", run->budget,
        bench->n_prompt / prompt_seconds(run), bench->n_prompt / start->warm_prompt_seconds,
        100 * prompt_bound_seconds(run) / start->warm_prompt_seconds,
        (double)(start->prompt_begun_ns - run->begun_ns) / 1e6,
        (double)(start->first_token_ns - start->prompt_begun_ns) / 1e6,
        size_format(last->window.span.end.peak_memory_bytes, peak));
}

static void write_table(const Bench *bench)
{
    printf("prompt of %u tokens\n%-8s %10s %10s %9s %12s %12s %12s\n", bench->n_prompt, "budget",
        "cold, 1/s", "warm, 1/s", "of bound", "load, ms", "first, ms", "peak memory");
    for (uint32_t i = 0; i < bench->n_runs; i++) write_start(bench, &bench->runs[i]);
    printf("\ngeneration: medians of %u windows, each beside a window of the drive's ceiling\n"
           "%-8s %10s %8s %7s %7s %7s %7s %10s %8s %5s %7s %-8s %7s %8s %8s %8s\n",
        bench->n_pairs, "budget", "in memory", "1/s", "low", "high", "plan", "1st s", "read",
        "GB/s", "low", "of it", "bound", "of it", "p50, ms", "p95", "p99");
    for (uint32_t i = 0; i < bench->n_runs; i++) write_run(&bench->runs[i]);
}

int bench_report(const Bench *bench)
{
    if (bench->options->json) return write_json(bench);
    write_table(bench);
    return STATUS_OK;
}

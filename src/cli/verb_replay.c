/* `hypura replay`: recorded accesses through cache policies at other budgets. */
#include "cli/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/size.h"
#include "cli/input.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "store/predict.h"
#include "store/replay.h"
#include "store/replay_predict.h"
#include "store/trace_read.h"

#define BUDGETS_MAX       32
#define BUDGET_TEXT_BYTES 32
#define BUDGETS_DEFAULT   "3%,6%,12%,25%,50%"

typedef struct Budgets {
    uint64_t n_bytes[BUDGETS_MAX];
    size_t n;
} Budgets;

typedef ReplayResult Results[BUDGETS_MAX][REPLAY_POLICIES_END];
typedef ReplayPrediction Predictions[PREDICT_AHEAD_MAX];

static bool resolve_budget(const Trace *trace, const char *text, uint64_t *n_bytes, Error *err)
{
    uint64_t all_bytes = trace_all_bytes(trace);
    Budget budget;

    if (!budget_parse(text, &budget, err)) return false;
    switch (budget.unit) {
    case BUDGET_BYTES: *n_bytes = budget.n_bytes; return true;
    case BUDGET_PERCENT:
        *n_bytes = (uint64_t)((double)all_bytes * budget.percent / 100);
        return true;
    case BUDGET_MIN: *n_bytes = replay_minimum_bytes(trace); return true;
    case BUDGET_DEFAULT:
    case BUDGET_ALL: break;
    }
    *n_bytes = all_bytes;
    return true;
}

/* "3%,25%,2G" in bytes; percentages are of all experts. */
static bool parse_budgets(const Trace *trace, const char *list, Budgets *out, Error *err)
{
    for (const char *rest = list; rest; out->n++) {
        char text[BUDGET_TEXT_BYTES];
        const char *comma = strchr(rest, ',');
        size_t n_text = comma ? (size_t)(comma - rest) : strlen(rest);

        if (out->n == BUDGETS_MAX)
            return error_set(err, ERROR_USAGE, "--budgets: more than %d", BUDGETS_MAX);
        if (n_text >= sizeof text) n_text = sizeof text - 1; // too long to be one, and refused
        memcpy(text, rest, n_text);
        text[n_text] = '\0';
        if (!resolve_budget(trace, text, &out->n_bytes[out->n], err))
            return error_at(err, "--budgets");
        rest = comma ? comma + 1 : NULL;
    }
    return true;
}

static double hit_rate(const ReplayResult *result)
{
    return result->n_uses > 0 ? (double)result->n_hits / (double)result->n_uses : 0;
}

static Json *result_json(ReplayPolicy policy, uint64_t budget_bytes, const ReplayResult *result)
{
    Json *out = json_object();

    json_set_text(out, "name", view_of(replay_policy_name(policy)));
    json_set_u64(out, "budget_bytes", budget_bytes);
    json_set_u64(out, "blocks", result->n_slots);
    json_set_f64(out, "hit_rate", hit_rate(result));
    json_set_u64(out, "missed_bytes", result->missed_bytes);
    return out;
}

static void write_row(ReplayPolicy policy, uint64_t budget_bytes, const ReplayResult *result)
{
    char budget[24], missed[24];

    printf("%10s %8" PRIu64 "  %-18s %8.4f %12s\n", size_format(budget_bytes, budget),
        result->n_slots, replay_policy_name(policy), hit_rate(result),
        size_format(result->missed_bytes, missed));
}

/* Budgets that nobody asked for and that hold too little for this trace become the least. */
static void raise_budgets(const Trace *trace, Budgets *budgets)
{
    uint64_t minimum_bytes = replay_minimum_bytes(trace);
    size_t n = 0;

    for (size_t i = 0; i < budgets->n; i++) {
        uint64_t n_bytes = budgets->n_bytes[i];
        if (n_bytes < minimum_bytes) n_bytes = minimum_bytes;
        if (n == 0 || n_bytes != budgets->n_bytes[n - 1]) budgets->n_bytes[n++] = n_bytes;
    }
    budgets->n = n;
}

/* Every policy at every budget. */
static bool run_all(const Trace *trace, const Budgets *budgets, Results results, Error *err)
{
    for (size_t i = 0; i < budgets->n; i++)
        for (int p = 0; p < REPLAY_POLICIES_END; p++)
            if (!replay_run(trace, (ReplayPolicy)p, budgets->n_bytes[i], &results[i][p], err))
                return false;
    return true;
}

static double share(double n_named, const ReplayPrediction *prediction)
{
    return prediction->n_uses > 0 ? n_named / (double)prediction->n_uses : 0;
}

static Json *prediction_json(uint32_t ahead, const ReplayPrediction *prediction)
{
    Json *out = json_object();

    json_set_u64(out, "layers_ahead", ahead);
    json_set_f64(out, "recall", share((double)prediction->n_named, prediction));
    json_set_f64(
        out, "recall_of_twice_as_many", share((double)prediction->n_named_twice, prediction));
    json_set_f64(out, "expected_recall", share(prediction->n_expected, prediction));
    return out;
}

/* What could have been read ahead. */
static bool predict_all(const Trace *trace, Predictions predictions, Error *err)
{
    for (uint32_t ahead = 1; ahead <= PREDICT_AHEAD_MAX; ahead++)
        if (!replay_predict(trace, ahead, &predictions[ahead - 1], err)) return false;
    return true;
}

static void write_table(const Budgets *budgets, Results results, const Predictions predictions)
{
    printf("%10s %8s  %-18s %8s %12s\n", "budget", "experts", "policy", "hit rate", "missed");
    for (size_t i = 0; i < budgets->n; i++)
        for (int p = 0; p < REPLAY_POLICIES_END; p++)
            write_row((ReplayPolicy)p, budgets->n_bytes[i], &results[i][p]);
    printf("\n%-24s %8s %8s\n", "uses named beforehand", "k", "2k");
    for (uint32_t i = 0; i < PREDICT_AHEAD_MAX; i++)
        if (predictions[i].n_uses > 0)
            printf("%u layer%-17s %8.4f %8.4f\n", i + 1, i > 0 ? "s ahead" : " ahead",
                share((double)predictions[i].n_named, &predictions[i]),
                share((double)predictions[i].n_named_twice, &predictions[i]));
}

static int write_json(
    const Trace *trace, const Budgets *budgets, Results results, const Predictions predictions)
{
    Json *out = json_object(), *list = json_list(), *guesses = json_list();

    for (size_t i = 0; i < budgets->n; i++)
        for (int p = 0; p < REPLAY_POLICIES_END; p++)
            json_add(list, result_json((ReplayPolicy)p, budgets->n_bytes[i], &results[i][p]));
    for (uint32_t i = 0; i < PREDICT_AHEAD_MAX; i++)
        if (predictions[i].n_uses > 0) json_add(guesses, prediction_json(i + 1, &predictions[i]));
    json_set_u64(out, "layers", trace->n_layers);
    json_set_u64(out, "experts_per_layer", trace->n_expert);
    json_set_u64(out, "expert_bytes", trace_all_bytes(trace));
    json_set(out, "policies", list);
    json_set(out, "predictions", guesses);
    return terminal_write_json("replay", out);
}

/* Nothing is shown until all of it is known: a table is whole or not there. */
static int replay_trace(const Trace *trace, const Options *options)
{
    Budgets budgets = {0};
    Results results;
    Predictions predictions;
    Error err = {0};
    const char *list = options->budgets ? options->budgets : BUDGETS_DEFAULT;

    if (!parse_budgets(trace, list, &budgets, &err)) return report_error("replay", &err);
    if (!options->budgets) raise_budgets(trace, &budgets);
    if (!run_all(trace, &budgets, results, &err) || !predict_all(trace, predictions, &err))
        return report_error("replay", &err);
    if (options->json) return write_json(trace, &budgets, results, predictions);
    write_table(&budgets, results, predictions);
    return STATUS_OK;
}

static bool read_trace(Trace *trace, StringView data, Error *err)
{
    if (trace_is_recorded(data)) return trace_read_recorded(trace, data, err);
    return trace_read_route(trace, data, err);
}

static int write_timeline(const Options *options, StringView data)
{
    const char *path = options->perfetto;
    Error err = {0};

    if (input_holds_model(path))
        return report_usage("replay", "another name", "--perfetto: %s holds a model", path);
    if (!trace_is_recorded(data))
        return report_usage("replay", "a trace of --trace", "--perfetto: %s has no times in it",
            options->arguments[0]);
    FILE *stream = fopen(path, "w");
    if (!stream) {
        error_set(&err, ERROR_WRITE, "%s: %s", path, strerror(errno));
        return report_error("replay", &err);
    }
    bool ok = trace_write_timeline(data, stream, &err);
    if (fclose(stream) != 0 && ok)
        ok = error_set(&err, report_write_error_id(errno, ERROR_OUTPUT), "%s", strerror(errno));
    if (!ok) error_at(&err, "%s", path);
    return ok ? STATUS_OK : report_error("replay", &err);
}

int verb_replay(const Options *options)
{
    Trace trace = {0};
    Text text = {0};
    Error err = {0};
    int status;

    if (options->n_arguments < 1)
        return report_usage("replay", "hypura replay TRACE", "TRACE is needed");
    bool ok = input_read(options->arguments[0], &text, &err);
    StringView data = {text.data, text.n_bytes};
    if (ok && options->perfetto) {
        status = write_timeline(options, data);
        input_free(&text);
        return status;
    }
    if (ok && !read_trace(&trace, data, &err)) ok = error_at(&err, "%s", options->arguments[0]);
    input_free(&text);
    status = ok ? replay_trace(&trace, options) : report_error("replay", &err);
    trace_destroy(&trace);
    return status;
}

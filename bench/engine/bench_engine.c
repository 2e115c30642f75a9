/* Decode speed and bytes against the bounds of this machine, budget by budget. Each round of a
 * budget is a pair: a window of decode, then a window of the drive's ceiling on the same file;
 * medians and spread over the rounds are printed, and the whole goes to stdout as JSON.
 *
 *     bench_engine MODEL --budgets 4M,25%,50%,all [-n TOKENS] [--rounds N] [--threads N]
 *                  [--warm TOKENS] [--memory SIZE] [--seconds CEILING_WINDOW]
 *                  [--read-bytes N] [--depth N]       of the drive's ceiling: 1 MiB, 16
 *
 * Bound (DESIGN, section 1), with everything measured here: the seconds of a token are at least
 *     max(missing bytes / drive, touched bytes / memory)      "drive" or "memory"
 * and for a mixture, which cannot read before its router has spoken, at least
 *     resident seconds outside the experts
 *     + max(missing bytes / drive, resident seconds of the experts)           "layers"
 * where resident seconds are those of the budget "all" of the same run, split by touched bytes. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "engine/ceilings.h"
#include "hypura/hypura.h"
#include "sys/cpu.h"

#define ROUNDS_MAX  32
#define BUDGETS_MAX 16
#define PROMPT      "Once upon a time there was a king who had three sons."

typedef struct Settings {
    const char *model, *memory;
    char *budgets;
    uint32_t n_tokens, n_warm, n_rounds, n_threads;
    uint32_t read_bytes, depth; // of the drive's ceiling
    double ceiling_seconds;
} Settings;

/* One window of decode and its ceiling. */
typedef struct Round {
    double seconds_per_token, missing_bytes, touched_bytes, expert_bytes, read_bytes, hit_rate,
        drive;
} Round;

typedef struct Summary {
    const char *budget;
    uint64_t weights_bytes, peak_bytes;
    Round rounds[ROUNDS_MAX], median;
    double slowest, fastest; // tokens per second
} Summary;

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of one field over the rounds. */
static double median_of(const Summary *summary, uint32_t n, size_t offset)
{
    double values[ROUNDS_MAX];
    for (uint32_t i = 0; i < n; i++)
        memcpy(&values[i], (const char *)&summary->rounds[i] + offset, sizeof(double));
    qsort(values, n, sizeof(double), compare_doubles);
    return values[n / 2];
}

static bool generate(hypura_sequence *sequence, uint32_t n_tokens, hypura_error *err)
{
    hypura_sampling sampling = hypura_sampling_default();
    int32_t token;

    sampling.seed = 42;
    sampling.temperature = 0.7f;
    for (uint32_t i = 0; i < n_tokens; i++)
        if (!hypura_sequence_sample(sequence, &sampling, &token, err)
            || !hypura_sequence_eval(sequence, &token, 1, err))
            return false;
    return true;
}

static bool decode_window(hypura_model *model, const Settings *settings, Round *round,
    Summary *summary, hypura_error *err)
{
    hypura_stats before, after;
    int32_t *prompt = NULL;
    size_t n_prompt = 0;
    hypura_sequence *sequence = hypura_sequence_create(model, err);
    bool ok =
        sequence
        && hypura_tokenize(model, PROMPT, strlen(PROMPT), true, false, &prompt, &n_prompt, err)
        && hypura_sequence_eval(sequence, prompt, n_prompt, err)
        && generate(sequence, settings->n_warm, err);

    hypura_model_stats(model, &before);
    uint64_t start_ns = clock_now_ns();
    ok = ok && generate(sequence, settings->n_tokens, err);
    double n = settings->n_tokens;
    round->seconds_per_token = (double)(clock_now_ns() - start_ns) / 1e9 / n;
    hypura_model_stats(model, &after);
    round->missing_bytes = (double)(after.read_missed_bytes - before.read_missed_bytes) / n;
    round->read_bytes = (double)(after.read_bytes - before.read_bytes) / n;
    round->touched_bytes = (double)(after.demanded_bytes - before.demanded_bytes) / n;
    round->expert_bytes = (double)(after.demanded_expert_bytes - before.demanded_expert_bytes) / n;
    double n_experts = (double)(after.expert_hits + after.expert_misses - before.expert_hits
                                - before.expert_misses);
    round->hit_rate =
        n_experts > 0 ? (double)(after.expert_hits - before.expert_hits) / n_experts : 1;
    summary->weights_bytes = after.budget_trunk + after.budget_cache + after.budget_ring;
    summary->peak_bytes = after.peak_memory_bytes;
    hypura_free(prompt);
    hypura_sequence_free(sequence);
    return ok;
}

static bool run_round(const Settings *settings, Summary *summary, uint32_t r)
{
    hypura_error err = {0};
    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    options.weights = summary->budget;
    options.memory = settings->memory;
    options.n_threads = settings->n_threads;
    hypura_model *model = hypura_model_open(settings->model, &options, &err);
    bool ok = model && decode_window(model, settings, &summary->rounds[r], summary, &err);

    hypura_model_close(model);
    if (!ok) fprintf(stderr, "bench_engine: %s: %s\n", summary->budget, err.message);
    summary->rounds[r].drive = ceiling_drive(
        settings->model, settings->read_bytes, settings->depth, settings->ceiling_seconds, r + 1);
    return ok;
}

static void summarise(Summary *summary, uint32_t n)
{
    Round *m = &summary->median;

    m->seconds_per_token = median_of(summary, n, offsetof(Round, seconds_per_token));
    m->missing_bytes = median_of(summary, n, offsetof(Round, missing_bytes));
    m->read_bytes = median_of(summary, n, offsetof(Round, read_bytes));
    m->touched_bytes = median_of(summary, n, offsetof(Round, touched_bytes));
    m->expert_bytes = median_of(summary, n, offsetof(Round, expert_bytes));
    m->hit_rate = median_of(summary, n, offsetof(Round, hit_rate));
    m->drive = median_of(summary, n, offsetof(Round, drive));
    summary->slowest = summary->fastest = 1 / m->seconds_per_token;
    for (uint32_t i = 0; i < n; i++) {
        double per_s = 1 / summary->rounds[i].seconds_per_token;
        if (per_s < summary->slowest) summary->slowest = per_s;
        if (per_s > summary->fastest) summary->fastest = per_s;
    }
}

typedef struct Bound {
    double seconds;
    const char *name;
} Bound;

/* resident_seconds: of a token with the budget "all", 0 if that was not run. */
static Bound bound_of(const Round *m, double memory, double resident_seconds)
{
    double drive = m->missing_bytes / m->drive, touch = m->touched_bytes / memory;
    Bound bound = drive > touch ? (Bound){drive, "drive"} : (Bound){touch, "memory"};
    double experts = resident_seconds * m->expert_bytes / m->touched_bytes;
    double layers = resident_seconds - experts + (drive > experts ? drive : experts);

    if (m->expert_bytes > 0 && resident_seconds > 0 && m->missing_bytes > 0
        && layers > bound.seconds)
        bound = (Bound){layers, "layers"};
    return bound;
}

static Json *summary_json(const Summary *s, uint32_t n_rounds, Bound bound)
{
    const Round *m = &s->median;
    Json *json = json_object(), *rounds = json_list();

    json_set_text(json, "budget", view_of(s->budget));
    json_set_u64(json, "weights_bytes", s->weights_bytes);
    json_set_u64(json, "peak_memory_bytes", s->peak_bytes);
    json_set_f64(json, "generate_per_s", 1 / m->seconds_per_token);
    json_set_f64(json, "generate_per_s_min", s->slowest);
    json_set_f64(json, "generate_per_s_max", s->fastest);
    json_set_f64(json, "missing_bytes_per_token", m->missing_bytes);
    json_set_f64(json, "read_bytes_per_token", m->read_bytes);
    json_set_f64(json, "touched_bytes_per_token", m->touched_bytes);
    json_set_f64(json, "hit_rate", m->hit_rate);
    json_set_f64(json, "drive_bytes_per_s", m->drive);
    json_set_text(json, "bound", view_of(bound.name));
    json_set_f64(json, "bound_per_s", 1 / bound.seconds);
    json_set_f64(json, "fraction_of_bound", bound.seconds / m->seconds_per_token);
    for (uint32_t i = 0; i < n_rounds; i++) {
        Json *round = json_object();
        json_set_f64(round, "generate_per_s", 1 / s->rounds[i].seconds_per_token);
        json_set_f64(round, "drive_bytes_per_s", s->rounds[i].drive);
        json_add(rounds, round);
    }
    json_set(json, "rounds", rounds);
    return json;
}

static uint32_t split_budgets(char *text, Summary *summaries)
{
    uint32_t n = 0;
    for (char *word = strtok_r(text, ",", &text); word && n < BUDGETS_MAX;
         word = strtok_r(NULL, ",", &text))
        summaries[n++].budget = word;
    return n;
}

static bool read_settings(int argc, char **argv, Settings *settings)
{
    static const struct option options[] = {{"budgets", required_argument, NULL, 'b'},
        {"rounds", required_argument, NULL, 'r'}, {"warm", required_argument, NULL, 'w'},
        {"read-bytes", required_argument, NULL, 'R'}, {"depth", required_argument, NULL, 'd'},
        {"threads", required_argument, NULL, 't'}, {"memory", required_argument, NULL, 'm'},
        {"seconds", required_argument, NULL, 's'}, {0}};
    static char all[] = "all";
    int c;

    *settings = (Settings){.budgets = all,
        .n_tokens = 128,
        .n_warm = 24,
        .read_bytes = 1u << 20,
        .depth = 16,
        .n_rounds = 5,
        .ceiling_seconds = 2};
    settings->n_threads = cpu_usable_cores();
    while ((c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
        if (c == 'n')
            settings->n_tokens = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'b')
            settings->budgets = optarg;
        else if (c == 'r')
            settings->n_rounds = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'R')
            settings->read_bytes = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'd')
            settings->depth = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'w')
            settings->n_warm = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 't')
            settings->n_threads = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 'm')
            settings->memory = optarg;
        else if (c == 's')
            settings->ceiling_seconds = strtod(optarg, NULL);
        else
            return false;
    }
    if (optind + 1 != argc || settings->n_rounds < 1 || settings->n_rounds > ROUNDS_MAX)
        return false;
    settings->model = argv[optind];
    return true;
}

int main(int argc, char **argv)
{
    static Summary summaries[BUDGETS_MAX];
    Settings settings;
    Error err = {0};
    if (!read_settings(argc, argv, &settings)) {
        fprintf(stderr,
            "usage: bench_engine MODEL --budgets A,B [-n TOKENS] [--rounds N] [--threads N] "
            "[--warm TOKENS] [--memory SIZE] [--seconds N] [--read-bytes N] [--depth N]\n");
        return 2;
    }
    uint32_t n = split_budgets(settings.budgets, summaries);
    for (uint32_t r = 0; r < settings.n_rounds; r++) // interleaved: every budget in every round
        for (uint32_t b = 0; b < n; b++)
            if (!run_round(&settings, &summaries[b], r)) return 1;
    double memory = ceiling_memory(settings.n_threads), resident_seconds = 0;
    for (uint32_t b = 0; b < n; b++) {
        summarise(&summaries[b], settings.n_rounds);
        if (strcmp(summaries[b].budget, "all") == 0)
            resident_seconds = summaries[b].median.seconds_per_token;
    }

    Json *json = json_object(), *runs = json_list();
    json_set_text(json, "model", view_of(settings.model));
    json_set_text(json, "cpu", view_of(cpu_model_name()));
    json_set_u64(json, "threads", settings.n_threads);
    json_set_u64(json, "tokens", settings.n_tokens);
    json_set_u64(json, "ceiling_read_bytes", settings.read_bytes);
    json_set_u64(json, "ceiling_depth", settings.depth);
    json_set_f64(json, "memory_bytes_per_s", memory);
    for (uint32_t b = 0; b < n; b++) {
        Bound bound = bound_of(&summaries[b].median, memory, resident_seconds);
        json_add(runs, summary_json(&summaries[b], settings.n_rounds, bound));
    }
    json_set(json, "runs", runs);
    bool ok = json_write(json, stdout, &err);
    json_free(json);
    return ok ? 0 : 1;
}

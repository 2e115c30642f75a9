/* The JSON object of docs/cli.md, "Statistics", and its one-line form.
 *
 * A token's time runs from the token before it to itself, so the first one (whose time is
 * the prompt's) has none: n tokens have n - 1 times. Figures of "a token" are those of
 * the evaluations that followed the prompt; where there were none they are null. Prompts that
 * share passes have no such order: there every token counts, over the time of all passes.
 * Figures that this version cannot know are null too. */
#include "cli/statistics.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/size.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/plan_json.h"
#include "cli/report.h"

#define SECOND_NS      UINT64_C(1000000000)
#define ROOM_BYTES     16384 // several times what the object takes
#define PASS_TIMES_MAX 4096

static const char *const finish_names[] = {
    [FINISH_STOP] = "stop",
    [FINISH_LENGTH] = "length",
    [FINISH_INTERRUPT] = "interrupt",
    [FINISH_ERROR] = "error",
};

/* For writing, and as it is until there is something to write. False: errno says why. */
static bool open_untouched(Statistics *statistics, const char *path)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
    struct stat status;

    int fd = open(path, flags | O_EXCL, 0666);
    statistics->is_new = fd >= 0;
    if (fd < 0) fd = open(path, flags, 0666);
    if (fd < 0) return false;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) statistics->path = path;
    statistics->stream = fdopen(fd, "wb");
    if (!statistics->stream) close(fd);
    return statistics->stream != NULL;
}

/* Takes the room that statistics need, so that a full drive is known before the work is done.
 * A file system that cannot promise room may still have it at the end. */
static bool reserve_room(const Statistics *statistics, Error *err)
{
    int fd = fileno(statistics->stream);

    if (!statistics->path || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, ROOM_BYTES) == 0) return true;
    ErrorId id = report_write_error_id(errno, ERROR_OUTPUT);
    return id != ERROR_DISK_FULL
           || error_set(err, id, "--stats: %s: %s", statistics->path, strerror(errno));
}

/* Has the file, which exists by now, another part in this command? */
static bool check_part(const char *path, const char *other, const char *part, Error *err)
{
    if (!other || !input_is_same_file(path, other)) return true;
    return error_set(err, ERROR_USAGE, "--stats: %s is %s", path, part);
}

bool statistics_init(Statistics *statistics, const Options *options, Error *err)
{
    const char *path = options->stats.text;

    *statistics = (Statistics){.model_path = options->model, .begun_ns = clock_now_ns()};
    statistics->explains = options->stats.is_given || options->verbosity > 0;
    if (!options->stats.is_given) return true;
    if (!path) {
        statistics->stream = stderr;
        return true;
    }
    if (input_holds_model(path))
        return error_set(err, ERROR_USAGE, "--stats: %s holds a model", path);
    if (!open_untouched(statistics, path))
        return error_set(err, ERROR_USAGE, "--stats: %s: %s", path, strerror(errno));
    return reserve_room(statistics, err) && check_part(path, options->model, "the model", err)
           && check_part(path, options->file, "the text of -f", err)
           && check_part(path, options->output, "the result of -o", err)
           && check_part(path, options->prompts, "what --prompts names", err);
}

void statistics_destroy(Statistics *statistics)
{
    struct stat status;

    if (statistics->stream && statistics->stream != stderr) {
        // Nothing was written: nothing is left.
        bool is_empty = fstat(fileno(statistics->stream), &status) == 0 && status.st_size == 0;
        if (statistics->is_new && is_empty) (void)unlink(statistics->path);
        fclose(statistics->stream);
    }
    mem_free(MEM_OTHER, statistics->token_ns);
    *statistics = (Statistics){0};
}

bool statistics_expect_tokens(Statistics *statistics, uint64_t n, Error *err)
{
    statistics->token_ns = mem_alloc_array(MEM_OTHER, n, sizeof *statistics->token_ns, err);
    statistics->n_token_ns_max = n;
    return statistics->token_ns != NULL;
}

static hypura_stats stats_of(const hypura_model *model)
{
    hypura_stats stats = {.size_bytes = sizeof stats};

    hypura_model_stats(model, &stats);
    return stats;
}

void statistics_add_token(Statistics *statistics, const hypura_model *model)
{
    uint64_t now_ns = clock_now_ns();

    if (statistics->n_generated < statistics->n_token_ns_max)
        statistics->token_ns[statistics->n_generated] = now_ns;
    // What the first second saw of the machine is what the rest is predicted with.
    if (statistics->n_in_second == 0 && statistics->n_generated > 0
        && now_ns - statistics->prompt_ended_ns >= SECOND_NS) {
        statistics->after_second = stats_of(model);
        statistics->n_in_second = statistics->n_generated;
    }
    statistics->n_generated++;
}

void statistics_end_prompt(Statistics *statistics, const hypura_model *model)
{
    statistics->prompt_ended_ns = clock_now_ns();
    if (statistics->prompt_begun_ns == 0) statistics->prompt_begun_ns = statistics->prompt_ended_ns;
    statistics->after_prompt = stats_of(model);
}

bool statistics_begin_passes(
    Statistics *statistics, const hypura_model *model, uint32_t n_parallel, Error *err)
{
    if (!statistics_expect_tokens(statistics, PASS_TIMES_MAX, err)) return false;
    statistics->n_parallel = n_parallel;
    statistics->pass_stride = 1;
    statistics_end_prompt(statistics, model); // all that follows is both prompts and tokens
    statistics->last_pass_ns = statistics->prompt_ended_ns;
    return true;
}

/* Every second of the times that are kept goes, so that a long run needs no more room. */
static void thin_pass_times(Statistics *statistics)
{
    statistics->n_pass_times /= 2;
    for (uint64_t i = 0; i < statistics->n_pass_times; i++)
        statistics->token_ns[i] = statistics->token_ns[2 * i];
    statistics->pass_stride *= 2;
}

void statistics_add_pass(Statistics *statistics, uint64_t n_generated, uint64_t n_prompt)
{
    uint64_t now_ns = clock_now_ns();

    if (statistics->n_pass_times == PASS_TIMES_MAX) thin_pass_times(statistics);
    if (statistics->n_passes++ % statistics->pass_stride == 0)
        statistics->token_ns[statistics->n_pass_times++] = now_ns - statistics->last_pass_ns;
    if (n_generated > 0 && statistics->first_token_ns == 0) statistics->first_token_ns = now_ns;
    statistics->last_pass_ns = now_ns;
    statistics->n_generated += n_generated;
    statistics->n_prompt += n_prompt;
}

const char *statistics_finish_name(Finish finish)
{
    return finish_names[finish];
}

/* NaN, which becomes null, where nothing was counted. */
static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : (double)NAN;
}

/* Tokens that figures of "a token" are of. */
static uint64_t n_token_times(const Statistics *statistics)
{
    if (statistics->n_parallel > 0) return statistics->n_generated;
    return statistics->n_generated > 1 ? statistics->n_generated - 1 : 0;
}

static double pass_seconds(const Statistics *statistics)
{
    return (double)(statistics->last_pass_ns - statistics->prompt_ended_ns) / 1e9;
}

static double prompt_seconds(const Statistics *statistics)
{
    if (statistics->n_parallel > 0) return pass_seconds(statistics);
    return (double)(statistics->prompt_ended_ns - statistics->prompt_begun_ns) / 1e9;
}

/* From the first token to the one n later. */
static double seconds_of_tokens(const Statistics *statistics, uint64_t n)
{
    return n > 0 ? (double)(statistics->token_ns[n] - statistics->token_ns[0]) / 1e9 : 0;
}

static double generate_seconds(const Statistics *statistics)
{
    if (statistics->n_parallel > 0) return pass_seconds(statistics);
    return seconds_of_tokens(statistics, n_token_times(statistics));
}

static double all_seconds(const Statistics *statistics)
{
    if (statistics->n_parallel > 0) return pass_seconds(statistics);
    return prompt_seconds(statistics) + generate_seconds(statistics);
}

static double generate_per_s(const Statistics *statistics)
{
    return ratio((double)n_token_times(statistics), generate_seconds(statistics));
}

/* What cannot be saved is said, and costs nothing but the next start's time. */
static void save_heat_map(Statistics *statistics, hypura_model *model)
{
    hypura_error err = {0};

    if (!hypura_model_save_heat_map(model, &statistics->saved_bytes, &err))
        fprintf(stderr, "hypura: the heat map is not saved: %s\n", err.message);
}

void statistics_end(Statistics *statistics, hypura_model *model, Finish finish)
{
    if (statistics->prompt_ended_ns == 0) statistics_end_prompt(statistics, model);
    statistics->after_all = stats_of(model);
    statistics->finish = finish;
    while (statistics->n_sources < STATISTICS_SOURCES_MAX
           && hypura_model_source(
               model, statistics->n_sources, &statistics->sources[statistics->n_sources]))
        statistics->n_sources++;
    if (finish != FINISH_ERROR) save_heat_map(statistics, model);
    if (!statistics->explains) return;
    if (statistics->n_parallel > 0) { // the plan knows one sequence
        statistics->outcome = outcome_of(model, &(OutcomeSpan){0});
        return;
    }
    bool is_long = statistics->n_in_second > 0;
    uint64_t n_early = is_long ? statistics->n_in_second : n_token_times(statistics);
    OutcomeSpan span = {.begin = statistics->after_prompt,
        .early = is_long ? statistics->after_second : statistics->after_all,
        .end = statistics->after_all,
        .n_early_tokens = n_early,
        .early_seconds = seconds_of_tokens(statistics, n_early),
        .n_tokens = n_token_times(statistics),
        .seconds = generate_seconds(statistics),
        .n_prompt = (uint32_t)statistics->n_prompt};
    statistics->outcome = outcome_of(model, &span);
}

/* Of the experts that were asked for; in a dense model, of the bytes. */
static double hit_rate(const hypura_stats *stats)
{
    uint64_t n_asked = stats->expert_hits + stats->expert_misses;

    if (n_asked > 0) return (double)stats->expert_hits / (double)n_asked;
    return 1 - ratio((double)stats->read_missed_bytes, (double)stats->demanded_bytes);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Times between two tokens, in order: of the text, or of any of those that share passes. */
static uint64_t *copy_times(const Statistics *statistics, size_t n)
{
    uint64_t *times = mem_alloc_array(MEM_OTHER, n, sizeof *times, NULL);
    const uint64_t *from = statistics->token_ns;

    for (size_t i = 0; times && i < n; i++)
        times[i] = statistics->n_parallel > 0 ? from[i] : from[i + 1] - from[i];
    if (times && n > 0) qsort(times, n, sizeof *times, compare_u64);
    return times;
}

/* Nearest-rank percentiles of the times between tokens. */
static Json *token_times_json(const Statistics *statistics)
{
    static const struct {
        const char *key;
        unsigned percent;
    } wanted[] = {{"p50", 50}, {"p95", 95}, {"p99", 99}};
    size_t n = statistics->n_parallel > 0 ? statistics->n_pass_times : n_token_times(statistics);
    uint64_t *times = copy_times(statistics, n);
    Json *out = json_object();

    for (size_t i = 0; i < COUNT(wanted); i++) {
        size_t rank = (n * wanted[i].percent + 99) / 100; // from 1
        json_set(out, wanted[i].key, times && n > 0 ? json_u64(times[rank - 1]) : NULL);
    }
    mem_free(MEM_OTHER, times);
    return out;
}

/* Of a run with tokens. */
static uint64_t first_token_at_ns(const Statistics *statistics)
{
    return statistics->n_parallel > 0 ? statistics->first_token_ns : statistics->token_ns[0];
}

static void set_times(Json *out, const Statistics *statistics)
{
    json_set_u64(out, "prompt_tokens", statistics->n_prompt);
    json_set_u64(out, "generated_tokens", statistics->n_generated);
    json_set_f64(
        out, "prompt_per_s", ratio((double)statistics->n_prompt, prompt_seconds(statistics)));
    json_set_f64(out, "generate_per_s", generate_per_s(statistics));
    json_set_u64(out, "load_ns", statistics->prompt_begun_ns - statistics->begun_ns);
    json_set(out, "first_token_ns",
        statistics->n_generated > 0
            ? json_u64(first_token_at_ns(statistics) - statistics->prompt_begun_ns)
            : NULL);
    json_set(out, "token_ns", token_times_json(statistics));
}

static void set_bytes(Json *out, const Statistics *statistics)
{
    const hypura_stats *all = &statistics->after_all, *prompt = &statistics->after_prompt;
    double n_tokens = (double)n_token_times(statistics);
    uint64_t before = statistics->read_before_bytes;

    json_set(out, "budget_bytes", budget_json(&all->budget));
    json_set_u64(out, "weight_bytes", all->weight_bytes);
    json_set_u64(out, "peak_memory_bytes", all->peak_memory_bytes);
    json_set_u64(out, "given_back_bytes", all->given_back_bytes);
    json_set_u64(out, "taken_again_bytes", all->taken_again_bytes);
    json_set_u64(out, "read_bytes", all->read_bytes + before);
    json_set_u64(out, "read_missed_bytes", all->read_missed_bytes);
    json_set_u64(out, "read_load_bytes", all->read_load_bytes + before);
    json_set_u64(out, "read_padding_bytes", all->read_padding_bytes);
    json_set_u64(out, "read_prefetch_wasted_bytes", all->read_prefetch_wasted_bytes);
    json_set_u64(out, "read_again_bytes", all->read_again_bytes);
    json_set_u64(out, "checked_bytes", all->checked_bytes);
    json_set_u64(out, "written_bytes", all->written_bytes);
    json_set_u64(out, "saved_bytes", statistics->saved_bytes);
    json_set_f64(out, "pass_bytes_per_token",
        ratio((double)(all->demanded_bytes - prompt->demanded_bytes), n_tokens));
    json_set_f64(out, "missing_bytes_per_token",
        ratio((double)(all->read_missed_bytes - prompt->read_missed_bytes), n_tokens));
    json_set_f64(out, "hit_rate", hit_rate(all));
    json_set_u64(out, "stall_ns", all->stall_ns);
    json_set_f64(out, "drive_bytes_per_s",
        ratio((double)(all->read_bytes - all->read_load_bytes), all_seconds(statistics)));
}

/* With mirrors: what each copy gave. */
static void set_sources(Json *out, const Statistics *statistics)
{
    Json *list = json_list();

    for (uint32_t i = 0; i < statistics->n_sources; i++) {
        const hypura_source *source = &statistics->sources[i];
        Json *row = json_object();
        json_set_text(row, "path", view_of(source->path));
        json_set_u64(row, "read_bytes", source->read_bytes);
        json_set_f64(row, "bytes_per_s", source->bytes_per_s);
        json_set_bool(row, "is_dropped", source->is_dropped);
        json_add(list, row);
    }
    json_set(out, "sources", list);
}

void statistics_set_json(Json *out, const Statistics *statistics)
{
    const hypura_stats *all = &statistics->after_all;

    json_set_text(out, "model", view_of(statistics->model_path));
    json_set_text(out, "arch", view_of(all->arch));
    if (statistics->n_parallel > 0) {
        json_set_u64(out, "parallel", statistics->n_parallel);
        json_set_u64(out, "output_bytes", statistics->output_bytes);
    }
    set_times(out, statistics);
    set_bytes(out, statistics);
    if (statistics->n_sources > 1) set_sources(out, statistics);
    if (all->speculates) {
        Json *speculation = json_object();
        json_set_u64(speculation, "drafted", all->drafted);
        json_set_u64(speculation, "accepted", all->accepted);
        json_set_u64(speculation, "passes", all->draft_passes);
        json_set(out, "speculation", speculation);
    }
    json_set(out, "bound", bound_json(&statistics->outcome.bound));
    json_set_f64(out, "predicted_generate_per_s", statistics->outcome.predicted_per_s);
    json_set_text(out, "io_backend", view_of(all->io_backend));
    json_set_bool(out, "direct", all->direct);
    json_set_text(out, "isa", view_of(all->isa));
    json_set_u64(out, "threads", all->n_threads);
    json_set(out, "seed", statistics->seed.is_given ? json_u64(statistics->seed.value) : NULL);
    json_set_text(out, "finish", view_of(finish_names[statistics->finish]));
    json_set(out, "energy_joules", NULL);
}

bool statistics_write(const Statistics *statistics, Error *err)
{
    if (!statistics->stream) return true;
    Json *out = json_object();
    statistics_set_json(out, statistics);
    bool ok = json_write(out, statistics->stream, err);
    int error_number = errno;
    json_free(out);
    if (!ok && err->id == ERROR_OUTPUT) err->id = report_write_error_id(error_number, err->id);
    if (!statistics->path) return ok;
    if (!ok) return error_at(err, "%s", statistics->path);
    // What the file held is overwritten in place, in room that it has, and its rest cut off.
    if (ftruncate(fileno(statistics->stream), ftello(statistics->stream)) == 0) return true;
    return error_set(err, ERROR_OUTPUT, "%s: %s", statistics->path, strerror(errno));
}

int statistics_finish(Statistics *statistics, hypura_model *model, int status)
{
    Finish finish = status == STATUS_OK  ? FINISH_STOP
                    : interrupt_signal() ? FINISH_INTERRUPT
                                         : FINISH_ERROR;
    Error err = {0};

    statistics_end(statistics, model, finish);
    if (statistics_write(statistics, &err) || status != STATUS_OK) return status;
    return report_error("cannot write statistics", &err);
}

void statistics_summarise(const Statistics *statistics, bool why)
{
    char lines[2][OUTCOME_LINE_BYTES];
    const hypura_stats *all = &statistics->after_all, *prompt = &statistics->after_prompt;
    uint64_t n_evaluated = n_token_times(statistics);
    char peak[24], missing[24];
    uint64_t missed = all->read_missed_bytes - prompt->read_missed_bytes;

    fprintf(stderr, "hypura: prompt %llu tokens", (unsigned long long)statistics->n_prompt);
    if (prompt_seconds(statistics) > 0)
        fprintf(stderr, " (%.1f/s)", (double)statistics->n_prompt / prompt_seconds(statistics));
    fprintf(stderr, ", generated %llu", (unsigned long long)statistics->n_generated);
    if (n_evaluated > 0)
        fprintf(stderr, " (%.1f/s); read %s a token, hit rate %.0f %%", generate_per_s(statistics),
            size_format(missed / n_evaluated, missing), 100 * hit_rate(all));
    fprintf(stderr, "; peak memory %s\n", size_format(all->peak_memory_bytes, peak));
    if (!why || n_evaluated == 0) return;
    if (all->speculates)
        fprintf(stderr, "hypura: guessed %llu tokens in %llu passes, %llu of them right\n",
            (unsigned long long)all->drafted, (unsigned long long)all->draft_passes,
            (unsigned long long)all->accepted);
    outcome_explain(&statistics->outcome, lines);
    for (size_t i = 0; i < COUNT(lines); i++) fprintf(stderr, "hypura: %s\n", lines[i]);
}

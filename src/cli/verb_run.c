/* `hypura run`: a prompt's continuation, token by token.
 *
 *   prompt text -> ids -> evaluate in chunks -> [sample -> text -> evaluate] ... -> statistics
 *
 * Statistics are written when no more tokens come, whatever the reason: the end of the
 * answer, its length, Ctrl-C, a reader that went away, or a failure. What can fail for
 * reasons of usage (prompt, --stats file) comes before the model is opened. */
#include "cli/verbs.h"

#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "cli/prompts.h"
#include "cli/report.h"
#include "cli/sampling.h"
#include "cli/statistics.h"
#include "cli/terminal.h"

/* One run; run_destroy accepts any stage of it. */
typedef struct Run {
    const Options *options;
    Text prompt;
    hypura_sampling sampling;
    hypura_model *model;
    hypura_sequence *sequence;
    hypura_text_stream *text;
    int32_t *ids; // of the prompt; hypura_free
    size_t n_ids;
    uint64_t n_max;    // tokens to generate
    Progress progress; // of the prompt
    bool ends_line;    // the last character written was a line end
    Statistics statistics;
} Run;

static void run_destroy(Run *run)
{
    hypura_text_stream_free(run->text);
    hypura_sequence_free(run->sequence);
    hypura_free(run->ids);
    if (run->model) hypura_model_close(run->model);
    statistics_destroy(&run->statistics);
    input_free(&run->prompt);
}

/* From PROMPT, -p, -f or standard input, exactly one of them. */
static bool read_prompt(const Options *options, Text *out, Error *err)
{
    int n_sources =
        (options->n_arguments > 0) + (options->prompt != NULL) + (options->file != NULL);

    if (n_sources > 1)
        return error_set(err, ERROR_USAGE, "give one of PROMPT, --prompt and --file");
    if (options->n_arguments > 0) return input_copy(options->arguments[0], out, err);
    if (options->prompt) return input_copy(options->prompt, out, err);
    if (!options->file && terminal_is(stdin))
        return error_set(err, ERROR_USAGE, "there is no prompt");
    if (!input_read(options->file ? options->file : "-", out, err)) return false;
    input_drop_line_end(out);
    return true;
}

/* Opens the model and everything that hangs on it. Reports; false: ended with *status. */
static bool prepare(Run *run, int *status)
{
    LoadWish wish = {.need = HYPURA_NEED_WEIGHTS, .sandbox = true};
    hypura_error err = {0};

    run->model = load_model(run->options, wish, status);
    if (!run->model) return false;
    if (!hypura_tokenize(run->model, run->prompt.data, run->prompt.n_bytes, true, true, &run->ids,
            &run->n_ids, &err))
        goto fail;
    run->sequence = hypura_sequence_create(run->model, &err);
    if (!run->sequence) goto fail;
    run->text = hypura_text_stream_create(run->model, &err);
    if (!run->text) goto fail;
    return true;

fail:
    *status = report_api_error("cannot start", &err);
    return false;
}

/* How many tokens there may be, by -n and by what the prompt leaves of the context. */
static bool choose_length(Run *run, Error *err)
{
    uint32_t n_ctx = hypura_n_ctx(run->model);
    int64_t n_wanted = run->options->n_tokens.is_given ? run->options->n_tokens.value : -1;

    if (run->n_ids == 0) return error_set(err, ERROR_USAGE, "the prompt is empty");
    if (run->n_ids >= n_ctx)
        return error_set(err, ERROR_CONTEXT_FULL,
            "the prompt has %zu tokens, the context room for %u", run->n_ids, n_ctx);
    run->n_max = n_ctx - run->n_ids;
    if (n_wanted >= 0 && (uint64_t)n_wanted < run->n_max) run->n_max = (uint64_t)n_wanted;
    return statistics_expect_tokens(&run->statistics, run->n_max, err);
}

/* Asked by the engine after every layer. */
static bool goes_on(void *context, size_t done, size_t total)
{
    Run *run = context;

    if (total > 1) progress_show(&run->progress, done); // one token is not worth a bar
    return !interrupt_signal();
}

static bool evaluate_prompt(Run *run, hypura_error *err)
{
    hypura_model_on_progress(run->model, goes_on, run);
    progress_begin(&run->progress, "prompt", "tokens", run->n_ids, run->options->quiet);
    bool ok = hypura_sequence_eval(run->sequence, run->ids, run->n_ids, err);
    if (ok) run->statistics.n_prompt = run->n_ids;
    progress_end(&run->progress);
    return ok || interrupt_signal();
}

/* False: the reader does not take it. */
static bool show_text(Run *run, const char *text, size_t n_bytes, Error *err)
{
    if (n_bytes == 0) return true;
    terminal_write_text(text, n_bytes);
    run->ends_line = text[n_bytes - 1] == '\n';
    return terminal_flush(err);
}

/* One token from the logits there are. *finish is set when it is the last. */
static bool generate_token(Run *run, int32_t *token, bool *has_ended, Finish *finish, int *status)
{
    hypura_error err = {0};
    Error output_error = {0};
    const char *text = NULL;
    size_t n_bytes = 0;

    if (!hypura_sequence_sample(run->sequence, &run->sampling, token, &err)) goto fail;
    if (hypura_ends_generation(run->model, *token)) {
        *has_ended = true;
        *finish = FINISH_STOP;
        return true;
    }
    if (!hypura_text_stream_token(run->text, *token, &text, &n_bytes, &err)) goto fail;
    statistics_add_token(&run->statistics, run->model);
    if (show_text(run, text, n_bytes, &output_error)) return true;
    *finish = FINISH_INTERRUPT;
    if (terminal_reader_is_gone()) return false; // its own choice: nothing is said
    *finish = FINISH_ERROR;
    *status = report_error("cannot write the text", &output_error);
    return false;

fail:
    *status = report_api_error("cannot generate", &err);
    *finish = FINISH_ERROR;
    return false;
}

/* Tokens until something ends them; says what. */
static Finish generate(Run *run, int *status)
{
    Finish finish = FINISH_LENGTH;
    bool has_ended = false;
    hypura_error err = {0};
    int32_t token;

    while (run->statistics.n_generated < run->n_max) {
        if (interrupt_signal()) return FINISH_INTERRUPT;
        if (!generate_token(run, &token, &has_ended, &finish, status) || has_ended) return finish;
        if (run->statistics.n_generated == run->n_max) break; // nobody needs its logits
        if (hypura_sequence_eval(run->sequence, &token, 1, &err)) continue;
        if (interrupt_signal()) return FINISH_INTERRUPT;
        *status = report_api_error("cannot generate", &err);
        return FINISH_ERROR;
    }
    return finish;
}

/* The end of the text: half a character that was held back, and a terminal's line end. */
static void end_text(Run *run)
{
    const char *text = NULL;
    size_t n_bytes = 0;
    Error err = {0};

    bool ok = hypura_text_stream_end(run->text, &text, &n_bytes, NULL);
    if (ok) ok = show_text(run, text, n_bytes, &err);
    if (ok && terminal_is(stdout) && run->statistics.n_generated > 0 && !run->ends_line) {
        putchar('\n');
        ok = terminal_flush(&err);
    }
    (void)ok; // terminal_finish() sees what failed
}

static int finish_run(Run *run, Finish finish, int status)
{
    const Options *options = run->options;
    Error err = {0};

    statistics_end(&run->statistics, run->model, finish);
    bool summary_wanted =
        finish == FINISH_INTERRUPT || options->verbosity > 0 || terminal_is(stderr);
    if (summary_wanted && !options->quiet && run->statistics.stream != stderr)
        statistics_summarise(&run->statistics, options->verbosity > 0 || options->stats.is_given);
    if (!statistics_write(&run->statistics, &err) && status == STATUS_OK)
        status = report_error("cannot write statistics", &err);
    if (status == STATUS_OK && interrupt_signal()) return STATUS_OF_SIGNAL + interrupt_signal();
    return status;
}

static int run_model(Run *run)
{
    Finish finish = FINISH_ERROR;
    hypura_error api_error = {0};
    int status = STATUS_OK;
    Error err = {0};

    if (!prepare(run, &status)) return run->model ? finish_run(run, FINISH_ERROR, status) : status;
    if (!choose_length(run, &err)) return finish_run(run, FINISH_ERROR, report_error("run", &err));
    run->statistics.prompt_begun_ns = clock_now_ns();
    bool ok = evaluate_prompt(run, &api_error);
    statistics_end_prompt(&run->statistics, run->model);
    if (ok)
        finish = generate(run, &status);
    else
        status = report_api_error("cannot evaluate the prompt", &api_error);
    end_text(run);
    return finish_run(run, finish, status);
}

int verb_run(const Options *options)
{
    Run run = {.options = options};
    Error err = {0};
    int status;

    if (!options->raw)
        return report_usage("run", "--raw, which continues the text as it is",
            "chat templates are not built in yet");
    if (options->prompts) return prompts_run(options);
    if (options->output || options->n_parallel.is_given)
        return report_usage("run", NULL, "-o and --parallel go with --prompts");
    if (!read_prompt(options, &run.prompt, &err)) {
        status = report_error("run", &err);
    } else if (!statistics_init(&run.statistics, options, &err)) {
        status = report_error("run", &err);
    } else {
        run.sampling = sampling_choose(options, &run.statistics.seed);
        status = run_model(&run);
    }
    run_destroy(&run);
    return status;
}

/* The command around the job: what can fail for reasons of usage (FILE, OUT, --stats) comes
 * before the model is opened, and OUT is open before rights are given up. */
#include "cli/prompts.h"

#include <stdio.h>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/prompts_job.h"
#include "cli/report.h"
#include "cli/sampling.h"

static bool check_usage(const Options *options, Error *err)
{
    if (!options->output)
        return error_set(err, ERROR_USAGE, "--prompts needs -o OUT, where the answers go");
    if (options->n_arguments > 0 || options->prompt || options->file)
        return error_set(err, ERROR_USAGE, "give one of PROMPT, --prompt, --file and --prompts");
    if (options->draft || options->draft_ngram)
        return error_set(err, ERROR_USAGE,
            "--draft and --draft-ngram guess for one text; --prompts shares passes without them");
    return true;
}

/* Has OUT, which exists by now, another part in this command? */
static bool check_part(const Options *options, const char *other, const char *part, Error *err)
{
    if (!other || !input_is_same_file(options->output, other)) return true;
    return error_set(err, ERROR_USAGE, "-o: %s is %s", options->output, part);
}

static bool check_trace(const Options *options, Error *err)
{
    if (!options->trace || !input_holds_model(options->trace)) return true;
    return error_set(err, ERROR_USAGE, "--trace: %s holds a model", options->trace);
}

/* Everything that needs no model. */
static bool open_files(PromptsJob *job, Error *err)
{
    const Options *options = job->options;

    if (!prompts_in_read(&job->in, options->prompts, err)) return false;
    if (!prompts_out_open(&job->out, options->output, err)) return false;
    return check_part(options, options->model, "the model", err)
           && check_part(options, options->prompts, "what --prompts names", err)
           && check_part(options, options->trace, "what --trace names", err)
           && check_trace(options, err) && statistics_init(&job->statistics, options, err)
           && prompts_out_resume(&job->out, &job->in, err);
}

static void say_what_comes(const PromptsJob *job, uint32_t n_done)
{
    if (job->options->quiet) return;
    if (n_done > 0)
        fprintf(stderr, "hypura: %u of %u lines are answered already\n", n_done, job->in.n_lines);
    if (n_done < job->in.n_lines)
        fprintf(stderr, "hypura: %u prompts, %u at once, in contexts of %u tokens\n",
            job->in.n_lines - n_done, job->n_parallel, job->n_ctx_needed);
}

/* Where nothing is left to answer there is no need for weights. Fewer at once where the memory
 * does not do, unless their number was asked for. */
static hypura_model *open_model(PromptsJob *job, int *status)
{
    LoadWish wish = {
        .need = HYPURA_NEED_WEIGHTS, .n_ctx_default = job->n_ctx_needed, .sandbox = true};
    hypura_error err;

    if (job->out.n_lines == job->in.n_lines) wish.need = HYPURA_NEED_PLAN;
    for (;; job->n_parallel /= 2) {
        err = (hypura_error){0};
        wish.n_sequences = job->n_parallel;
        hypura_model *model = load_model_or(job->options, wish, &err);
        if (model) return model;
        bool is_asked_for = job->options->n_parallel.is_given || job->n_parallel == 1;
        if (err.number != ERROR_BUDGET || is_asked_for) break;
    }
    *status = report_api_error("cannot open model", &err);
    return NULL;
}

static int finish(PromptsJob *job, hypura_model *model, Finish end, int status)
{
    Statistics *statistics = &job->statistics;
    const Options *options = job->options;
    Error err = {0};

    statistics->output_bytes = job->out.n_added_bytes;
    statistics_end(statistics, model, end);
    if (!options->quiet && statistics->stream != stderr) statistics_summarise(statistics, false);
    if (job->n_refused > 0 && !options->quiet)
        fprintf(stderr, "hypura: %u lines have an error for an answer\n", job->n_refused);
    if (!statistics_write(statistics, &err) && status == STATUS_OK)
        status = report_error("cannot write statistics", &err);
    if (status == STATUS_OK && interrupt_signal()) return STATUS_OF_SIGNAL + interrupt_signal();
    return status;
}

static int answer_lines(PromptsJob *job)
{
    Finish end = FINISH_STOP;
    Error err = {0};
    int status = STATUS_OK;
    uint32_t n_done = job->out.n_lines;

    if (!prompts_job_size(job, &status)) return status;
    hypura_model *model = open_model(job, &status);
    if (!model) return status;
    say_what_comes(job, n_done);
    job->statistics.prompt_begun_ns = clock_now_ns();
    if (!statistics_begin_passes(&job->statistics, model, job->n_parallel, &err))
        status = report_error("cannot answer the prompts", &err);
    else if (n_done < job->in.n_lines)
        status = prompts_job_answer(job, model, &end);
    status = finish(job, model, end, status);
    hypura_model_close(model);
    return status;
}

int prompts_run(const Options *options)
{
    PromptsJob job = {.options = options, .out = {.fd = -1}};
    Error err = {0};
    int status = STATUS_OK;

    job.defaults.n_tokens_max = options->n_tokens.is_given ? options->n_tokens.value : -1;
    if (!check_usage(options, &err) || !open_files(&job, &err)) {
        status = report_error("run", &err);
    } else {
        job.defaults.sampling = sampling_choose(options, &job.statistics.seed);
        status = answer_lines(&job);
    }
    prompts_out_close(&job.out, status == STATUS_OK);
    prompts_in_destroy(&job.in);
    statistics_destroy(&job.statistics);
    return status;
}

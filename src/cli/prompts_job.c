/* Lines into places, tokens into answers, answers to OUT in the order of the input.
 *
 *   line -> [empty place] -> passes -> answer -> [held until those before are written] -> OUT
 *
 * A place that ends takes the next line at once. Answers that are ready before their turn are
 * held in memory, at most PROMPTS_HELD_MAX lines ahead of the first that is missing. */
#include "cli/prompts_job.h"

#include "base/mem.h"
#include "cli/interrupt.h"
#include "cli/report.h"

typedef struct Job {
    PromptsJob *job;
    hypura_model *model;
    hypura_batch *batch;
    PromptsAnswer *answers; // [n_places] owned
    bool *is_taken;         // [n_places] owned
    hypura_batch_answer *tokens;
    uint32_t n_places;
    uint32_t next_line;           // that nobody has begun
    uint32_t first_held;          // the line that is written next
    Json *held[PROMPTS_HELD_MAX]; // by line, modulo; NULL: not there yet
    uint64_t n_done;              // of the progress' unit
} Job;

static void job_destroy(Job *job)
{
    hypura_batch_free(job->batch);
    for (uint32_t i = 0; i < job->n_places && job->answers; i++)
        prompts_answer_destroy(&job->answers[i]);
    for (size_t i = 0; i < PROMPTS_HELD_MAX; i++) json_free(job->held[i]);
    mem_free(MEM_OTHER, job->answers);
    mem_free(MEM_OTHER, job->is_taken);
    mem_free(MEM_OTHER, job->tokens);
    mem_free(MEM_OTHER, job);
}

static bool goes_on(void *context, size_t done, size_t total)
{
    Job *job = context;

    (void)done;
    (void)total;
    progress_show(&job->job->progress, job->n_done);
    return !interrupt_signal();
}

static Job *job_create(PromptsJob *of, hypura_model *model, int *status)
{
    hypura_error api_error = {0};
    Error err = {0};
    Job *job = mem_alloc(MEM_OTHER, sizeof *job, &err);

    if (!job) {
        *status = report_error("cannot start", &err);
        return NULL;
    }
    *job = (Job){.job = of, .model = model, .n_places = of->n_parallel};
    job->next_line = job->first_held = of->out.n_lines;
    job->answers = mem_alloc_array(MEM_OTHER, job->n_places, sizeof *job->answers, &err);
    job->is_taken = mem_alloc_array(MEM_OTHER, job->n_places, sizeof *job->is_taken, &err);
    job->tokens = mem_alloc_array(MEM_OTHER, job->n_places, sizeof *job->tokens, &err);
    bool ok = job->answers && job->is_taken && job->tokens;
    if (!ok) *status = report_error("cannot start", &err);
    if (ok) job->batch = hypura_batch_create(model, job->n_places, &api_error);
    if (ok && !job->batch) *status = report_api_error("cannot start", &api_error);
    if (job->batch) return job;
    job_destroy(job);
    return NULL;
}

/* ---- answers ---- */

/* A result in its turn, and those that waited for it. */
static bool keep_result(Job *job, uint32_t line, Json *result, Error *err)
{
    if (!result) return error_set(err, ERROR_OUT_OF_MEMORY, "an answer");
    job->held[line % PROMPTS_HELD_MAX] = result;
    for (;;) {
        Json **first = &job->held[job->first_held % PROMPTS_HELD_MAX];
        if (!*first) return true;
        if (!prompts_out_add(&job->job->out, *first, err)) return false;
        json_free(*first);
        *first = NULL;
        job->first_held++;
    }
}

/* Progress counts tokens where their number is known: those that were not wanted are taken off. */
static void count_end(Job *job, uint64_t n_tokens_left)
{
    if (job->job->n_tokens_max > 0)
        job->job->progress.n_total -= n_tokens_left;
    else
        job->n_done++;
}

static bool end_answer(Job *job, PromptsAnswer *answer, Error *err)
{
    bool ok = keep_result(job, answer->line, prompts_answer_json(answer), err);

    count_end(job, answer->n_tokens_max - answer->n_tokens);
    prompts_answer_destroy(answer);
    return ok;
}

/* What is wrong with a line is its result; memory that lacks is not the line's fault. */
static bool refuse_line(
    Job *job, uint32_t line, const Json *id, const hypura_error *why, Error *err)
{
    if (why->number == ERROR_OUT_OF_MEMORY)
        return error_set(err, ERROR_OUT_OF_MEMORY, "line %u", job->job->in.lines[line].number);
    job->job->n_refused++;
    if (job->job->n_tokens_max == 0) job->n_done++;
    return keep_result(
        job, line, prompts_error_json(id, job->job->in.lines[line].number, why), err);
}

/* ---- places ---- */

/* Begins a line in an empty place, or has its result at once. */
static bool begin_line(Job *job, uint32_t place, uint32_t line, Error *err)
{
    PromptsAnswer *answer = &job->answers[place];
    const PromptsJob *of = job->job;
    hypura_error why = {0};
    PromptsTask task;

    if (!prompts_task_parse(&task, &of->in.lines[line], &of->defaults, err)) {
        report_to_api(&why, err);
        bool ok = refuse_line(job, line, task.id, &why, err);
        prompts_task_destroy(&task);
        return ok;
    }
    bool ok = prompts_answer_begin(answer, job->model, of->n_ctx, line, task, &why);
    if (ok && answer->has_ended) return end_answer(job, answer, err);
    if (ok)
        ok = hypura_batch_begin(
            job->batch, place, answer->ids, answer->n_ids, &answer->task.sampling, &why);
    if (ok) {
        job->is_taken[place] = true;
        return true;
    }
    ok = refuse_line(job, line, answer->task.id, &why, err);
    prompts_answer_destroy(answer);
    return ok;
}

/* False: failed. *is_idle: there is nothing left to do. */
static bool fill_places(Job *job, bool *is_idle, Error *err)
{
    const PromptsJob *of = job->job;

    *is_idle = true;
    for (uint32_t place = 0; place < job->n_places; place++) {
        while (!job->is_taken[place] && job->next_line < of->in.n_lines
               && job->next_line - job->first_held < PROMPTS_HELD_MAX)
            if (!begin_line(job, place, job->next_line++, err)) return false;
        if (job->is_taken[place]) *is_idle = false;
    }
    return true;
}

static bool take_token(Job *job, const hypura_batch_answer *token, uint64_t *n_prompt, Error *err)
{
    PromptsAnswer *answer = &job->answers[token->place];
    hypura_error why = {0};

    if (answer->n_tokens == 0) *n_prompt += answer->n_ids;
    if (!prompts_answer_take(answer, job->model, token->token, &why))
        return error_set(err, (ErrorId)why.number, "%s", why.message);
    if (!answer->has_ended) return true;
    hypura_batch_end(job->batch, token->place);
    job->is_taken[token->place] = false;
    return end_answer(job, answer, err);
}

/* A pass, and what its tokens lead to. */
static bool run_pass(Job *job, Error *err)
{
    Statistics *statistics = &job->job->statistics;
    hypura_error why = {0};
    uint32_t n_tokens = 0;
    uint64_t n_prompt = 0, n_generated = 0;

    if (!hypura_batch_step(job->batch, job->tokens, &n_tokens, &why))
        return error_set(err, (ErrorId)why.number, "%s", why.message);
    for (uint32_t i = 0; i < n_tokens; i++)
        n_generated += !hypura_ends_generation(job->model, job->tokens[i].token);
    if (job->job->n_tokens_max > 0) job->n_done += n_generated;
    for (uint32_t i = 0; i < n_tokens; i++)
        if (!take_token(job, &job->tokens[i], &n_prompt, err)) return false;
    statistics_add_pass(statistics, n_generated, n_prompt);
    return true;
}

int prompts_job_answer(PromptsJob *of, hypura_model *model, Finish *finish)
{
    int status = STATUS_OK;
    bool is_idle = false, is_tokens = of->n_tokens_max > 0;
    Error err = {0};
    Job *job = job_create(of, model, &status);

    *finish = FINISH_ERROR;
    if (!job) return status;
    hypura_model_on_progress(model, goes_on, job);
    progress_begin(&of->progress, is_tokens ? "generating" : "prompts",
        is_tokens ? "tokens" : "prompts",
        is_tokens ? of->n_tokens_max : of->in.n_lines - job->next_line, of->options->quiet);
    bool ok = true;
    while (ok && !interrupt_signal()) {
        ok = fill_places(job, &is_idle, &err);
        if (ok && is_idle) break;
        if (ok) ok = run_pass(job, &err);
    }
    progress_end(&of->progress);
    hypura_model_on_progress(model, NULL, NULL);
    *finish = ok && is_idle ? FINISH_STOP : interrupt_signal() ? FINISH_INTERRUPT : FINISH_ERROR;
    if (*finish == FINISH_ERROR) status = report_error("cannot answer the prompts", &err);
    job_destroy(job);
    return status;
}

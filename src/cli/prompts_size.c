/* How many prompts share a pass. More of them cost keys and values, whose memory the weights then
 * lack; so without --parallel they get an eighth of the memory. Where every line says how many
 * tokens it wants, a sequence needs no larger a context than the longest line, which is often a
 * small part of the model's. */
#include "base/size.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/prompts_job.h"
#include "cli/report.h"

#define PARALLEL_DEFAULT_MAX 32
#define STATE_SHARE          8   // of the memory, one part
#define CTX_GRAIN            256 // a page of keys and values

typedef struct Survey {
    uint64_t n_positions_max; // of a line
    uint64_t n_tokens;        // of all
    bool is_bounded;          // every line says how many tokens
} Survey;

/* Lines that will fail need nothing. */
static bool survey_line(
    const PromptsJob *job, const hypura_model *model, uint32_t line, Survey *survey)
{
    PromptsTask task;
    PromptsAnswer answer;
    hypura_error api_error = {0};
    Error err = {0};

    if (!prompts_task_parse(&task, &job->in.lines[line], &job->defaults, &err)) {
        prompts_task_destroy(&task);
        return true;
    }
    if (task.n_tokens_max < 0) {
        prompts_task_destroy(&task);
        return false;
    }
    if (prompts_answer_begin(&answer, model, job->n_ctx, line, task, &api_error)) {
        uint64_t n = answer.n_ids + answer.n_tokens_max;
        if (n > survey->n_positions_max) survey->n_positions_max = n;
        survey->n_tokens += answer.n_tokens_max;
    }
    prompts_answer_destroy(&answer);
    return true;
}

static Survey survey_lines(PromptsJob *job, const hypura_model *model)
{
    Survey survey = {.is_bounded = true};
    uint32_t first = job->out.n_lines;

    progress_begin(
        &job->progress, "reading prompts", "prompts", job->in.n_lines - first, job->options->quiet);
    for (uint32_t i = first; survey.is_bounded && i < job->in.n_lines; i++) {
        survey.is_bounded = !interrupt_signal() && survey_line(job, model, i, &survey);
        progress_show(&job->progress, i + 1 - first);
    }
    progress_end(&job->progress);
    return survey;
}

static uint32_t choose_parallel(const PromptsJob *job, const hypura_plan *plan)
{
    uint32_t n_left = job->in.n_lines - job->out.n_lines, n = PARALLEL_DEFAULT_MAX;
    uint64_t room = plan->budget.memory / STATE_SHARE;
    double one = (double)plan->budget.state * job->n_ctx_needed / job->n_ctx;

    if (job->options->n_parallel.is_given)
        n = (uint32_t)job->options->n_parallel.value; // the table's limits make this safe
    else if (n * one > (double)room)
        n = (uint32_t)((double)room / one);
    if (n > n_left) n = n_left;
    return n > 0 ? n : 1;
}

bool prompts_job_size(PromptsJob *job, int *status)
{
    hypura_stats stats = {.size_bytes = sizeof stats};
    hypura_error err = {0};
    hypura_plan plan;

    hypura_model *model = load_model(job->options, (LoadWish){.need = HYPURA_NEED_PLAN}, status);
    if (!model) return false;
    bool ok = hypura_model_plan(model, NULL, &plan, &err);
    if (ok) {
        job->n_ctx = job->n_ctx_needed = hypura_n_ctx(model);
        Survey survey = survey_lines(job, model);
        if (survey.is_bounded) job->n_tokens_max = survey.n_tokens;
        uint64_t n_needed = size_align_up(survey.n_positions_max, CTX_GRAIN);
        bool may_narrow = survey.is_bounded && !job->options->n_ctx.is_given;
        if (may_narrow && n_needed > 0 && n_needed < job->n_ctx)
            job->n_ctx_needed = (uint32_t)n_needed;
        job->n_parallel = choose_parallel(job, &plan);
    } else {
        *status = report_api_error("cannot size the passes", &err);
    }
    hypura_model_stats(model, &stats);
    job->statistics.read_before_bytes = stats.read_load_bytes;
    hypura_model_close(model);
    return ok;
}

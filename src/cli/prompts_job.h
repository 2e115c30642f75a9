/* The lines that are still to be answered, and what it takes to answer them together. */
#ifndef HYPURA_CLI_PROMPTS_JOB_H
#define HYPURA_CLI_PROMPTS_JOB_H

#include "cli/options.h"
#include "cli/progress.h"
#include "cli/prompts_answer.h"
#include "cli/prompts_out.h"

#define PROMPTS_HELD_MAX 1024 // answers that wait for one before them; then no more are begun

typedef struct PromptsJob {
    const Options *options;
    PromptsIn in;
    PromptsOut out;
    PromptsTask defaults; // what the command says of every line
    uint32_t n_ctx;       // of a sequence, as a run alone would have it
    uint32_t n_refused;   // lines whose answer is an error

    // found by prompts_job_size
    uint32_t n_ctx_needed; // no line takes more
    uint32_t n_parallel;
    uint64_t n_tokens_max; // of all lines together, for the time left; 0: not known

    Statistics statistics;
    Progress progress;
} PromptsJob;

/* Looks at the model without its weights: how many prompts at once, and how long they get. May
 * tokenize all lines that are left. Reports; false: ended with *status. */
bool prompts_job_size(PromptsJob *job, int *status);

/* Answers all lines that are left. The exit status, reported; *finish says what ended it. */
int prompts_job_answer(PromptsJob *job, hypura_model *model, Finish *finish);

#endif

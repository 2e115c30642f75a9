/* What the two sides of `hypura bench` tell each other. The parent measures ceilings and keeps the
 * results; for each budget a child of its own opens the model, gives up its rights as `run` does,
 * and decodes in windows when it is told to. So the memory of a budget is counted by itself, and
 * no ceiling's buffers are in it. */
#ifndef HYPURA_CLI_BENCH_H
#define HYPURA_CLI_BENCH_H

#include "base/json.h"
#include "cli/options.h"
#include "cli/outcome.h"
#include "sys/fork.h"

#define BENCH_BUDGETS_MAX 16
#define BENCH_PAIRS_MAX   32
#define BENCH_TOKENS_MAX  (1u << 16) // of a window

/* The child's work; borrowed. */
typedef struct BenchJob {
    const Options *options;
    const char *weights; // budget
    uint32_t n_prompt;
    uint64_t begun_ns;
} BenchJob;

/* First message of the child: it is open, warm and waiting. Texts in stats are of the program
 * itself, which both sides are. */
typedef struct BenchStart {
    hypura_plan plan;                                          // made before anything was evaluated
    uint64_t prompt_begun_ns, prompt_ended_ns, first_token_ns; // clock; of the cold prompt
    double warm_prompt_seconds;
    hypura_stats cold;       // between the two prompts
    hypura_stats open, warm; // behind the open model, behind the warm-up
    uint64_t n_warm_tokens;
} BenchStart;

/* Decode until there are n_tokens and `seconds` have gone by. */
typedef struct BenchAsk {
    double seconds;
    uint32_t n_tokens;
    double drive_bytes_per_s; // just measured, for the prediction; 0: not known
} BenchAsk;

/* The answer; followed by the times of the window's begin and of its tokens. */
typedef struct BenchWindow {
    OutcomeSpan span;
    double predicted_per_s; // on the ceiling of the question and the compute of the first window
    double foretold_per_s;  // by the window's own first second, as a run's statistics have it
} BenchWindow;

/* Runs in the child (sys/fork.h). */
int bench_work(void *job, Talk *talk);

typedef struct BenchPair {
    double ceiling; // of the drive, before the window; 0: nothing was read
    BenchWindow window;
    uint64_t *token_ns; // owned: n_tokens + 1
    double per_s, drive_share, fraction;
    hypura_bound bound; // on this pair's ceiling
} BenchPair;

typedef struct BenchRun {
    const char *budget;  // as shown
    const char *weights; // of it; NULL: what a run would take
    uint64_t begun_ns;
    BenchStart start;
    uint32_t read_bytes, depth; // of the ceiling
    uint32_t n_pairs;
    BenchPair pairs[BENCH_PAIRS_MAX];
} BenchRun;

typedef struct Bench {
    const Options *options;
    uint32_t n_prompt, n_runs, n_pairs, n_tokens;
    double seconds;
    BenchRun *runs; // [n_runs], owned
} Bench;

/* Figures of a pair that follow from its window and its ceiling. */
void bench_judge(BenchPair *pair);

/* The result, as a table or as JSON. Returns the exit status. */
int bench_report(const Bench *bench);

#endif

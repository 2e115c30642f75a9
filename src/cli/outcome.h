/* What bounded a stretch of generation, and what the plan says of it on the ceilings that it saw
 * itself: figures of --stats and bench. */
#ifndef HYPURA_CLI_OUTCOME_H
#define HYPURA_CLI_OUTCOME_H

#include "engine/bound.h"

/* Counters at three moments; n_tokens were evaluated one by one between the first and the last. */
typedef struct OutcomeSpan {
    hypura_stats begin;
    hypura_stats early; // about a second later: its ceilings predict the rest
    hypura_stats end;
    uint64_t n_early_tokens, n_tokens;
    double early_seconds, seconds; // since begin
    uint32_t n_prompt;
} OutcomeSpan;

typedef struct Outcome {
    hypura_bound bound;     // with the ceilings seen early
    double predicted_per_s; // by the plan with these ceilings; NAN: no tokens
    double drive_ceiling;   // bytes per second while it was waited for; 0: it hardly was
    double drive_share;     // of it used, over the whole span
    double stall_share;     // of the time
    uint64_t more_bytes;    // of memory: as few as help, else as many as there could be
    double more_factor;     // speed with them, as the plan sees it
} Outcome;

/* A token of the early part: its compute is all that it takes beside waiting. */
TokenWork outcome_early_work(const OutcomeSpan *span);

/* Of a model opened with its weights. */
Outcome outcome_of(hypura_model *model, const OutcomeSpan *span);

/* Why it was as fast as it was, in two lines for people, without line ends. */
#define OUTCOME_LINE_BYTES 160
void outcome_explain(const Outcome *outcome, char lines[2][OUTCOME_LINE_BYTES]);

#endif

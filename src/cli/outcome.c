/* The plan is asked on what the first second saw: ceilings, hits, and how near to what these allow
 * the run came (that is the prediction that the run is held to); and on the ceilings of the whole
 * with and without more memory (that is the advice: the ratio of two predictions, whose errors are
 * alike). */
#include "cli/outcome.h"

#include <math.h>
#include <stdio.h>

#include "base/size.h"

#define MORE_MIN     (1ull << 20) // the advice is a power of two,
#define WORTH_HAVING 1.2          // the least that gives this factor
#define WORTH_SAYING 1.05         // a factor below it is noise

#define EFFICIENCY_MIN 0.5 // less, or more than the inverse, says that the second was no usual one

/* The plan with the drive and the compute that were seen between two moments, and that hit rate
 * (0: the plan's own). */
static double predict(hypura_model *model, const TokenWork *seen, double drive, double hit_rate,
    uint32_t n_prompt, uint64_t more_bytes, hypura_plan *plan)
{
    hypura_plan_options ask = HYPURA_PLAN_OPTIONS_INIT;

    ask.n_prompt = n_prompt;
    ask.drive_bytes_per_s = drive;
    ask.other_seconds = seen->other_seconds;
    ask.expert_seconds = seen->expert_seconds;
    ask.hit_rate = hit_rate;
    ask.more_bytes = more_bytes;
    if (!hypura_model_plan(model, &ask, plan, NULL)) return (double)NAN;
    return plan->generate_per_s.expected;
}

/* How much memory would make a difference, and which. */
static void advise(hypura_model *model, const TokenWork *work, uint32_t n_prompt, Outcome *out)
{
    hypura_plan plan, larger;
    double seen = 1 - work->miss_rate, more_hits = 0;
    if (isnan(predict(model, work, out->drive_ceiling, 0, n_prompt, 0, &plan))) return;
    double miss_planned = 1 - plan.hit_rate.expected;
    double now = predict(model, work, out->drive_ceiling, seen, n_prompt, 0, &plan);

    if (isnan(now) || plan.missing_bytes_per_token.expected <= 0) return;
    for (uint64_t more = MORE_MIN; out->more_factor < WORTH_HAVING; more *= 2) {
        if (plan.budget.weights + more / 2 >= plan.weight_bytes) break; // half of it is enough
        out->more_bytes = more;
        // Misses fall as the plan has them fall, from what was seen.
        (void)predict(model, work, out->drive_ceiling, 0, n_prompt, more, &larger);
        if (seen > 0 && miss_planned > 0)
            more_hits = 1 - work->miss_rate * (1 - larger.hit_rate.expected) / miss_planned;
        out->more_factor =
            predict(model, work, out->drive_ceiling, more_hits, n_prompt, more, &larger) / now;
    }
}

/* The tokens' compute as seen, and with it all that a token takes beside waiting. */
static TokenWork work_seen(
    const hypura_stats *begin, const hypura_stats *end, double n_tokens, double seconds)
{
    TokenWork work = bound_work_between(begin, end, n_tokens);
    double stall = (double)(end->stall_ns - begin->stall_ns) / 1e9;

    work.other_seconds = fmax((seconds - stall) / n_tokens - work.expert_seconds, 0);
    return work;
}

TokenWork outcome_early_work(const OutcomeSpan *span)
{
    return work_seen(&span->begin, &span->early, (double)span->n_early_tokens, span->early_seconds);
}

/* What a token took of the time that its bytes and its compute allow: 1 is as the plan expects. */
static double efficiency_of(const TokenWork *work, double drive, const OutcomeSpan *span)
{
    double payload = (double)(span->early.read_missed_bytes - span->begin.read_missed_bytes);
    double moved = (double)(span->early.read_bytes - span->begin.read_bytes);
    Ceilings ceilings = {.drive_bytes_per_s = moved > 0 ? drive * payload / moved : drive};
    double seconds = span->early_seconds / (double)span->n_early_tokens;
    double share = bound_expected_seconds(work, &ceilings) / seconds;

    return fmin(fmax(share, EFFICIENCY_MIN), 1 / EFFICIENCY_MIN);
}

Outcome outcome_of(hypura_model *model, const OutcomeSpan *span)
{
    Outcome out = {.predicted_per_s = (double)NAN};
    double n_tokens = (double)span->n_tokens;
    hypura_plan plan;

    if (span->n_tokens == 0 || span->n_early_tokens == 0) {
        out.bound = bound_of(&(TokenWork){0}, &(Ceilings){0});
        return out;
    }
    TokenWork early = outcome_early_work(span);
    TokenWork work = work_seen(&span->begin, &span->end, n_tokens, span->seconds);
    double drive = bound_drive_between(&span->begin, &span->early);
    double moved = (double)(span->end.read_bytes - span->begin.read_bytes);

    out.predicted_per_s =
        predict(model, &early, drive, 1 - early.miss_rate, span->n_prompt, 0, &plan);
    out.predicted_per_s *= efficiency_of(&early, drive, span);
    Ceilings ceilings = {.drive_bytes_per_s = drive,
        .memory_bytes_per_s = plan.memory_is_known ? plan.memory_bytes_per_s : 0};
    if (isnan(out.predicted_per_s)) ceilings.memory_bytes_per_s = 0;
    out.bound = bound_of(&work, &ceilings);
    out.drive_ceiling = bound_drive_between(&span->begin, &span->end);
    if (out.drive_ceiling > 0) out.drive_share = moved / span->seconds / out.drive_ceiling;
    out.stall_share = (double)(span->end.stall_ns - span->begin.stall_ns) / 1e9 / span->seconds;

    advise(model, &work, span->n_prompt, &out);
    return out;
}

void outcome_explain(const Outcome *outcome, char lines[2][OUTCOME_LINE_BYTES])
{
    char more[24];
    const char *name = outcome->bound.name ? outcome->bound.name : "unknown";
    int n = snprintf(lines[0], OUTCOME_LINE_BYTES, "%.0f %% of the time waiting for the drive",
        100 * outcome->stall_share);

    if (outcome->drive_ceiling > 0 && n > 0)
        snprintf(lines[0] + n, OUTCOME_LINE_BYTES - (size_t)n, " at %.0f %% of its %.1f GB/s",
            100 * outcome->drive_share, outcome->drive_ceiling / 1e9);
    if (outcome->more_bytes > 0 && outcome->more_factor >= WORTH_SAYING)
        snprintf(lines[1], OUTCOME_LINE_BYTES, "bound by %s; +%s of memory would give %.1fx", name,
            size_format(outcome->more_bytes, more), outcome->more_factor);
    else
        snprintf(
            lines[1], OUTCOME_LINE_BYTES, "bound by %s; more memory would change nothing", name);
}

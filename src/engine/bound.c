/* The demand bound of a mixture is a sum over layers of max(reads, compute), and how many of a
 * layer's experts miss differs from layer to layer. So the mean is taken over a binomial choice:
 * the max() of means would be too kind where reads and compute take about as long. */
#include "engine/bound.h"

#include <math.h>

#define OVERLAP      6.0     // 12 % more than the longer one where both take as long; an estimate
#define SPELL_NS_MIN 1000000 // shorter waits tell little of a drive

static double per_s(double seconds)
{
    return seconds > 0 ? 1 / seconds : (double)NAN;
}

/* The mean of max(k of n experts read, compute) over how many miss, in seconds of all layers. */
static double experts_seconds(const TokenWork *work, double drive_bytes_per_s)
{
    double miss = work->miss_rate < 1 ? work->miss_rate : 1;
    double n = work->n_expert_used;
    double read_seconds = work->missing_expert_bytes / drive_bytes_per_s;
    double seconds = 0;

    if (miss <= 0 || n <= 0) return work->expert_seconds;
    if (miss >= 1) return fmax(read_seconds, work->expert_seconds);
    double chance = pow(1 - miss, n); // of k misses, k = 0
    for (uint32_t k = 0; k <= work->n_expert_used; k++) {
        seconds += chance * fmax(read_seconds * k / (n * miss), work->expert_seconds);
        chance *= (n - k) / (k + 1) * miss / (1 - miss);
    }
    return seconds;
}

hypura_bound bound_of(const TokenWork *work, const Ceilings *ceilings)
{
    double drive = ceilings->drive_bytes_per_s, memory = ceilings->memory_bytes_per_s;
    hypura_bound bound = {.drive_per_s = (double)NAN,
        .memory_per_s = (double)NAN,
        .compute_per_s = per_s(work->other_seconds + work->expert_seconds),
        .layers_per_s = (double)NAN};

    if (drive > 0) bound.drive_per_s = per_s(work->missing_bytes / drive);
    if (memory > 0) bound.memory_per_s = per_s(work->pass_bytes / memory);
    if (drive > 0 && work->n_expert_used > 0 && work->missing_expert_bytes > 0)
        bound.layers_per_s = per_s(work->other_seconds + experts_seconds(work, drive));

    const struct {
        const char *name;
        double per_s;
    } all[] = {{"layers", bound.layers_per_s}, {"drive", bound.drive_per_s},
        {"memory", bound.memory_per_s}, {"compute", bound.compute_per_s}};
    double least = (double)INFINITY;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!(all[i].per_s < least)) continue; // NAN is less than nothing
        least = all[i].per_s;
        bound.name = all[i].name;
    }
    bound.least_per_s = bound.name ? least : (double)NAN;
    return bound;
}

double bound_together(double a_seconds, double b_seconds)
{
    return pow(pow(a_seconds, OVERLAP) + pow(b_seconds, OVERLAP), 1 / OVERLAP);
}

double bound_expected_seconds(const TokenWork *work, const Ceilings *ceilings)
{
    double drive = ceilings->drive_bytes_per_s;
    double stream_bytes = fmax(work->missing_bytes - work->missing_expert_bytes, 0);

    if (!(drive > 0)) return work->other_seconds + work->expert_seconds;
    return bound_together(work->other_seconds, stream_bytes / drive) + experts_seconds(work, drive);
}

static double seconds_between(uint64_t before_ns, uint64_t after_ns)
{
    return (double)(after_ns - before_ns) / 1e9;
}

TokenWork bound_work_between(const hypura_stats *before, const hypura_stats *after, double n_tokens)
{
    double pass = seconds_between(before->pass_ns, after->pass_ns);
    double stall = seconds_between(before->stall_ns, after->stall_ns);
    double experts = seconds_between(before->experts_ns, after->experts_ns);
    double experts_stall = seconds_between(before->experts_stall_ns, after->experts_stall_ns);
    double missed = (double)(after->read_missed_bytes - before->read_missed_bytes);
    double misses = (double)(after->expert_misses - before->expert_misses);
    double wants = misses + (double)(after->expert_hits - before->expert_hits);
    TokenWork work = {.n_expert_used = after->n_expert_used};

    if (!(n_tokens > 0)) return (TokenWork){0};
    work.pass_bytes = (double)(after->demanded_bytes - before->demanded_bytes) / n_tokens;
    work.missing_bytes = missed / n_tokens;
    work.missing_expert_bytes =
        (double)(after->read_demand_bytes - before->read_demand_bytes) / n_tokens;
    work.expert_seconds = fmax(experts - experts_stall, 0) / n_tokens;
    work.other_seconds = fmax(pass - stall - (experts - experts_stall), 0) / n_tokens;
    if (wants > 0) work.miss_rate = misses / wants;
    if (misses <= 0) work.missing_expert_bytes = 0; // rows of the embedding alone
    return work;
}

double bound_drive_between(const hypura_stats *before, const hypura_stats *after)
{
    uint64_t busy_ns = after->drive_busy_ns - before->drive_busy_ns;

    if (busy_ns < SPELL_NS_MIN) return 0;
    return (double)(after->drive_busy_bytes - before->drive_busy_bytes)
           / seconds_between(before->drive_busy_ns, after->drive_busy_ns);
}

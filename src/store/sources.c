/* A drive's rate is what came of it in the time in which it had something to do. That is seen
 * when completions are taken, so it is right where somebody waits for the drives, and there alone
 * it matters. */
#include "store/sources.h"

#include <assert.h>

#define BYTES_REMEMBERED (64.0 * (1u << 20)) // of a source, before older ones count half

double sources_rate(const Sources *sources, uint32_t source)
{
    const Source *one = &sources->all[source];

    return one->busy_ns > 0 ? one->busy_bytes / one->busy_ns : 0;
}

/* One that was slow and got nothing since may have recovered: a drive that slept, a network that
 * hung. Once in so many requests it is tried. */
#define REQUESTS_FORGOTTEN 1024

static bool is_forgotten(const Sources *sources, const Source *one)
{
    return one->bytes_in_flight == 0 && sources->n_begun - one->last_begun >= REQUESTS_FORGOTTEN;
}

/* What a source that was never measured is taken for: as fast as the fastest. */
static double best_rate(const Sources *sources)
{
    double best = 0;

    for (uint32_t i = 0; i < sources->n; i++)
        if (!sources->all[i].is_dropped && sources_rate(sources, i) > best)
            best = sources_rate(sources, i);
    return best > 0 ? best : 1;
}

uint32_t sources_choose(const Sources *sources, uint64_t n_bytes)
{
    double best = best_rate(sources), least_ns = 0;
    uint32_t chosen = SOURCES_MAX;

    for (uint32_t i = 0; i < sources->n; i++) {
        const Source *one = &sources->all[i];
        double rate = sources_rate(sources, i);
        double ns = (double)(one->bytes_in_flight + n_bytes) / (rate > 0 ? rate : best);
        if (one->is_dropped) continue;
        if (is_forgotten(sources, one)) return i;
        if (chosen < SOURCES_MAX && ns >= least_ns) continue;
        chosen = i;
        least_ns = ns;
    }
    assert(chosen < SOURCES_MAX);
    return chosen;
}

/* Time in which there was nothing in flight is nobody's. */
static void count_time(Source *one, uint64_t now_ns)
{
    if (one->bytes_in_flight > 0 && now_ns > one->counted_ns)
        one->busy_ns += (double)(now_ns - one->counted_ns);
    one->counted_ns = now_ns;
}

void sources_begin(Sources *sources, uint32_t source, uint64_t n_bytes, uint64_t now_ns)
{
    Source *one = &sources->all[source];

    count_time(one, now_ns);
    one->bytes_in_flight += n_bytes;
    one->last_begun = ++sources->n_begun;
}

void sources_end(
    Sources *sources, uint32_t source, uint64_t n_bytes, uint64_t n_came, uint64_t now_ns)
{
    Source *one = &sources->all[source];

    count_time(one, now_ns);
    assert(one->bytes_in_flight >= n_bytes);
    one->bytes_in_flight -= n_bytes;
    one->read_bytes += n_came;
    one->busy_bytes += (double)n_came;
    if (one->busy_bytes < BYTES_REMEMBERED) return;
    one->busy_bytes /= 2;
    one->busy_ns /= 2;
}

bool sources_drop(Sources *sources, uint32_t source)
{
    uint32_t n_left = 0;

    for (uint32_t i = 0; i < sources->n; i++) n_left += !sources->all[i].is_dropped;
    if (n_left == 1) return false;
    sources->all[source].is_dropped = true;
    return true;
}

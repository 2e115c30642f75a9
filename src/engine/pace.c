/* Estimates that forget, and a purse for trying. */
#include "engine/pace.h"

#include <assert.h>

#define PASSES_PLAIN_FIRST 3     // so that there is something to compare with
#define PLAIN_EVERY        64    // passes: what a plain one takes changes with the cache
#define SHARE_FOR_TRYING   0.01  // of the time
#define FIRST_FOR_TRYING   0.5   // of a plain pass
#define NEWS               0.125 // weight of a pass in a mean of times
#define FORGOTTEN_AFTER    256   // passes
#define MEMORY             0.9   // of the guesses seen, from one pass with guesses to the next
#define DOUBT              0.5   // wrong guesses that nobody saw
#define GAIN_WORTH         1.02
#define ROW_SHARE_UNKNOWN  0.1 // of a pass, for each further row, until two numbers were seen

double pace_acceptance(const Pace *pace)
{
    double n = pace->n_right + pace->n_wrong;

    return n > 0 ? pace->n_right / (n + DOUBT) : 0;
}

static void learn_time(double *mean_ns, double ns)
{
    *mean_ns = *mean_ns > 0 ? *mean_ns + (ns - *mean_ns) * NEWS : ns;
}

/* What was seen long ago was seen of another state of the cache, and counts as not seen. */
static bool is_known(const Pace *pace, uint32_t n_rows)
{
    return pace->pass_ns[n_rows] > 0 && pace->n_passes - pace->seen_at[n_rows] <= FORGOTTEN_AFTER;
}

static void learn_pass_time(Pace *pace, uint32_t n_rows, double ns)
{
    if (!is_known(pace, n_rows)) pace->pass_ns[n_rows] = 0;
    learn_time(&pace->pass_ns[n_rows], ns);
    pace->seen_at[n_rows] = pace->n_passes;
}

/* The nearest number of rows that is known, from `row` on by `step`; 0: none. */
static uint32_t seen_from(const Pace *pace, uint32_t row, int step)
{
    while (row > 0 && row <= PACE_GUESSES_MAX + 1 && !is_known(pace, row))
        row = (uint32_t)((int)row + step);
    return row <= PACE_GUESSES_MAX + 1 ? row : 0;
}

/* Of a pass of n_rows: as seen, on the line between the numbers seen on both sides, or on beyond
 * the last ones. Never less than a plain pass. */
static double pass_time(const Pace *pace, uint32_t n_rows)
{
    double plain = pace->pass_ns[1], ns;
    uint32_t below = seen_from(pace, n_rows, -1), above = seen_from(pace, n_rows, 1);

    assert(below > 0);
    if (below == n_rows) {
        ns = pace->pass_ns[n_rows];
    } else if (above > 0) {
        double slope = (pace->pass_ns[above] - pace->pass_ns[below]) / (above - below);
        ns = pace->pass_ns[below] + slope * (n_rows - below);
    } else {
        double slope = plain * ROW_SHARE_UNKNOWN;
        if (below > 1) slope = (pace->pass_ns[below] - plain) / (below - 1);
        ns = pace->pass_ns[below] + (slope > 0 ? slope : 0) * (n_rows - below);
    }
    return ns > plain ? ns : plain;
}

/* Numbers beyond twice the rows seen are not believed yet. */
static uint32_t believable(const Pace *pace, uint32_t n_max)
{
    uint32_t n_rows = seen_from(pace, PACE_GUESSES_MAX + 1, -1);

    return 2 * n_rows - 1 < n_max ? 2 * n_rows - 1 : n_max;
}

/* Time of a token where passes have n guesses. */
static double token_time(const Pace *pace, uint32_t n)
{
    double right = pace_acceptance(pace), n_tokens = 1, chance = 1;

    for (uint32_t i = 0; i < n; i++) {
        chance *= right;
        n_tokens += chance;
    }
    return (pass_time(pace, n + 1) + n * pace->guess_ns) / n_tokens;
}

/* May one guess be tried, though it is not expected to pay? */
static bool can_try(const Pace *pace)
{
    double plain = pace->pass_ns[1];
    double loss = pass_time(pace, 2) + pace->guess_ns - plain;
    double purse = pace->spent_ns * SHARE_FOR_TRYING + plain * FIRST_FOR_TRYING;

    return pace->lost_ns + loss <= purse;
}

uint32_t pace_choose(const Pace *pace, uint32_t n_max)
{
    if (n_max > PACE_GUESSES_MAX) n_max = PACE_GUESSES_MAX;
    if (n_max == 0 || pace->n_plain < PASSES_PLAIN_FIRST || pace->n_since_plain >= PLAIN_EVERY)
        return 0;
    uint32_t best = 0;
    double best_ns = pace->pass_ns[1] / GAIN_WORTH;
    n_max = believable(pace, n_max);
    for (uint32_t n = 1; n <= n_max; n++) {
        double ns = token_time(pace, n);
        if (ns >= best_ns) continue;
        best_ns = ns;
        best = n;
    }
    return best == 0 && can_try(pace) ? 1 : best;
}

void pace_learn(Pace *pace, const PacePass *pass)
{
    assert(pass->n_right <= pass->n_guesses && pass->n_guesses <= PACE_GUESSES_MAX);
    pace->n_passes++;
    learn_pass_time(pace, pass->n_guesses + 1, pass->pass_ns);
    pace->spent_ns += pass->pass_ns + pass->guess_ns;
    if (pass->n_guesses == 0) {
        pace->n_plain++;
        pace->n_since_plain = 0;
        return;
    }
    pace->n_since_plain++;
    learn_time(&pace->guess_ns, pass->guess_ns / pass->n_guesses);
    pace->n_right = pace->n_right * MEMORY + pass->n_right;
    pace->n_wrong *= MEMORY;
    if (pass->is_judged && pass->n_right < pass->n_guesses) pace->n_wrong++;
    // Gains do not fill the purse: what was won is not there to be lost.
    double plain_ns = pace->pass_ns[1] * (1 + pass->n_right);
    pace->lost_ns += pass->pass_ns + pass->guess_ns - plain_ns;
    if (pace->lost_ns < 0) pace->lost_ns = 0;
}

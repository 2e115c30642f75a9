/* A bar is redrawn at most ten times a second, and only after a second of work. ASCII
 * only, since nothing here knows the locale. The rate is the mean since the beginning. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "cli/terminal.h"

#define SECOND_NS     UINT64_C(1000000000)
#define BAR_CELLS_MAX 40

void progress_begin(
    Progress *progress, const char *what, const char *unit, uint64_t n_total, bool is_quiet)
{
    *progress = (Progress){
        .what = what,
        .unit = unit,
        .n_total = n_total,
        .begun_ns = clock_now_ns(),
        .is_quiet = is_quiet,
        .is_bar = terminal_can_draw(stderr),
    };
}

static void format_time(uint64_t seconds, char *out, size_t out_bytes)
{
    if (seconds < 60)
        snprintf(out, out_bytes, "%u s", (unsigned)seconds);
    else if (seconds < 3600)
        snprintf(
            out, out_bytes, "%u min %02u s", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
    else if (seconds < 100 * 3600)
        snprintf(out, out_bytes, "%u h %02u min", (unsigned)(seconds / 3600),
            (unsigned)(seconds / 60 % 60));
    else
        snprintf(out, out_bytes, "over 99 h");
}

/* "812.0 MiB/s, 5 s left" */
static void format_rate(
    const Progress *progress, uint64_t n_done, uint64_t now_ns, char *out, size_t out_bytes)
{
    double seconds = (double)(now_ns - progress->begun_ns) / 1e9;
    double per_s = seconds > 0 ? (double)n_done / seconds : 0;
    double seconds_left = per_s > 0 ? (double)(progress->n_total - n_done) / per_s : 1e9;
    char left[32], rate[24];

    format_time(
        seconds_left < 1e9 ? (uint64_t)seconds_left : UINT64_C(1000000000), left, sizeof left);
    if (progress->unit)
        snprintf(out, out_bytes, "%.1f %s/s, %s left", per_s, progress->unit, left);
    else
        snprintf(out, out_bytes, "%s/s, %s left", size_format((uint64_t)per_s, rate), left);
}

static void draw_bar(const Progress *progress, uint64_t n_done, unsigned percent, const char *rate)
{
    char bar[BAR_CELLS_MAX + 1];
    size_t n_text = strlen(progress->what) + strlen(rate) + 12; // blanks, brackets, percent
    size_t n_columns = terminal_columns(stderr);
    size_t n_cells = n_columns > n_text ? n_columns - n_text : 0;

    if (n_cells > BAR_CELLS_MAX) n_cells = BAR_CELLS_MAX;
    size_t n_full = progress->n_total
                        ? (size_t)((double)n_done / (double)progress->n_total * (double)n_cells)
                        : 0;
    if (n_full > n_cells) n_full = n_cells;
    memset(bar, '#', n_full);
    memset(bar + n_full, '.', n_cells - n_full);
    bar[n_cells] = '\0';
    fprintf(stderr, "\r%s %3u%% [%s] %s\033[K", progress->what, percent, bar, rate);
}

void progress_show(Progress *progress, uint64_t n_done)
{
    char rate[96];

    if (progress->is_quiet || progress->n_total == 0) return;
    uint64_t now_ns = clock_now_ns();
    unsigned percent = (unsigned)((double)n_done * 100 / (double)progress->n_total);
    uint64_t n_tenths = percent / 10;
    bool is_due = progress->is_bar ? now_ns - progress->drawn_ns >= SECOND_NS / 10
                                   : n_tenths > progress->n_tenths;

    if (now_ns - progress->begun_ns < SECOND_NS || !is_due) return;
    format_rate(progress, n_done, now_ns, rate, sizeof rate);
    if (progress->is_bar)
        draw_bar(progress, n_done, percent, rate);
    else
        fprintf(stderr, "hypura: %s: %u %%, %s\n", progress->what, (unsigned)n_tenths * 10, rate);
    progress->drawn_ns = now_ns;
    progress->n_tenths = n_tenths;
    progress->is_drawn = true;
}

void progress_end(Progress *progress)
{
    if (progress->is_bar && progress->is_drawn) fputs("\r\033[K", stderr);
    progress->is_drawn = false;
}

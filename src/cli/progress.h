/* How far a work of more than a second is: a bar with rate and time left on a terminal,
 * else a line at each 10 %. On standard error. */
#ifndef HYPURA_CLI_PROGRESS_H
#define HYPURA_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Progress {
    const char *what; // "prompt"
    const char *unit; // "tokens"; NULL: bytes
    uint64_t n_total; // of the unit
    uint64_t begun_ns, drawn_ns;
    uint64_t n_tenths; // that have been passed
    bool is_quiet, is_bar, is_drawn;
} Progress;

void progress_begin(
    Progress *progress, const char *what, const char *unit, uint64_t n_total, bool is_quiet);
/* n_done of n_total; never less than before. */
void progress_show(Progress *progress, uint64_t n_done);
/* Takes the bar away. */
void progress_end(Progress *progress);

#endif

/* Copies of a model on several drives, and which of them the next request goes to: the one that
 * would be done with it first, by what it has in flight and how fast it has been. So each copy is
 * read in proportion to what its drive gives, and all end at about the same time.
 *
 * Time is the caller's: nothing here looks at a clock. */
#ifndef HYPURA_STORE_SOURCES_H
#define HYPURA_STORE_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#define SOURCES_MAX 8

typedef struct Source {
    uint64_t bytes_in_flight;
    uint64_t read_bytes;        // that came, since the beginning
    uint64_t counted_ns;        // busy time is counted up to then
    double busy_ns, busy_bytes; // while something was in flight; older ones count less
    uint64_t last_begun;        // number of its last request
    bool is_dropped;
} Source;

typedef struct Sources {
    Source all[SOURCES_MAX];
    uint64_t n_begun; // requests
    uint32_t n;       // 1: there is nothing to choose, and nothing is measured
} Sources;

/* The source for a request of n_bytes. One at least is not dropped. */
uint32_t sources_choose(const Sources *sources, uint64_t n_bytes);

/* A request goes to a source, and comes back with n_came of its n_bytes. */
void sources_begin(Sources *sources, uint32_t source, uint64_t n_bytes, uint64_t now_ns);
void sources_end(
    Sources *sources, uint32_t source, uint64_t n_bytes, uint64_t n_came, uint64_t now_ns);

/* Chooses it never again. False: it is the last one, and stays. */
bool sources_drop(Sources *sources, uint32_t source);

/* Bytes per nanosecond while it was busy; 0: not known yet. */
double sources_rate(const Sources *sources, uint32_t source);

#endif

/* A drive that misbehaves on purpose, for tests: the third backend of sys/read.h.
 *
 * Everything follows from the seed and the order of calls: no clock, no thread. Time is
 * counted in ticks; a poll lets one pass, a wait as many as it takes. The simulator also
 * watches its user. It asserts that requests are aligned and that no two in flight share
 * memory, and fills a request's memory with rubbish when it is submitted, so that whoever
 * looks before the completion, or past a short result, sees garbage. Memory is written
 * between submit and completion only, never by a duplicate.
 *
 * Files are ordinary (sys/file.h); read_sim_file makes one from an array in memory, so
 * that a test needs no disk. */
#ifndef HYPURA_SYS_READ_SIM_H
#define HYPURA_SYS_READ_SIM_H

#include "sys/file.h"

/* What can happen to a request. Of the last six at most one does; the first three change
 * when completions come and go together with anything. */
typedef enum SimFault {
    SIM_REORDER,   // completes before requests submitted earlier
    SIM_LATE,      // completes late_ticks after its time
    SIM_DUPLICATE, // its completion comes again, later, with the same tag and result
    SIM_SHORT,     // fewer bytes than there are: a multiple of the alignment, at least one
    SIM_RAGGED,    // fewer bytes than there are: not a multiple of the alignment
    SIM_ZERO,      // 0 bytes
    SIM_EIO,
    SIM_EINTR,
    SIM_EAGAIN,
    SIM_FAULTS
} SimFault;

/* A damaged place: the first n_failures requests that touch it complete with -EIO or, where the
 * damage is silent, with a bit of its first byte turned. */
typedef struct SimDamage {
    uint32_t file;
    uint64_t offset_bytes, n_bytes; // silent: one byte
    uint32_t n_failures;            // UINT32_MAX: always
    bool is_silent;
} SimDamage;

#define SIM_DAMAGE_MAX 8
#define SIM_RATES_MAX  4

/* Caller's memory, not copied: it must outlive the reader, which writes `counts` alone.
 * Zeroed it is a perfect drive that answers in order, one tick each. */
typedef struct ReadSim {
    uint64_t seed;
    uint32_t alignment;         // power of two, at least 512; 0: reader_probe_alignment's
    uint32_t latency_ticks_max; // each request takes 1 to this many; 0: 1
    uint32_t late_ticks;        // SIM_LATE; 0: 64
    // Files of which each is a drive of its own: one request after the other, at so many bytes a
    // tick (a nanosecond to reader_now_ns), however many there are. 0: as latency says.
    uint32_t bytes_per_tick[SIM_RATES_MAX];
    uint32_t per_mille[SIM_FAULTS]; // how often, of 1000 requests
    uint64_t n_faults_max; // after so many of SIM_SHORT to SIM_EAGAIN there are no more; 0: no end
    SimDamage damage[SIM_DAMAGE_MAX];
    uint32_t n_damage;
    uint64_t breaks_at_reap; // this call of reader_reap and all later ones fail with RING; 0: none

    struct {
        uint64_t n_requests;
        uint64_t n_request_bytes;
        uint64_t n_completions;        // duplicates included
        uint64_t n_faults[SIM_FAULTS]; // damage counts as SIM_EIO
        uint64_t n_reaps;
        uint64_t ticks;
    } counts;
} ReadSim;

/* A drive with each class of fault on or off by the seed, at rates that a mover with a
 * few retries survives most of the time. Damage is left to the caller. */
ReadSim read_sim_swarm(uint64_t seed);

/* A regular file in memory with a copy of data[0, n_bytes), sealed: nobody can change it.
 * Usable with every backend. The caller ends it with file_close. */
CHECKED bool read_sim_file(File *file, const void *data, uint64_t n_bytes, Error *err);

#endif

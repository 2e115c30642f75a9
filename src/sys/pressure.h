/* How near memory is to its end, asked again and again: the limits of control groups, what the
 * machine has left, and who waited for memory since the last look.
 *
 * The files are opened once and kept, so that asking costs a few reads of some microseconds and
 * needs no right to open anything. A limit that is set, raised or lowered later is seen; a move
 * of the process into another group is not. */
#ifndef HYPURA_SYS_PRESSURE_H
#define HYPURA_SYS_PRESSURE_H

#include "base/error.h"

#define PRESSURE_SOURCES_MAX 32 // the machine, and the nearest groups of both versions
#define PRESSURE_FILES_MAX   8

/* A group, or the machine: descriptors of its files, -1 where there is none. */
typedef struct PressureSource {
    int fds[PRESSURE_FILES_MAX];
    bool is_machine, is_v1;
    uint64_t stalled_us; // at the last look
    uint64_t n_events;
} PressureSource;

typedef struct Pressure {
    PressureSource sources[PRESSURE_SOURCES_MAX];
    uint32_t n_sources;
    uint64_t looked_at_ns; // 0: never
} Pressure;

typedef struct PressureReading {
    uint64_t room_bytes;  // that can still be had where it is least; UINT64_MAX: unknown
    uint64_t limit_bytes; // of that place: of the group, or the machine's memory
    bool is_stalling;     // since the last look some tasks waited for memory for a tenth of the
                          // time (PSI), or a group ran into its limit (memory.events)
} PressureReading;

/* `root` is put in front of every path ("" for the machine; sys/cgroup.h). What is not there is
 * left out; without anything the room is unknown. */
void pressure_open(Pressure *pressure, const char *root);
void pressure_close(Pressure *pressure); // a zeroed one is fine

/* Never blocks for long. The first look after pressure_open sees no stalls. */
PressureReading pressure_read(Pressure *pressure, uint64_t now_ns);

#endif

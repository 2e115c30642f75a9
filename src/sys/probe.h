/* What the kernel and its administrator grant, for a report. Asked of the kernel itself wherever
 * it answers; a figure that can't be had says so. */
#ifndef HYPURA_SYS_PROBE_H
#define HYPURA_SYS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ProbeRing {
    RING_WORKS,
    RING_ABSENT,   // the kernel has none
    RING_DISABLED, // sysctl kernel.io_uring_disabled
    RING_FILTERED, // a seccomp filter or a security module refuses it
    RING_FAILED    // it is there, but none could be made now
} ProbeRing;

typedef struct Probe {
    ProbeRing ring;
    uint64_t memlock_bytes; // that may be locked; UINT64_MAX: no limit
    char huge_pages[16];    // "always", "madvise", "never"; "": unknown
    int landlock_abi;       // 0: none
    bool has_seccomp_filters;
    bool has_pressure;                 // /proc/pressure/memory
    bool has_cgroup_v1, has_cgroup_v2; // that account memory
    uint64_t swap_bytes, swap_free_bytes;
} Probe;

/* `root` is put in front of every path: "" for the machine. */
Probe probe_machine(const char *root);

#endif

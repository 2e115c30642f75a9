/* What control groups (v1 and v2) leave this process of its machine. A limit of any
 * ancestor binds, so every folder from the process's own up to the mount is asked.
 *
 * `root` is put in front of every path: "" for the machine, a folder that holds
 * proc/self/cgroup, proc/self/mountinfo and the mounts for a test. */
#ifndef HYPURA_SYS_CGROUP_H
#define HYPURA_SYS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_UNLIMITED UINT64_MAX

/* The folders whose memory limits bind this process: its group's, then those of all ancestors
 * that can be seen, in each version that is mounted. */
typedef void CgroupVisit(void *context, const char *folder, bool is_v1);
void cgroup_visit_memory(const char *root, CgroupVisit *visit, void *context);

/* What a folder's memory limit still leaves, with a memory.stat that says how much of `usage` is
 * file cache: the kernel drops that before anything fails. */
uint64_t cgroup_room(uint64_t limit, uint64_t usage, const char *stat_text, bool is_v1);

/* Figures from this on mean "no limit" in version 1, which writes LONG_MAX cut to pages. */
#define CGROUP_V1_UNLIMITED ((uint64_t)1 << 62)

/* The least room in bytes below the memory limits, with swap (v1) or without it (v2, which counts
 * swap apart). CGROUP_UNLIMITED: no limit is known. */
uint64_t cgroup_memory_room(const char *root);

/* The least processor quota in whole CPUs, rounded up, at least 1. CGROUP_UNLIMITED: none. */
uint64_t cgroup_cpus(const char *root);

#endif

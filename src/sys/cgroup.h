/* What control groups (v1 and v2) leave this process of its machine. A limit of any
 * ancestor binds, so every folder from the process's own up to the mount is asked.
 *
 * `root` is put in front of every path: "" for the machine, a folder that holds
 * proc/self/cgroup, proc/self/mountinfo and the mounts for a test. */
#ifndef HYPURA_SYS_CGROUP_H
#define HYPURA_SYS_CGROUP_H

#include <stdint.h>

#define CGROUP_UNLIMITED UINT64_MAX

/* The least room in bytes below the memory limits: limit - (usage - file cache that the
 * kernel can drop). CGROUP_UNLIMITED: no limit is known. */
uint64_t cgroup_memory_room(const char *root);

/* The least processor quota in whole CPUs, rounded up, at least 1. CGROUP_UNLIMITED: none. */
uint64_t cgroup_cpus(const char *root);

#endif

/* Each question in the way that the rest of the program will ask it, or nearer to the kernel:
 * io_uring by making a ring, Landlock by its version number, seccomp by the action that is used. */
#include "sys/probe.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/kernel_text.h"

#define PATH_BYTES              512
#define TEXT_BYTES              4096
#define LANDLOCK_CREATE_VERSION 1u

static bool read_below(const char *root, const char *path, char *out, size_t room)
{
    char full[PATH_BYTES];
    int n = snprintf(full, sizeof(full), "%s%s", root, path);

    out[0] = '\0';
    return n > 0 && (size_t)n < sizeof(full) && kernel_text_read(full, out, room);
}

static ProbeRing probe_ring(const char *root)
{
    struct io_uring_params params;
    char text[16];

    memset(&params, 0, sizeof(params));
    long fd = syscall(SYS_io_uring_setup, 1, &params);
    if (fd >= 0) {
        close((int)fd); // a descriptor
        return RING_WORKS;
    }
    if (errno == ENOSYS) return RING_ABSENT;
    if (errno != EPERM && errno != EACCES) return RING_FAILED;
    (void)read_below(root, "/proc/sys/kernel/io_uring_disabled", text, sizeof(text));
    return *text == '1' || *text == '2' ? RING_DISABLED : RING_FILTERED;
}

/* The word in brackets of "always [madvise] never". */
static void read_choice(const char *root, const char *path, char *out, size_t room)
{
    char text[128];

    out[0] = '\0';
    if (!read_below(root, path, text, sizeof(text))) return;
    const char *begin = strchr(text, '[');
    if (!begin) return;
    snprintf(out, room, "%.*s", (int)strcspn(begin + 1, "]"), begin + 1);
}

static uint64_t memlock_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 0;
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit.rlim_cur;
}

/* Version 1 has a line "9:memory:/…"; version 2 has "0::/…" and names memory among its
 * controllers. */
static void probe_groups(const char *root, Probe *probe)
{
    char text[TEXT_BYTES];

    (void)read_below(root, "/proc/self/cgroup", text, sizeof(text));
    probe->has_cgroup_v1 = strstr(text, ":memory:") || strstr(text, ",memory:")
                           || strstr(text, ":memory,") || strstr(text, ",memory,");
    bool is_in_v2 = strncmp(text, "0::", 3) == 0 || strstr(text, "\n0::");
    if (!is_in_v2 || probe->has_cgroup_v1) return;
    (void)read_below(root, "/sys/fs/cgroup/cgroup.controllers", text, sizeof(text));
    probe->has_cgroup_v2 = strstr(text, "memory");
}

Probe probe_machine(const char *root)
{
    Probe probe = {.ring = probe_ring(root), .memlock_bytes = memlock_limit()};
    char text[TEXT_BYTES];
    uint64_t kilobytes = 0;

    read_choice(root, "/sys/kernel/mm/transparent_hugepage/enabled", probe.huge_pages,
        sizeof(probe.huge_pages));
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_VERSION);
    probe.landlock_abi = abi > 0 ? (int)abi : 0; // a small number
    const uint32_t action = SECCOMP_RET_ERRNO;
    probe.has_seccomp_filters = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    probe.has_pressure = read_below(root, "/proc/pressure/memory", text, sizeof(text));
    probe_groups(root, &probe);
    (void)read_below(root, "/proc/meminfo", text, sizeof(text));
    if (kernel_text_field(text, "SwapTotal:", &kilobytes)) probe.swap_bytes = kilobytes * 1024;
    if (kernel_text_field(text, "SwapFree:", &kilobytes)) probe.swap_free_bytes = kilobytes * 1024;
    return probe;
}

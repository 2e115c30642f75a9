/* tests/sys/test_probe.c - what the kernel grants (sys/probe.h) */
#include "sys/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "harness.h"
#include "sys/child.h"

static char root[128];

/* A root of its own, without any file. */
static void use_root(const char *name)
{
    snprintf(root, sizeof(root), "%s/%s", harness_temporary_folder(), name);
    CHECK_CASE(name, mkdir(root, 0700) == 0);
}

/* Writes a file below the root, and the folders on the way. */
static void put(const char *path, const char *text)
{
    char full[512];
    int n = snprintf(full, sizeof(full), "%s", root);

    for (const char *at = path; *at; at++) {
        full[n++] = *at;
        full[n] = '\0';
        if (at[1] == '/') (void)mkdir(full, 0700);
    }
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_CASE(path, fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

TEST(a_machine_that_tells_nothing_has_nothing)
{
    use_root("silent");
    Probe probe = probe_machine(root);
    CHECK(!*probe.huge_pages && !probe.has_pressure);
    CHECK(!probe.has_cgroup_v1 && !probe.has_cgroup_v2);
    CHECK(probe.swap_bytes == 0 && probe.swap_free_bytes == 0);
}

TEST(call_filters_are_asked_of_the_kernel_itself)
{
    use_root("nothing_mounted");
    CHECK(probe_machine(root).has_seccomp_filters == probe_machine("").has_seccomp_filters);
    CHECK(probe_machine("").has_seccomp_filters == can_refuse_calls());
}

TEST(what_the_kernel_writes_is_understood)
{
    use_root("telling");
    put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    put("/proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    put("/proc/meminfo", "MemTotal: 100 kB\nSwapTotal:     2048 kB\nSwapFree:      1024 kB\n");
    Probe probe = probe_machine(root);
    CHECK(strcmp(probe.huge_pages, "madvise") == 0);
    CHECK(probe.has_pressure);
    CHECK(probe.swap_bytes == 2048 * 1024 && probe.swap_free_bytes == 1024 * 1024);
}

// clang-format off
static const struct {
    const char *label, *groups, *controllers;
    bool v1, v2;
} group_cases[] = {
    {"g1", "9:memory:/a\n0::/\n",          "",               true,  false}, // both mounted, memory in 1
    {"g2", "3:cpu,memory:/\n",             "",               true,  false},
    {"g3", "3:memory,cpu:/\n",             "",               true,  false},
    {"g4", "0::/user.slice\n",             "cpu memory io\n", false, true},
    {"g5", "0::/user.slice\n",             "cpu io\n",       false, false},
    {"g6", "4:cpu:/\n0::/x\n",             "memory\n",       false, true},
    {"g7", "4:memoryless:/\n",             "memory\n",       false, false},
};
// clang-format on

TEST(the_version_of_the_control_group_is_the_one_that_has_memory)
{
    for (size_t i = 0; i < COUNT(group_cases); i++) {
        use_root(group_cases[i].label);
        put("/proc/self/cgroup", group_cases[i].groups);
        put("/sys/fs/cgroup/cgroup.controllers", group_cases[i].controllers);
        Probe probe = probe_machine(root);
        CHECK_CASE(group_cases[i].label, probe.has_cgroup_v1 == group_cases[i].v1);
        CHECK_CASE(group_cases[i].label, probe.has_cgroup_v2 == group_cases[i].v2);
    }
}

typedef struct Refusal {
    int error;
    ProbeRing want;
} Refusal;

static void ask_refused(const void *argument)
{
    const Refusal *refusal = argument;

    CHECK(refuse_call(SYS_io_uring_setup, 0, 0, refusal->error));
    CHECK(probe_machine(root).ring == refusal->want);
}

TEST(why_there_is_no_ring_is_told)
{
    static const Refusal filtered = {EPERM, RING_FILTERED}, absent = {ENOSYS, RING_ABSENT},
                         failed = {ENOMEM, RING_FAILED}, disabled = {EPERM, RING_DISABLED};

    if (!can_refuse_calls()) TEST_SKIP("this machine has no seccomp filters");
    use_root("rings");
    CHECK(child_status(ask_refused, &absent) == 0);
    CHECK(child_status(ask_refused, &failed) == 0);
    CHECK(child_status(ask_refused, &filtered) == 0);
    put("/proc/sys/kernel/io_uring_disabled", "2\n");
    CHECK(child_status(ask_refused, &disabled) == 0);
    put("/proc/sys/kernel/io_uring_disabled", "0\n");
    CHECK(child_status(ask_refused, &filtered) == 0);
}

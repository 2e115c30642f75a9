/* tests/sys/test_cgroup.c - limits of control groups, read from a made-up tree (sys/cgroup.h) */
#include "sys/cgroup.h"

#include <sys/stat.h>

#include "harness.h"

#define MIB ((uint64_t)1 << 20)

/* Each tree is a folder of its own, so that no test sees another's files. */
static char root[128];

static void new_tree(const char *name)
{
    snprintf(root, sizeof(root), "%s/%s", harness_temporary_folder(), name);
    CHECK(mkdir(root, 0755) == 0);
}

/* Writes root/path, making the folders on the way. */
static void put(const char *path, const char *text)
{
    char full[512];

    snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *stream = fopen(full, "w");
    CHECK(stream && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

#define V1_MOUNTS                                                      \
    "10 1 0:9 / / rw,relatime - ext4 /dev/vda rw\n"                    \
    "12 1 0:10 / /cg/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n" \
    "13 1 0:11 / /cg/memory rw,relatime shared:4 - cgroup cgroup rw,memory\n"

#define V2_MOUNTS "14 1 0:12 / /cg rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

TEST(cgroup_v2_takes_the_least_room_of_all_ancestors)
{
    new_tree("v2");
    put("proc/self/cgroup", "0::/a/b/c\n");
    put("proc/self/mountinfo", V2_MOUNTS);
    CHECK(cgroup_memory_room(root) == CGROUP_UNLIMITED);
    CHECK(cgroup_cpus(root) == CGROUP_UNLIMITED);

    put("cg/a/b/c/memory.max", "max\n");
    put("cg/a/b/c/memory.high", "max\n");
    put("cg/a/b/c/memory.current", "1048576\n");
    put("cg/a/b/c/cpu.max", "max 100000\n");
    CHECK(cgroup_memory_room(root) == CGROUP_UNLIMITED);
    CHECK(cgroup_cpus(root) == CGROUP_UNLIMITED);

    put("cg/a/b/memory.max", "104857600\n"); // 100 MiB, of which 30 are used
    put("cg/a/b/memory.current", "31457280\n");
    CHECK(cgroup_memory_room(root) == 70 * MIB);

    put("cg/a/memory.max", "94371840\n"); // 90 MiB, 60 used, 25 of those droppable
    put("cg/a/memory.current", "62914560\n");
    put("cg/a/memory.stat", "anon 1\ninactive_file 20971520\nactive_file 5242880\n");
    CHECK(cgroup_memory_room(root) == 55 * MIB);

    put("cg/a/b/c/memory.high", "5242880\n"); // 5 MiB, 1 used
    CHECK(cgroup_memory_room(root) == 4 * MIB);
}

TEST(cgroup_room_is_zero_where_the_limit_is_exceeded)
{
    new_tree("over");
    put("proc/self/cgroup", "0::/a\n");
    put("proc/self/mountinfo", V2_MOUNTS);
    put("cg/a/memory.high", "1000\n");
    put("cg/a/memory.current", "5000\n");
    CHECK(cgroup_memory_room(root) == 0);
    put("cg/a/memory.stat", "inactive_file 9000\n"); // more than is used
    CHECK(cgroup_memory_room(root) == 1000);
}

TEST(cgroup_v2_rounds_quotas_up_to_whole_cpus)
{
    static const struct {
        const char *text;
        uint64_t want;
    } cases[] = {
        {"50000 100000\n", 1},
        {"100000 100000\n", 1},
        {"100001 100000\n", 2},
        {"400000 100000\n", 4},
        {"1 100000\n", 1},
        {"0 100000\n", 1},
        {"100 0\n", CGROUP_UNLIMITED},
        {"100\n", CGROUP_UNLIMITED},
    };

    new_tree("quota");
    put("proc/self/cgroup", "0::/a\n");
    put("proc/self/mountinfo", V2_MOUNTS);
    for (size_t i = 0; i < COUNT(cases); i++) {
        put("cg/a/cpu.max", cases[i].text);
        CHECK_CASE(cases[i].text, cgroup_cpus(root) == cases[i].want);
    }
    put("cg/a/cpu.max", "800000 100000\n");
    put("cg/cpu.max", "250000 100000\n"); // the ancestor has less
    CHECK(cgroup_cpus(root) == 3);
}

TEST(cgroup_v1_takes_the_least_room_of_all_ancestors)
{
    new_tree("v1");
    put("proc/self/cgroup", "5:cpuset:/elsewhere\n4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/\n");
    put("proc/self/mountinfo", V1_MOUNTS);
    put("cg/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"); // none
    put("cg/memory/a/b/memory.usage_in_bytes", "1048576\n");
    put("cg/cpu/c/cpu.cfs_quota_us", "-1\n");
    put("cg/cpu/c/cpu.cfs_period_us", "100000\n");
    CHECK(cgroup_memory_room(root) == CGROUP_UNLIMITED);
    CHECK(cgroup_cpus(root) == CGROUP_UNLIMITED);

    put("cg/memory/a/memory.limit_in_bytes", "67108864\n"); // 64 MiB, 50 used, 20 droppable
    put("cg/memory/a/memory.usage_in_bytes", "52428800\n");
    put("cg/memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 10485760\n"
                                   "total_active_file 10485760\n");
    CHECK(cgroup_memory_room(root) == 34 * MIB);
    put("cg/cpu/c/cpu.cfs_quota_us", "150000\n");
    CHECK(cgroup_cpus(root) == 2);
}

TEST(cgroup_v1_counts_swap_where_it_has_a_limit)
{
    new_tree("swap");
    put("proc/self/cgroup", "4:memory:/a\n");
    put("proc/self/mountinfo", V1_MOUNTS);
    put("cg/memory/a/memory.limit_in_bytes", "67108864\n");
    put("cg/memory/a/memory.usage_in_bytes", "1048576\n");
    CHECK(cgroup_memory_room(root) == 63 * MIB);
    put("cg/memory/a/memory.memsw.limit_in_bytes", "68157440\n"); // 65 MiB, 60 used with swap
    put("cg/memory/a/memory.memsw.usage_in_bytes", "62914560\n");
    CHECK(cgroup_memory_room(root) == 5 * MIB);
}

TEST(cgroup_protection_is_no_limit)
{
    new_tree("low");
    put("proc/self/cgroup", "0::/a\n");
    put("proc/self/mountinfo", V2_MOUNTS);
    put("cg/a/memory.low", "1000\n");
    put("cg/a/memory.min", "1000\n");
    put("cg/a/memory.swap.max", "0\n");
    put("cg/a/memory.current", "5000\n");
    CHECK(cgroup_memory_room(root) == CGROUP_UNLIMITED);
}

TEST(cgroup_of_a_container_is_asked_where_it_is_mounted)
{
    new_tree("container");
    // The mount shows /pod/x as its top; the process is in /pod/x/y.
    put("proc/self/cgroup", "0::/pod/x/y\n");
    put("proc/self/mountinfo", "14 1 0:12 /pod/x /cg ro - cgroup2 cgroup2 rw\n");
    put("cg/y/memory.max", "3000\n");
    put("cg/memory.max", "2000\n");
    CHECK(cgroup_memory_room(root) == 2000);
    put("cg/y/memory.max", "1000\n");
    CHECK(cgroup_memory_room(root) == 1000);

    // With a namespace of its own the group is "/", or above what is mounted.
    put("proc/self/cgroup", "0::/\n");
    CHECK(cgroup_memory_room(root) == 2000);
    put("proc/self/cgroup", "0::/../other\n");
    CHECK(cgroup_memory_room(root) == 2000);
    put("proc/self/cgroup", "0::/pod/xy\n"); // a sibling, not a child of /pod/x
    put("cg/y/memory.max", "1\n");
    CHECK(cgroup_memory_room(root) == 2000);
}

TEST(cgroup_without_proc_has_no_limits)
{
    new_tree("empty");
    CHECK(cgroup_memory_room(root) == CGROUP_UNLIMITED);
    CHECK(cgroup_cpus(root) == CGROUP_UNLIMITED);
    put("proc/self/cgroup", "rubbish\n0::/a\n:\n");
    put("proc/self/mountinfo", "1 - \n - cgroup2\n1 2 3 - cgroup2 cgroup2 rw\n");
    CHECK(cgroup_memory_room(root) == CGROUP_UNLIMITED);
}

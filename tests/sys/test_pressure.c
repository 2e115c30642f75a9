/* tests/sys/test_pressure.c - room and stalls, read again and again from a made-up tree */
#include "sys/pressure.h"

#include <sys/stat.h>

#include "harness.h"

#define MIB       ((uint64_t)1 << 20)
#define SECOND_NS ((uint64_t)1000000000)

static char root[128];

static void new_tree(const char *name)
{
    snprintf(root, sizeof(root), "%s/%s", harness_temporary_folder(), name);
    CHECK(mkdir(root, 0755) == 0);
}

/* Writes root/path, making the folders on the way; a file that is open stays the same file. */
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

static void put_bytes(const char *path, uint64_t n_bytes)
{
    char text[32];

    snprintf(text, sizeof text, "%llu\n", (unsigned long long)n_bytes);
    put(path, text);
}

static bool reads(Pressure *pressure, uint64_t room, uint64_t limit)
{
    PressureReading reading = pressure_read(pressure, SECOND_NS);

    return reading.room_bytes == room && reading.limit_bytes == limit;
}

#define MEMINFO_8_OF_16_MIB "MemTotal: 16384 kB\nMemFree: 1 kB\nMemAvailable: 8192 kB\n"

TEST(room_of_a_group_of_version_2_follows_its_files)
{
    Pressure pressure;
    new_tree("v2");
    put("proc/self/cgroup", "0::/a/b\n");
    put("proc/self/mountinfo", "14 1 0:12 / /cg rw - cgroup2 cgroup2 rw\n");
    put("proc/meminfo", MEMINFO_8_OF_16_MIB);
    put("cg/a/b/memory.max", "max\n");
    put("cg/a/b/memory.high", "max\n");
    put("cg/a/b/memory.low", "1000\n"); // protection is no limit
    put("cg/a/b/memory.current", "2097152\n");
    put("cg/a/memory.max", "max\n");
    put("cg/a/memory.current", "4194304\n");
    pressure_open(&pressure, root);
    CHECK(reads(&pressure, 8 * MIB, 16 * MIB));

    put_bytes("cg/a/memory.max", 10 * MIB); // set while we run, at an ancestor
    CHECK(reads(&pressure, 6 * MIB, 10 * MIB));
    put_bytes("cg/a/memory.current", 9 * MIB);
    CHECK(reads(&pressure, 1 * MIB, 10 * MIB));
    put("cg/a/b/memory.high", "2097152\n"); // reached: nothing is left
    CHECK(reads(&pressure, 0, 2 * MIB));
    put("cg/a/b/memory.high", "max\n");
    put("cg/a/memory.max", "max\n");
    CHECK(reads(&pressure, 8 * MIB, 16 * MIB));
    pressure_close(&pressure);
    pressure_close(&pressure); // twice is harmless
}

TEST(file_cache_of_a_group_is_room)
{
    Pressure pressure;
    new_tree("cache");
    put("proc/self/cgroup", "0::/a\n");
    put("proc/self/mountinfo", "14 1 0:12 / /cg rw - cgroup2 cgroup2 rw\n");
    put_bytes("cg/a/memory.max", 10 * MIB);
    put_bytes("cg/a/memory.current", 9 * MIB);
    put("cg/a/memory.stat", "anon 1\n");
    pressure_open(&pressure, root);
    CHECK(reads(&pressure, 1 * MIB, 10 * MIB));
    put("cg/a/memory.stat", "anon 1\ninactive_file 2097152\nactive_file 1048576\n");
    CHECK(reads(&pressure, 4 * MIB, 10 * MIB));
    pressure_close(&pressure);
}

TEST(version_1_has_limits_with_and_without_swap)
{
    Pressure pressure;
    new_tree("v1");
    put("proc/self/cgroup", "4:memory:/a\n0::/z\n");
    put("proc/self/mountinfo", "13 1 0:11 / /cg/memory rw - cgroup cgroup rw,memory\n");
    put("cg/memory/memory.limit_in_bytes", "9223372036854771712\n"); // none
    put("cg/memory/memory.usage_in_bytes", "1\n");
    put_bytes("cg/memory/a/memory.limit_in_bytes", 64 * MIB);
    put_bytes("cg/memory/a/memory.usage_in_bytes", 50 * MIB);
    put("cg/memory/a/memory.stat", "inactive_file 9\ntotal_inactive_file 2097152\n");
    pressure_open(&pressure, root);
    CHECK(reads(&pressure, 16 * MIB, 64 * MIB));
    pressure_close(&pressure);

    put_bytes("cg/memory/a/memory.memsw.limit_in_bytes", 70 * MIB);
    put_bytes("cg/memory/a/memory.memsw.usage_in_bytes", 68 * MIB);
    pressure_open(&pressure, root);
    CHECK(reads(&pressure, 4 * MIB, 70 * MIB));
    pressure_close(&pressure);
}

TEST(stalls_are_seen_from_the_second_look_on)
{
    Pressure pressure;
    new_tree("stalls");
    put("proc/self/cgroup", "0::/a\n");
    put("proc/self/mountinfo", "14 1 0:12 / /cg rw - cgroup2 cgroup2 rw\n");
    put("proc/pressure/memory", "some avg10=9.00 avg60=0.00 avg300=0.00 total=5000000\nfull a\n");
    put("cg/a/memory.max", "max\n");
    put("cg/a/memory.events", "low 0\nhigh 3\nmax 0\noom 0\noom_kill 0\n");
    pressure_open(&pressure, root);
    CHECK(!pressure_read(&pressure, 1 * SECOND_NS).is_stalling);
    CHECK(!pressure_read(&pressure, 2 * SECOND_NS).is_stalling);

    // 90 ms of a second are less than a tenth, 110 ms are more.
    put("proc/pressure/memory", "some avg10=9.00 avg60=0.00 avg300=0.00 total=5090000\nfull a\n");
    CHECK(!pressure_read(&pressure, 3 * SECOND_NS).is_stalling);
    put("proc/pressure/memory", "some avg10=9.00 avg60=0.00 avg300=0.00 total=5200000\nfull a\n");
    CHECK(pressure_read(&pressure, 4 * SECOND_NS).is_stalling);
    CHECK(!pressure_read(&pressure, 5 * SECOND_NS).is_stalling);

    put("cg/a/memory.events", "low 0\nhigh 4\nmax 0\noom 0\noom_kill 0\n");
    CHECK(pressure_read(&pressure, 6 * SECOND_NS).is_stalling);
    put("cg/a/memory.events", "low 7\nhigh 4\nmax 0\noom 0\noom_kill 0\n"); // not a limit
    CHECK(!pressure_read(&pressure, 7 * SECOND_NS).is_stalling);
    put("cg/a/memory.pressure", "some avg10=0 total=400000\n"); // came later: not open
    CHECK(!pressure_read(&pressure, 8 * SECOND_NS).is_stalling);
    pressure_close(&pressure);
}

TEST(without_files_the_room_is_unknown)
{
    Pressure pressure;
    new_tree("empty");
    pressure_open(&pressure, root);
    PressureReading reading = pressure_read(&pressure, SECOND_NS);
    CHECK(reading.room_bytes == UINT64_MAX && !reading.is_stalling);
    pressure_close(&pressure);

    put("proc/meminfo", "MemTotal: 16384 kB\n"); // no MemAvailable
    pressure_open(&pressure, root);
    CHECK(pressure_read(&pressure, SECOND_NS).room_bytes == UINT64_MAX);
    pressure_close(&pressure);
}

TEST(this_machine_has_room)
{
    Pressure pressure;
    pressure_open(&pressure, "");
    PressureReading reading = pressure_read(&pressure, SECOND_NS);
    if (reading.room_bytes == UINT64_MAX) TEST_SKIP("this machine has no /proc/meminfo");
    CHECK(reading.room_bytes > 0 && reading.room_bytes <= reading.limit_bytes);
    pressure_close(&pressure);
}

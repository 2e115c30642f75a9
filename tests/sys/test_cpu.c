/* tests/sys/test_cpu.c - what the processor is asked (sys/cpu.h) */
#include "sys/cpu.h"

#include <fenv.h>
#include <float.h>
#include <sys/stat.h>

#include "sys/child.h"
#include "sys/internal.h"
#include "sys/kernel_text.h"

TEST(cpu_features_agree_with_the_kernel)
{
#if defined(__x86_64__)
    static const struct {
        uint32_t feature;
        const char *flag;
    } cases[] = {
        {CPU_AVX2, " avx2 "},
        {CPU_AVX512, " avx512bw "},
        {CPU_VNNI512, " avx512_vnni "},
        {CPU_AMX, " amx_int8 "},
    };
    static char text[1 << 16];

    if (!kernel_text_read("/proc/cpuinfo", text, sizeof(text)))
        TEST_SKIP("there is no /proc/cpuinfo");
    char *flags = strstr(text, "flags");
    CHECK(flags != NULL);
    if (!flags) return;
    flags[strcspn(flags, "\n")] = ' ';
    flags[strcspn(flags, "\n")] = '\0';
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool listed = strstr(flags, cases[i].flag) != NULL;
        CHECK_CASE(cases[i].flag, !!(cpu_features() & cases[i].feature) == listed);
    }
#else
    CHECK(cpu_features() & CPU_NEON);
#endif
}

TEST(cpu_counts_at_least_one_core_and_no_more_than_threads)
{
    CHECK(cpu_usable_cores() >= 1);
    CHECK(cpu_usable_cores() <= cpu_usable_threads());
    CHECK(cpu_usable_threads() <= (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
}

static char root[128];

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

/* A machine whose processors share a core in pairs, whatever this one is. */
TEST(cpu_counts_siblings_once)
{
    uint32_t n_configured = (uint32_t)sysconf(_SC_NPROCESSORS_CONF);
    cpu_set_t set;
    uint32_t n_pairs = 0;

    snprintf(root, sizeof(root), "%s/siblings", harness_temporary_folder());
    CHECK(mkdir(root, 0755) == 0);
    CHECK(cpu_usable_cores_below(root) == cpu_usable_threads_below(root)); // nothing is known
    for (uint32_t cpu = 0; cpu < n_configured; cpu++) {
        char path[128], core[16];
        snprintf(core, sizeof(core), "%u\n", cpu / 2);
        snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/core_id", cpu);
        put(path, core);
        snprintf(
            path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/physical_package_id", cpu);
        put(path, "0\n");
    }
    CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu += 2)
        n_pairs += CPU_ISSET(cpu, &set) || CPU_ISSET(cpu + 1, &set);
    CHECK(cpu_usable_cores_below(root) == n_pairs);
    put("sys/devices/system/cpu/cpu0/topology/core_id", "-1\n"); // not numbered: its own
    CHECK(cpu_usable_cores_below(root) >= n_pairs);
}

TEST(cpu_respects_the_quota)
{
    snprintf(root, sizeof(root), "%s/quota", harness_temporary_folder());
    CHECK(mkdir(root, 0755) == 0);
    put("proc/self/cgroup", "0::/\n");
    put("proc/self/mountinfo", "14 1 0:12 / /cg rw - cgroup2 cgroup2 rw\n");
    put("cg/cpu.max", "90000 100000\n");
    CHECK(cpu_usable_threads_below(root) == 1);
    CHECK(cpu_usable_cores_below(root) == 1);
    put("cg/cpu.max", "100000000 100000\n"); // more than there are
    CHECK(cpu_usable_threads_below(root) == cpu_usable_threads());
}

static void count_on_one_processor(const void *argument)
{
    (void)argument;
    use_one_processor();
    CHECK(cpu_usable_cores() == 1);
    CHECK(cpu_usable_threads() == 1);
}

TEST(cpu_respects_the_affinity_of_the_process)
{
    CHECK(child_status(count_on_one_processor, NULL) == 0);
}

TEST(cpu_float_environment_keeps_denormals_and_rounds_to_even)
{
    volatile float small = FLT_MIN, one = 1, tiny = FLT_EPSILON / 2;

    CHECK(fesetround(FE_UPWARD) == 0);
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040); // flush to zero, both ways
    CHECK(small / 2 == 0);
#endif
    cpu_set_float_environment();
    CHECK(small / 2 > 0);
    CHECK(one + tiny == 1);
    CHECK(one + FLT_EPSILON + tiny == one + 2 * FLT_EPSILON);
    fesetround(FE_TONEAREST);
}

TEST(cpu_has_a_name)
{
    const char *name = cpu_model_name();

    CHECK(strlen(name) > 0);
    CHECK(name[0] != ' ');
    CHECK(name == cpu_model_name());
}

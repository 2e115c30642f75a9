/* Asks the processor and the kernel, never a compiler flag. A feature counts only when the
 * operating system saves its registers (XCR0), else its first use would be SIGILL. */
#include "sys/cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/cgroup.h"
#include "sys/internal.h"
#include "sys/kernel_text.h"

#if defined(__x86_64__)

#    include <cpuid.h>
#    include <immintrin.h>
#    include <sys/syscall.h>

typedef struct Registers {
    uint32_t eax, ebx, ecx, edx;
} Registers;

static Registers cpuid(uint32_t leaf)
{
    Registers r = {0};

    if (!__get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx)) return (Registers){0};
    return r;
}

/* The register sets that the operating system saves; 0 where it can't be asked. */
static uint64_t saved_state(void)
{
    uint32_t low, high;

    if (!(cpuid(1).ecx & (1u << 27))) return 0; // OSXSAVE
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Intel SDM volume 1, section 13.1: bits of XCR0. */
#    define STATE_AVX    0x6u     // SSE, AVX
#    define STATE_AVX512 0xe6u    // and opmask, ZMM
#    define STATE_AMX    0x60000u // tile configuration, tile data

static bool has_all(uint64_t value, uint64_t bits)
{
    return (value & bits) == bits;
}

/* Tile data enlarges the signal frame, so Linux (5.16) wants a process to ask for it. */
static bool amx_granted(void)
{
    const long req_xcomp_perm = 0x1023, tile_data = 18;

    return syscall(SYS_arch_prctl, req_xcomp_perm, tile_data) == 0;
}

uint32_t cpu_features(void)
{
    const uint32_t fma_f16c_avx = 1u << 12 | 1u << 29 | 1u << 28;      // leaf 1 ecx
    const uint32_t avx2_bmi = 1u << 5 | 1u << 3 | 1u << 8;             // leaf 7 ebx
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; // F DQ BW VL
    const uint32_t amx = 1u << 24 | 1u << 25;                          // leaf 7 edx: TILE INT8
    Registers leaf7 = cpuid(7);
    uint64_t state = saved_state();
    uint32_t features = 0;

    if (!has_all(state, STATE_AVX) || !has_all(cpuid(1).ecx, fma_f16c_avx)) return 0;
    if (!has_all(leaf7.ebx, avx2_bmi)) return 0;
    features |= CPU_AVX2;
    if (!has_all(state, STATE_AVX512) || !has_all(leaf7.ebx, avx512)) return features;
    features |= CPU_AVX512;
    if (leaf7.ecx & (1u << 11)) features |= CPU_VNNI512;
    if (has_all(state, STATE_AMX) && has_all(leaf7.edx, amx) && amx_granted()) features |= CPU_AMX;
    return features;
}

void cpu_set_float_environment(void)
{
    _mm_setcsr(0x1f80); // all exceptions masked, nearest even, no flush to zero
}

static char model_name[49];

static void read_model_name(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        Registers r = cpuid(0x80000002u + i);
        memcpy(model_name + (size_t)i * sizeof(r), &r, sizeof(r));
    }
    size_t n_blanks = strspn(model_name, " ");
    memmove(model_name, model_name + n_blanks, sizeof(model_name) - n_blanks);
    for (size_t n = strlen(model_name); n > 0 && model_name[n - 1] == ' '; n--)
        model_name[n - 1] = '\0';
}

const char *cpu_model_name(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; // written once, constant afterwards

    pthread_once(&once, read_model_name);
    return *model_name ? model_name : "unknown";
}

#elif defined(__aarch64__)

#    include <asm/hwcap.h>
#    include <sys/auxv.h>

uint32_t cpu_features(void)
{
    unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
    uint32_t features = 0;

    if (!(first & HWCAP_ASIMD)) return 0;
    features |= CPU_NEON;
    if (first & HWCAP_ASIMDDP) features |= CPU_DOTPROD;
    if (second & HWCAP2_I8MM) features |= CPU_I8MM;
    return features;
}

void cpu_set_float_environment(void)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0)); // nearest even, no flush to zero
}

const char *cpu_model_name(void)
{
    return "unknown";
}

#else
#    error "hypura knows x86-64 and AArch64"
#endif

/* A number per physical core, the same for its siblings; per processor where unknown. */
static uint64_t core_of(const char *root, uint32_t cpu)
{
    static const char *const names[] = {"physical_package_id", "die_id", "core_id"};
    uint64_t core = 0;

    for (size_t i = 0; i < COUNT(names); i++) {
        char path[512];
        uint64_t value = 0;
        snprintf(
            path, sizeof(path), "%s/sys/devices/system/cpu/cpu%u/topology/%s", root, cpu, names[i]);
        // Older kernels have no dies. A core that isn't numbered ("-1") is one of its own.
        if (!kernel_text_number(path, &value) && i != 1) return UINT64_MAX - cpu;
        core = core << 20 | (value & 0xfffff);
    }
    return core;
}

/* Processors that this process may run on; false: can't be asked. */
static bool allowed_cpus(cpu_set_t *set)
{
    CPU_ZERO(set);
    return sched_getaffinity(0, sizeof(*set), set) == 0 && CPU_COUNT(set) > 0;
}

static uint32_t cap_by_quota(const char *root, uint32_t n)
{
    uint64_t quota = cgroup_cpus(root);

    if (quota < n) n = (uint32_t)quota; // smaller than n, so it fits
    return n > 0 ? n : 1;
}

uint32_t cpu_usable_threads_below(const char *root)
{
    cpu_set_t set;

    if (allowed_cpus(&set)) return cap_by_quota(root, (uint32_t)CPU_COUNT(&set));
    long n_online = sysconf(_SC_NPROCESSORS_ONLN);
    return cap_by_quota(root, n_online > 0 ? (uint32_t)n_online : 1);
}

uint32_t cpu_usable_cores_below(const char *root)
{
    cpu_set_t set;
    uint64_t cores[CPU_SETSIZE];
    uint32_t n_cores = 0;

    if (!allowed_cpus(&set)) return cpu_usable_threads_below(root);
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set)) continue;
        uint64_t core = core_of(root, cpu);
        uint32_t i = 0;
        while (i < n_cores && cores[i] != core) i++;
        if (i == n_cores) cores[n_cores++] = core;
    }
    return cap_by_quota(root, n_cores);
}

uint32_t cpu_usable_threads(void)
{
    return cpu_usable_threads_below("");
}

uint32_t cpu_usable_cores(void)
{
    return cpu_usable_cores_below("");
}

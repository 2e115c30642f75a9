/* A core alone rarely fills a memory: how near it comes depends on the width of its loads and on
 * how many streams its prefetchers see. So each width is tried with one stream and with four far
 * apart, and the fastest is the ceiling. The sums keep the loads alive. */
#include "engine/measure_memory.h"

#include "base/clock.h"
#include "sys/cpu.h"
#include "sys/pages.h"
#include "sys/pool.h"

#define PASSES      3
#define STREAMS     4
#define AHEAD       16 // vectors that are fetched before they are read
#define THREADS_MAX 256

typedef uint64_t Vector __attribute__((vector_size(64)));

typedef void ReadLoop(const Vector *data, size_t n, Vector *sum);

/* One stream, four vectors a step: independent sums hide the latency of adding. */
static inline __attribute__((always_inline)) void read_near(
    const Vector *data, size_t n, Vector *sum)
{
    Vector a = {0}, b = {0}, c = {0}, d = {0};

    for (size_t i = 0; i + 4 <= n; i += 4) {
        a += data[i];
        b += data[i + 1];
        c += data[i + 2];
        d += data[i + 3];
    }
    *sum = a + b + c + d;
}

static inline __attribute__((always_inline)) void read_far(
    const Vector *data, size_t n, Vector *sum)
{
    Vector a = {0}, b = {0}, c = {0}, d = {0};
    size_t part = n / STREAMS;

    for (size_t i = 0; i < part; i++) {
        for (size_t k = 0; k < STREAMS; k++) __builtin_prefetch(data + k * part + i + AHEAD);
        a += data[i];
        b += data[part + i];
        c += data[2 * part + i];
        d += data[3 * part + i];
    }
    *sum = a + b + c + d;
}

static void read_near_plain(const Vector *data, size_t n, Vector *sum)
{
    read_near(data, n, sum);
}

static void read_far_plain(const Vector *data, size_t n, Vector *sum)
{
    read_far(data, n, sum);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void read_near_avx2(
    const Vector *data, size_t n, Vector *sum)
{
    read_near(data, n, sum);
}

__attribute__((target("avx2"))) static void read_far_avx2(const Vector *data, size_t n, Vector *sum)
{
    read_far(data, n, sum);
}

__attribute__((target("avx512f"))) static void read_near_avx512(
    const Vector *data, size_t n, Vector *sum)
{
    read_near(data, n, sum);
}

__attribute__((target("avx512f"))) static void read_far_avx512(
    const Vector *data, size_t n, Vector *sum)
{
    read_far(data, n, sum);
}
#endif

static const struct {
    ReadLoop *read;
    uint32_t cpu_features;
} loops[] = {
    {read_near_plain, 0},
    {read_far_plain, 0},
#ifdef __x86_64__
    {read_near_avx2, CPU_AVX2},
    {read_far_avx2, CPU_AVX2},
    {read_near_avx512, CPU_AVX512},
    {read_far_avx512, CPU_AVX512},
#endif
};

typedef struct MemoryRun {
    ReadLoop *read;
    const Vector *data;
    size_t n_each;              // vectors a worker
    uint64_t sums[THREADS_MAX]; // read by nobody, but the compiler does not know
} MemoryRun;

static void read_part(void *context, uint32_t worker)
{
    MemoryRun *run = context;
    Vector sum;

    run->read(run->data + worker * run->n_each, run->n_each, &sum);
    run->sums[worker] = sum[0];
}

/* Bytes per second of one pass. */
static double pass_rate(MemoryRun *run, Pool *pool)
{
    uint64_t start_ns = clock_now_ns();

    pool_run(pool, read_part, run);
    uint64_t elapsed_ns = clock_now_ns() - start_ns;
    uint64_t n_bytes = run->n_each * sizeof(Vector) * pool_n_workers(pool);
    return elapsed_ns > 0 ? (double)n_bytes * 1e9 / (double)elapsed_ns : 0;
}

static bool loop_runs_here(size_t loop)
{
    return (cpu_features() & loops[loop].cpu_features) == loops[loop].cpu_features;
}

/* 1, 2, 3, 4, 6, 8, 12, … n_max; at most FACTS_MEMORY_MAX of them. */
static uint32_t thread_steps(uint32_t n_max, uint32_t out[FACTS_MEMORY_MAX])
{
    uint32_t n = 0;

    for (uint32_t step = 1; step < n_max && n < FACTS_MEMORY_MAX - 1; n++) {
        out[n] = step;
        // Powers of two and the middle between them.
        bool is_power = (step & (step - 1)) == 0;
        step += step == 1 ? 1 : is_power ? step / 2 : step / 3;
    }
    out[n++] = n_max;
    return n;
}

typedef struct MemoryProgress {
    const MeasureOptions *options;
    uint64_t end_ns;
    uint32_t n_done, n_total;
} MemoryProgress;

/* The best pass of all loops; false: ended before each had one. */
static bool best_rate(MemoryRun *run, Pool *pool, MemoryProgress *progress, double *best)
{
    *best = 0;
    for (uint32_t pass = 0; pass < PASSES; pass++)
        for (size_t i = 0; i < COUNT(loops); i++) {
            if (!loop_runs_here(i)) continue;
            run->read = loops[i].read;
            double rate = pass_rate(run, pool);
            if (rate > *best) *best = rate;
            bool is_late = clock_now_ns() > progress->end_ns;
            if (!measure_goes_on(progress->options, ++progress->n_done, progress->n_total))
                return false;
            if (is_late && pass > 0) return true; // on slow machines one pass must do
        }
    return true;
}

static bool measure_threads(MemoryRun *run, uint64_t n_bytes, uint32_t n_threads,
    MemoryProgress *progress, double *best, Error *err)
{
    Pool *pool = pool_create(n_threads, err);

    if (!pool) return false;
    run->n_each = n_bytes / sizeof(Vector) / n_threads;
    if (!best_rate(run, pool, progress, best)) *best = 0;
    pool_free(pool);
    return true;
}

bool measure_memory(uint32_t n_threads_max, uint64_t n_bytes, const MeasureOptions *options,
    Facts *facts, Error *err)
{
    MemoryRun run = {0};
    Pages pages = {0};
    MemoryProgress progress = {.options = options};
    uint32_t steps[FACTS_MEMORY_MAX], n_loops = 0;
    bool ok = true;

    facts->n_memory = 0;
    if (n_threads_max > THREADS_MAX) n_threads_max = THREADS_MAX;
    uint32_t n_steps = thread_steps(n_threads_max, steps);
    for (size_t i = 0; i < COUNT(loops); i++) n_loops += loop_runs_here(i);
    progress.n_total = n_steps * PASSES * n_loops;
    if (!pages_map(&pages, MEM_OTHER, n_bytes, PAGES_NOW, err)) return false;
    run.data = (const Vector *)(const void *)pages.data; // page aligned
    for (uint32_t i = 0; ok && i < n_steps; i++) {
        double best;
        progress.end_ns = clock_now_ns() + options->budget_ns / n_steps;
        ok = measure_threads(&run, n_bytes, steps[i], &progress, &best, err);
        if (!ok || best <= 0) break;
        facts->memory[facts->n_memory++] = (MemoryFact){.n_threads = steps[i], .bytes_per_s = best};
    }
    pages_unmap(&pages, MEM_OTHER);
    if (!ok) facts->n_memory = 0;
    return ok;
}

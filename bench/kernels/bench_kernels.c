/* bench_kernels - the matrix products against what the machine can do.
 *
 *   bench_kernels [--threads N] [--isa NAME] [--type NAME] [--rounds N]
 *
 * Each product is timed in turns with its ceiling in the same seconds: one activation row
 * against several read loops over the same bytes (out of L2, L3 and memory), many rows
 * against the multiply-add peak of the instruction set. The output is one table; rates are
 * medians over the rounds, `spread` is (third quartile - first) / median. The ceiling is the
 * best loop's median. Threads share nothing but the activations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "kernels/peaks.h"
#include "sys/cpu.h"
#include "sys/pages.h"
#include "sys/pool.h"

#define ROUNDS_MAX  101
#define CHUNK_ROWS  64 // weight rows a call, as the engine shares them out
#define LOOPS_MAX   READ_LOOPS
#define PASS_NS     3000000 // at least, for one timing
#define PEAK_ROUNDS 200000

typedef struct Options {
    uint32_t n_threads, n_rounds;
    const char *isa, *type; // NULL: all
} Options;

/* One thing to time: a product, or one of the loops that bound it. */
typedef struct Work {
    const Kernels *kernels; // NULL: a ceiling
    uint32_t loop;
    bool is_read;
    bool is_float;
    bool is_vnni;
    QuantType type;
    const Acts *acts;
    const uint8_t *w;
    size_t row_bytes;
    uint32_t rows_per_worker, n_passes;
    float *y; // [worker][n_rows][rows_per_worker]
} Work;

static volatile uint64_t sink;

static void run_peak(const Work *work)
{
    for (uint32_t pass = 0; pass < work->n_passes; pass++) {
        if (work->is_float)
            sink = work->is_vnni ? peak_fma_avx512(PEAK_ROUNDS) : peak_fma_avx2(PEAK_ROUNDS);
        else if (work->is_vnni)
            sink = peak_dpbusd(PEAK_ROUNDS);
        else
            sink = work->loop == 0 ? peak_maddubs(PEAK_ROUNDS) : peak_maddubs_chained(PEAK_ROUNDS);
    }
}

static void run_part(void *context, uint32_t worker)
{
    const Work *work = context;
    const uint8_t *w = work->w + (size_t)worker * work->rows_per_worker * work->row_bytes;
    float *y = work->y + (size_t)worker * work->rows_per_worker * work->acts->n_rows;

    if (!work->kernels && !work->is_read) {
        run_peak(work);
        return;
    }
    for (uint32_t pass = 0; pass < work->n_passes; pass++) {
        if (work->is_read) {
            size_t n_bytes = work->rows_per_worker * work->row_bytes / READ_UNIT * READ_UNIT;
            sink = peak_read(work->loop, w, n_bytes);
            continue;
        }
        for (uint32_t r = 0; r < work->rows_per_worker; r += CHUNK_ROWS) {
            uint32_t n =
                work->rows_per_worker - r < CHUNK_ROWS ? work->rows_per_worker - r : CHUNK_ROWS;
            work->kernels->matmul[work->type](y + r, work->rows_per_worker, w + r * work->row_bytes,
                work->row_bytes, n, work->acts);
        }
    }
}

/* Nanoseconds of one pass. */
static double time_pass(Pool *pool, Work *work)
{
    for (;;) {
        uint64_t start_ns = clock_now_ns();
        pool_run(pool, run_part, work);
        uint64_t ns = clock_now_ns() - start_ns;
        if (ns >= PASS_NS || work->n_passes >= 1u << 20) return (double)ns / work->n_passes;
        work->n_passes *= ns < PASS_NS / 8 ? 8 : 2;
    }
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

typedef struct Rate {
    double median, best, spread;
} Rate;

/* Of `amount` per time. Sorts the times. */
static Rate rate_of(double *ns, uint32_t n, double amount)
{
    qsort(ns, n, sizeof *ns, compare_doubles);
    double median = amount / ns[n / 2];
    return (Rate){
        median, amount / ns[0], (amount / ns[n / 4] - amount / ns[n - 1 - n / 4]) / median};
}

static const char *place_name(size_t n_bytes)
{
    return n_bytes <= 512u << 10 ? "L2" : n_bytes <= 16u << 20 ? "L3" : "memory";
}

/* Times a product and its ceilings in turns, and prints their line. */
static void measure(Pool *pool, const Options *options, Work *product, const char *place)
{
    static double ns[1 + LOOPS_MAX][ROUNDS_MAX];
    uint32_t n_threads = pool_n_workers(pool), n_loops = product->is_read ? READ_LOOPS : 1;
    double rows = (double)product->rows_per_worker * n_threads;
    double macs = rows * product->acts->n_cols * product->acts->n_rows;
    double bytes = rows * (double)product->row_bytes;
    bool by_bytes = product->is_read;
    Work works[1 + LOOPS_MAX];

    if (!by_bytes && !product->is_vnni && !product->is_float) n_loops = 2;
    for (uint32_t i = 0; i <= n_loops; i++) {
        works[i] = *product;
        works[i].n_passes = 1;
        if (i == 0) {
            works[i].is_read = false;
        } else {
            works[i].kernels = NULL;
            works[i].loop = i - 1;
        }
        time_pass(pool, &works[i]);
    }
    for (uint32_t round = 0; round < options->n_rounds; round++)
        for (uint32_t i = 0; i <= n_loops; i++) ns[i][round] = time_pass(pool, &works[i]);

    Rate rate = rate_of(ns[0], options->n_rounds, by_bytes ? bytes : macs), ceiling = {0};
    for (uint32_t i = 1; i <= n_loops; i++) {
        double amount = bytes;
        if (!by_bytes)
            amount = (double)PEAK_ROUNDS * n_threads
                     * (product->is_float   ? (product->is_vnni ? 128 : 64)
                         : product->is_vnni ? 512
                         : i == 1           ? 256
                                            : 1024);
        Rate loop = rate_of(ns[i], options->n_rounds, amount);
        if (loop.median > ceiling.median) ceiling = loop;
    }
    printf("%-7s %-7s %6u %5u %-7s %8.1f %8.1f %5.0f%% %9.1f %5.0f%% %9.1f\n",
        quant_get(product->type)->name, product->kernels->isa, product->acts->n_cols,
        product->acts->n_rows, place, rate.median, rate.best, 100 * rate.spread, ceiling.median,
        100 * rate.median / ceiling.median, by_bytes ? rate.median * macs / bytes : rate.median);
    fflush(stdout);
}

/* Moderate numbers in all types: bytes below 0x38 make f16 and f32 below 1. */
static void fill_weights(uint8_t *w, size_t n_bytes)
{
    Rng rng = rng_seeded(1);

    rng_fill(&rng, w, n_bytes);
    for (size_t i = 0; i < n_bytes; i++) w[i] &= 0x37;
}

typedef struct Bench {
    Options options;
    Pool *pool;
    Pages weights, acts, y;
} Bench;

/* One product: n_bytes of weights in all threads together. */
static void bench_product(Bench *bench, const Kernels *kernels, QuantType type, uint32_t n_cols,
    uint32_t n_rows, size_t n_bytes)
{
    uint32_t n_threads = pool_n_workers(bench->pool);
    bool is_avx512 = strcmp(kernels->isa, "avx512") == 0;
    Acts acts = {.kind = kernels_act_kind(type),
        .n_rows = n_rows,
        .n_cols = n_cols,
        .data = bench->acts.data};
    Work work = {.kernels = kernels,
        .is_read = n_rows == 1,
        .is_float = kernels_act_kind(type) == ACT_F32,
        .is_vnni = is_avx512,
        .type = type,
        .acts = &acts,
        .w = bench->weights.data,
        .row_bytes = (size_t)quant_row_bytes(type, n_cols),
        .y = (float *)(void *)bench->y.data};
    static float x[512 * 4096];

    for (size_t i = 0; i < COUNT(x); i++) x[i] = (float)(i % 251) - 125.0f;
    for (uint32_t unit = 0; unit < acts_n_units(&acts); unit++)
        kernels->acts_fill(&acts, x, n_cols, NULL, unit);
    work.rows_per_worker = (uint32_t)(n_bytes / work.row_bytes / n_threads / 4 * 4);
    if (work.rows_per_worker < CHUNK_ROWS) work.rows_per_worker = CHUNK_ROWS;
    measure(
        bench->pool, &bench->options, &work, n_rows == 1 ? place_name(n_bytes / n_threads) : "-");
}

static void bench_all(Bench *bench)
{
    static const QuantType types[] = {QUANT_Q4_K, QUANT_Q6_K, QUANT_Q8_0, QUANT_F16, QUANT_F32,
        QUANT_BF16, QUANT_Q5_K, QUANT_Q2_K, QUANT_Q3_K, QUANT_IQ4_XS, QUANT_Q4_0, QUANT_Q4_1,
        QUANT_Q5_0, QUANT_Q5_1, QUANT_IQ4_NL, QUANT_MXFP4};
    static const size_t sizes[] = {256u << 10, 8u << 20, 384u << 20};
    static const uint32_t columns[] = {512, 4096}, row_counts[] = {2, 16, 512};
    uint32_t n_threads = pool_n_workers(bench->pool);

    printf("%s, %u thread%s, %u rounds. One row: GB/s against the best read loop; more: GMAC/s.\n",
        cpu_model_name(), n_threads, n_threads > 1 ? "s" : "", bench->options.n_rounds);
    printf("%-7s %-7s %6s %5s %-7s %8s %8s %6s %9s %6s %9s\n", "type", "isa", "cols", "rows",
        "place", "median", "best", "spread", "ceiling", "ratio", "GMAC/s");
    for (size_t k = 0; k < COUNT(types); k++)
        for (uint32_t i = 1; i < kernels_n_tables(); i++) {
            const Kernels *kernels = kernels_table(i);
            if ((kernels->cpu_features & ~cpu_features()) != 0) continue;
            if (bench->options.isa && strcmp(bench->options.isa, kernels->isa) != 0) continue;
            if (bench->options.type && strcmp(bench->options.type, quant_get(types[k])->name) != 0)
                continue;
            for (size_t c = 0; c < COUNT(columns); c++)
                for (size_t s = 0; s < COUNT(sizes); s++)
                    bench_product(bench, kernels, types[k], columns[c], 1,
                        s == 0 ? sizes[s] * n_threads : sizes[s]);
            for (size_t r = 0; r < COUNT(row_counts); r++)
                bench_product(bench, kernels, types[k], 4096, row_counts[r], 64u << 10);
        }
}

static bool read_options(int n_arguments, char **arguments, Options *options)
{
    *options = (Options){.n_threads = 1, .n_rounds = 21};
    for (int i = 1; i + 1 < n_arguments; i += 2) {
        const char *name = arguments[i], *value = arguments[i + 1];
        uint32_t number = (uint32_t)strtoul(value, NULL, 10);
        if (strcmp(name, "--threads") == 0)
            options->n_threads = number;
        else if (strcmp(name, "--rounds") == 0)
            options->n_rounds = number;
        else if (strcmp(name, "--isa") == 0)
            options->isa = value;
        else if (strcmp(name, "--type") == 0)
            options->type = value;
        else
            return false;
    }
    return n_arguments % 2 == 1 && options->n_threads >= 1 && options->n_threads <= POOL_WORKERS_MAX
           && options->n_rounds >= 4 && options->n_rounds <= ROUNDS_MAX;
}

int main(int n_arguments, char **arguments)
{
    Bench bench = {0};
    Error err = {0};
    int status = 1;

    if (!read_options(n_arguments, arguments, &bench.options)) {
        fprintf(stderr,
            "usage: bench_kernels [--threads N] [--isa NAME] [--type NAME] [--rounds 4..%d]\n",
            ROUNDS_MAX);
        return 2;
    }
    if (!(cpu_features() & CPU_AVX2)) {
        fprintf(stderr, "bench_kernels: this machine has no AVX2\n");
        return 77;
    }
    bench.pool = pool_create(bench.options.n_threads, &err);
    if (!bench.pool) goto out;
    if (!pages_map(&bench.weights, MEM_OTHER, (400u << 20), PAGES_NOW, &err)) goto out;
    if (!pages_map(&bench.acts, MEM_OTHER, 32u << 20, PAGES_NOW, &err)) goto out;
    if (!pages_map(&bench.y, MEM_OTHER, 16u << 20, PAGES_NOW, &err)) goto out;
    fill_weights(bench.weights.data, bench.weights.n_bytes);
    bench_all(&bench);
    status = 0;

out:
    if (err.id) fprintf(stderr, "bench_kernels: %s\n", err.message);
    pages_unmap(&bench.weights, MEM_OTHER);
    pages_unmap(&bench.acts, MEM_OTHER);
    pages_unmap(&bench.y, MEM_OTHER);
    pool_free(bench.pool);
    return status;
}

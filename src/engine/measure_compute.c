/* The products go through model/multiply, so that the split among workers is the real one. The
 * weights are one byte over and over: scales are normal numbers in every type, and no kernel
 * branches on values. */
#include "engine/measure_compute.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "model/multiply.h"
#include "sys/pages.h"

#define ROUNDS        2
#define N_COLS        4096
#define JOB_ROWS      256 // weight rows of a job, at most
#define WORKER_ROWS   32  // of these, a worker's part where many rows take long anyway
#define JOBS_MAX      8
#define ROWS_MAX      512
#define WEIGHT_BYTE   0x11
#define WEIGHTS_EXTRA 64 // kernels may read past the end
#define BYTES_MIN     ((uint64_t)16 << 20)

static const uint32_t row_counts[] = {1, 4, 8, 64, ROWS_MAX};

typedef struct ComputeRun {
    Compute compute;
    Pages weights, acts, x, y;
    uint64_t weight_bytes; // without the extra
    uint64_t at_bytes;     // where the next job begins
} ComputeRun;

/* Weight rows of a job. */
static uint32_t rows_for(uint32_t n_rows, uint32_t n_workers)
{
    uint32_t n = n_rows > 64 ? WORKER_ROWS * n_workers : JOB_ROWS;
    return n < JOB_ROWS ? n : JOB_ROWS;
}

/* Jobs of one call: with many rows a single one takes long enough. */
static uint32_t jobs_for(uint32_t n_rows)
{
    return n_rows > 8 ? 1 : JOBS_MAX;
}

/* One call; returns the bytes of weights it went through. */
static uint64_t multiply_once(ComputeRun *run, QuantType type, const Acts *acts)
{
    uint32_t n_jobs = jobs_for(acts->n_rows);
    uint32_t n_out = rows_for(acts->n_rows, run->compute.n_workers);
    uint64_t row_bytes = quant_row_bytes(type, N_COLS), job_bytes = n_out * row_bytes;
    MatmulJob jobs[JOBS_MAX];

    for (uint32_t j = 0; j < n_jobs; j++) {
        if (run->at_bytes + job_bytes > run->weight_bytes) run->at_bytes = 0;
        float *y = (float *)(void *)run->y.data + (size_t)j * JOB_ROWS * acts->n_rows;
        jobs[j] = (MatmulJob){.type = type,
            .w = run->weights.data + run->at_bytes,
            .row_bytes = row_bytes,
            .n_out = n_out,
            .y = y,
            .y_stride = JOB_ROWS,
            .acts = acts};
        run->at_bytes += job_bytes;
    }
    compute_matmul(&run->compute, jobs, n_jobs);
    return n_jobs * job_bytes;
}

/* Bytes of weights per second. */
static double window_rate(ComputeRun *run, QuantType type, uint32_t n_rows, uint64_t window_ns)
{
    Input input = {.x = (const float *)(const void *)run->x.data,
        .x_stride = N_COLS,
        .n_rows = n_rows,
        .n_cols = N_COLS,
        .room = run->acts.data,
        .room_bytes = run->acts.n_bytes};
    const Acts *acts = input_acts(&run->compute, &input, compute_act_kind(&run->compute, type));
    uint64_t start_ns = clock_now_ns();
    uint64_t n_bytes = multiply_once(run, type, acts); // wakes the workers
    uint64_t elapsed_ns = clock_now_ns() - start_ns;

    if (elapsed_ns < window_ns || elapsed_ns == 0) { // else it is a window of its own
        n_bytes = 0;
        start_ns = clock_now_ns();
        do {
            n_bytes += multiply_once(run, type, acts);
            elapsed_ns = clock_now_ns() - start_ns;
        } while (elapsed_ns < window_ns || elapsed_ns == 0);
    }
    return (double)n_bytes * 1e9 / (double)elapsed_ns;
}

/* Activations within -1 and 1, all different. */
static void fill_x(float *x)
{
    for (uint32_t i = 0; i < ROWS_MAX * N_COLS; i++)
        x[i] = (float)(int32_t)(i * 2654435761u) * 0x1p-31f;
}

static bool run_open(ComputeRun *run, uint64_t n_bytes, Error *err)
{
    uint64_t acts_room = 0;

    for (int kind = 0; kind < ACT_KINDS; kind++)
        for (size_t i = 0; i < COUNT(row_counts); i++) {
            uint64_t n = acts_bytes((ActKind)kind, row_counts[i], N_COLS);
            if (n > acts_room) acts_room = n;
        }
    uint64_t y_bytes = 0;
    for (size_t i = 0; i < COUNT(row_counts); i++) {
        uint64_t n = sizeof(float) * JOB_ROWS * row_counts[i] * jobs_for(row_counts[i]);
        if (n > y_bytes) y_bytes = n;
    }
    run->weight_bytes = n_bytes;
    if (!pages_map(&run->weights, MEM_OTHER, n_bytes + WEIGHTS_EXTRA, PAGES_ON_DEMAND, err)
        || !pages_map(&run->acts, MEM_OTHER, acts_room + ACTS_ALIGNMENT, PAGES_NOW, err)
        || !pages_map(&run->x, MEM_OTHER, sizeof(float) * ROWS_MAX * N_COLS, PAGES_NOW, err)
        || !pages_map(&run->y, MEM_OTHER, y_bytes, PAGES_NOW, err))
        return false;
    memset(run->weights.data, WEIGHT_BYTE, n_bytes + WEIGHTS_EXTRA);
    fill_x((float *)(void *)run->x.data);
    return true;
}

static void run_close(ComputeRun *run)
{
    pages_unmap(&run->weights, MEM_OTHER);
    pages_unmap(&run->acts, MEM_OTHER);
    pages_unmap(&run->x, MEM_OTHER);
    pages_unmap(&run->y, MEM_OTHER);
}

/* The facts to be, without their figures: few rows first, so that an early end, or a slow processor
 * whose windows take longer than their share, leaves something of each type. */
static void list_facts(const Kernels *kernels, uint32_t n_threads_max, Facts *facts)
{
    for (size_t i = 0; i < COUNT(row_counts); i++)
        for (uint32_t type = 0; type < QUANT_TYPES_END; type++) {
            if (!kernels->matmul[type] || !quant_find(type)) continue;
            for (uint32_t n_threads = 1;; n_threads = n_threads_max) {
                assert(facts->n_compute < FACTS_COMPUTE_MAX);
                facts->compute[facts->n_compute++] = (ComputeFact){
                    .type = (QuantType)type, .n_threads = n_threads, .n_rows = row_counts[i]};
                if (n_threads == n_threads_max) break;
            }
        }
}

/* Drops those that had no window, and makes means of sums. */
static void settle_facts(Facts *facts, const uint32_t *n_windows)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < facts->n_compute; i++) {
        ComputeFact fact = facts->compute[i];
        if (n_windows[i] == 0) continue;
        fact.bytes_per_s /= n_windows[i];
        double weights_per_byte = (double)N_COLS / (double)quant_row_bytes(fact.type, N_COLS);
        fact.ops_per_s = fact.bytes_per_s * weights_per_byte * fact.n_rows;
        facts->compute[n++] = fact;
    }
    facts->n_compute = n;
}

/* All facts of one number of threads. False: ended early, or the time is up. */
static bool run_round(ComputeRun *run, uint64_t window_ns, uint64_t end_ns, Facts *facts,
    uint32_t *n_windows, const MeasureOptions *options, uint32_t *n_done)
{
    for (uint32_t i = 0; i < facts->n_compute; i++) {
        ComputeFact *fact = &facts->compute[i];
        if (fact->n_threads != run->compute.n_workers) continue;
        fact->bytes_per_s += window_rate(run, fact->type, fact->n_rows, window_ns);
        n_windows[i]++;
        if (!measure_goes_on(options, ++*n_done, facts->n_compute * ROUNDS)) return false;
        if (end_ns > 0 && clock_now_ns() > end_ns) return false;
    }
    return true;
}

bool measure_compute(const Kernels *kernels, uint32_t n_threads_max, uint64_t n_bytes,
    const MeasureOptions *options, Facts *facts, Error *err)
{
    ComputeRun run = {.compute = {.kernels = kernels}};
    uint32_t n_windows[FACTS_COMPUTE_MAX] = {0}, n_done = 0;
    bool ok = run_open(&run, n_bytes > BYTES_MIN ? n_bytes : BYTES_MIN, err);
    bool goes_on = ok;

    facts->n_compute = 0;
    snprintf(facts->isa, sizeof(facts->isa), "%s", kernels->isa);
    list_facts(kernels, n_threads_max, facts);
    uint64_t window_ns = options->budget_ns / (facts->n_compute * ROUNDS);
    uint64_t end_ns = options->budget_ns > 0 ? clock_now_ns() + options->budget_ns / 4 * 5 : 0;
    for (uint32_t turn = 0; goes_on && turn < 2 * ROUNDS; turn++) {
        uint32_t n_threads = turn % 2 == 0 ? 1 : n_threads_max;
        if (turn % 2 == 1 && n_threads_max == 1) continue;
        run.compute.n_workers = n_threads;
        run.compute.pool = pool_create(n_threads, err);
        ok = goes_on = run.compute.pool;
        if (ok) goes_on = run_round(&run, window_ns, end_ns, facts, n_windows, options, &n_done);
        pool_free(run.compute.pool);
    }
    run_close(&run);
    if (!ok) facts->n_compute = 0;
    settle_facts(facts, n_windows);
    return ok;
}

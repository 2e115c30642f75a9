/* The grid covers what a store can choose: reads from a quarter of a small expert to four blocks,
 * from one in flight to more than any drive asks for. The other backend and sequential reads are
 * there for comparison and have a few points. */
#include "engine/measure_drive.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define ROUNDS  3
#define STEP    11 // between two shapes of a round: neighbours in the grid do not follow each other
#define KIB(n)  ((uint32_t)(n) << 10)
#define RING    READ_URING
#define THREADS READ_THREADS

// clang-format off
static const struct GridRow {
    uint32_t read_bytes;
    ReadBackend backend;
    bool is_sequential;
    uint32_t depths[7]; // ends with 0
} grid[] = {
    {KIB(64),   RING,    false, {1, 4, 8, 16, 32, 64}},
    {KIB(256),  RING,    false, {1, 4, 8, 16, 32, 64}},
    {KIB(1024), RING,    false, {1, 4, 8, 16, 32, 64}},
    {KIB(4096), RING,    false, {1, 4, 8, 16}},
    {KIB(1024), RING,    true,  {1, 8}},
    {KIB(4096), RING,    true,  {1, 8}},
    {KIB(64),   THREADS, false, {16}},
    {KIB(256),  THREADS, false, {16}},
    {KIB(1024), THREADS, false, {1, 4, 16}},
    {KIB(4096), THREADS, false, {4}},
};
// clang-format on

typedef struct Grid {
    DriveShape shapes[FACTS_DRIVE_MAX];
    double rates[FACTS_DRIVE_MAX][ROUNDS];
    uint32_t n_rates[FACTS_DRIVE_MAX];
    uint32_t n_shapes;
} Grid;

static void make_shapes(Grid *out, bool has_ring)
{
    for (size_t i = 0; i < COUNT(grid); i++) {
        if (!has_ring && grid[i].backend == THREADS) continue; // they take the ring's rows
        for (const uint32_t *depth = grid[i].depths; *depth > 0; depth++)
            out->shapes[out->n_shapes++] = (DriveShape){.read_bytes = grid[i].read_bytes,
                .depth = *depth,
                .backend = has_ring ? grid[i].backend : THREADS,
                .is_sequential = grid[i].is_sequential};
    }
}

/* What a reader of these files is: a ring, and direct. */
static bool probe(const DriveField *field, bool *has_ring, bool *is_direct, Error *err)
{
    ReaderOptions options = {.backend = field->sim ? READ_SIM : READ_AUTO,
        .direct = DIRECT_ON,
        .depth = 1,
        .files = field->files,
        .n_files = field->n_files,
        .sim = field->sim};
    Reader *reader = reader_create(&options, err);

    if (!reader) return false;
    *has_ring = strcmp(reader_backend_name(reader), "threads") != 0;
    *is_direct = field->sim || reader_is_direct(reader);
    reader_free(reader);
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double measure_median(double *values, uint32_t n)
{
    if (n == 0) return 0;
    qsort(values, n, sizeof(double), compare_doubles);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Rounds over all shapes; each round begins at another one. */
static bool run_grid(DriveField *field, const MeasureOptions *options, Grid *out, Error *err)
{
    uint32_t n_total = out->n_shapes * ROUNDS, n_done = 0;
    uint64_t end_ns = clock_now_ns() + options->budget_ns;

    assert(out->n_shapes % STEP != 0); // STEP is a prime number
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < out->n_shapes; i++) {
            uint32_t s = (i * STEP + round * out->n_shapes / ROUNDS) % out->n_shapes;
            double rate;
            if (!measure_drive_window(
                    field, &out->shapes[s], options->budget_ns / n_total, &rate, err))
                return false;
            if (rate > 0) out->rates[s][out->n_rates[s]++] = rate;
            if (!measure_goes_on(options, ++n_done, n_total)) return true;
            // A drive so slow that windows are late has its first round in any case, and a
            // simulated one a time of its own.
            if (round > 0 && !field->sim && clock_now_ns() > end_ns) return true;
        }
    return true;
}

bool measure_drive(
    DriveField *field, const MeasureOptions *options, Facts *facts, bool *is_direct, Error *err)
{
    Grid grid_run = {0};
    bool has_ring;

    facts->n_drive = 0;
    if (!probe(field, &has_ring, is_direct, err)) return false;
    if (!*is_direct) return true;
    make_shapes(&grid_run, has_ring);
    if (!run_grid(field, options, &grid_run, err)) return false;
    for (uint32_t s = 0; s < grid_run.n_shapes; s++) {
        double *rates = grid_run.rates[s];
        uint32_t n = grid_run.n_rates[s];
        if (n == 0) continue;
        DriveFact fact = {.read_bytes = grid_run.shapes[s].read_bytes,
            .depth = grid_run.shapes[s].depth,
            .backend = grid_run.shapes[s].backend,
            .is_sequential = grid_run.shapes[s].is_sequential,
            .bytes_per_s = measure_median(rates, n)};
        fact.bytes_per_s_low = rates[0]; // sorted by now
        fact.bytes_per_s_high = rates[n - 1];
        facts->drive[facts->n_drive++] = fact;
    }
    return true;
}

/* How a matrix meets its input. Work is cut into units of whole rows by a rule that depends on
 * the shape alone; who computes a unit never matters to its bits. */
#include "model/multiply.h"

#include <assert.h>

#include "base/size.h"

/* Weight bytes of a unit for one row of activations: large enough to hide the hand-out, small
 * enough to balance. */
#define UNIT_BYTES    (16u << 10)
#define UNIT_ROWS_MIN 16

ActKind compute_act_kind(const Compute *compute, QuantType type)
{
    return compute->decodes_weights ? ACT_F32 : kernels_act_kind(type);
}

typedef struct MatmulRun {
    const Compute *compute;
    const MatmulJob *jobs;
    uint32_t n_jobs;
    uint32_t first_unit[WAVE_BLOCKS_MAX * EXPERT_PROJECTIONS + 1];
    uint32_t unit_rows[WAVE_BLOCKS_MAX * EXPERT_PROJECTIONS];
} MatmulRun;

static uint32_t rows_of_unit(const MatmulJob *job)
{
    uint64_t n_rows = UNIT_BYTES / job->row_bytes;

    n_rows -= n_rows % UNIT_ROWS_MIN;
    return n_rows < UNIT_ROWS_MIN ? UNIT_ROWS_MIN : (uint32_t)n_rows;
}

static void run_unit(void *context, uint32_t worker, uint32_t unit)
{
    const MatmulRun *run = context;
    uint32_t j = 0;

    (void)worker;
    while (unit >= run->first_unit[j + 1]) j++;
    const MatmulJob *job = &run->jobs[j];
    uint32_t first = (unit - run->first_unit[j]) * run->unit_rows[j];
    uint32_t n = job->n_out - first < run->unit_rows[j] ? job->n_out - first : run->unit_rows[j];
    const uint8_t *w = job->w + first * job->row_bytes;

    if (run->compute->decodes_weights)
        kernels_matmul_decoded(
            job->type, job->y + first, job->y_stride, w, job->row_bytes, n, job->acts);
    else
        run->compute->kernels->matmul[job->type](
            job->y + first, job->y_stride, w, job->row_bytes, n, job->acts);
}

void compute_matmul(const Compute *compute, const MatmulJob *jobs, uint32_t n_jobs)
{
    MatmulRun run = {.compute = compute, .jobs = jobs, .n_jobs = n_jobs};

    assert(n_jobs < COUNT(run.first_unit));
    for (uint32_t j = 0; j < n_jobs; j++) {
        run.unit_rows[j] = rows_of_unit(&jobs[j]);
        run.first_unit[j + 1] =
            run.first_unit[j] + (jobs[j].n_out + run.unit_rows[j] - 1) / run.unit_rows[j];
    }
    if (n_jobs > 0) pool_for(compute->pool, run.first_unit[n_jobs], run_unit, &run);
}

void compute_rows(const Compute *compute, uint32_t n_rows, PoolUnitTask *task, void *context)
{
    if (n_rows == 1)
        task(context, 0, 0);
    else if (n_rows > 1)
        pool_for(compute->pool, n_rows, task, context);
}

typedef struct FillRun {
    const Compute *compute;
    const ActsFill *fills;
    uint32_t n_fills;
} FillRun;

static void fill_unit(void *context, uint32_t worker, uint32_t unit)
{
    const FillRun *run = context;
    uint32_t f = 0;

    (void)worker;
    while (unit >= acts_n_units(run->fills[f].acts)) unit -= acts_n_units(run->fills[f++].acts);
    assert(f < run->n_fills);
    const ActsFill *fill = &run->fills[f];
    run->compute->kernels->acts_fill(fill->acts, fill->x, fill->x_stride, fill->index, unit);
}

void compute_fill(const Compute *compute, const ActsFill *fills, uint32_t n_fills)
{
    FillRun run = {.compute = compute, .fills = fills, .n_fills = n_fills};
    uint32_t n_units = 0;

    for (uint32_t f = 0; f < n_fills; f++) n_units += acts_n_units(fills[f].acts);
    if (n_units > 4)
        pool_for(compute->pool, n_units, fill_unit, &run);
    else // a few rows take less time than waking a worker
        for (uint32_t unit = 0; unit < n_units; unit++) fill_unit(&run, 0, unit);
}

const Acts *input_acts(const Compute *compute, Input *input, ActKind kind)
{
    Acts *acts = &input->by_kind[kind];

    if (acts->data) return acts;
    uint64_t n_bytes =
        size_align_up(acts_bytes(kind, input->n_rows, input->n_cols), ACTS_ALIGNMENT);
    assert(n_bytes <= input->room_bytes - input->used_bytes);
    *acts = (Acts){.kind = kind, .n_rows = input->n_rows, .n_cols = input->n_cols};
    acts->data = input->room + input->used_bytes;
    input->used_bytes += n_bytes;
    ActsFill fill = {.acts = acts, .x = input->x, .x_stride = input->x_stride};
    compute_fill(compute, &fill, 1);
    return acts;
}

/* The job of one block of a matrix. */
static MatmulJob block_job(const Matrix *matrix, uint32_t block, const uint8_t *w, const Acts *acts,
    float *y, size_t y_stride)
{
    uint32_t first_row = (block - matrix->first_block) * matrix->rows_per_block;
    uint32_t n_rows = matrix->n_out - first_row;

    if (n_rows > matrix->rows_per_block) n_rows = matrix->rows_per_block;
    return (MatmulJob){.type = matrix->type,
        .w = w,
        .row_bytes = matrix->row_bytes,
        .n_out = n_rows,
        .y = y + first_row,
        .y_stride = y_stride,
        .acts = acts};
}

static void add_bias(const Compute *compute, const Store *store, const Matrix *matrix, float *y,
    size_t y_stride, uint32_t n_rows)
{
    if (matrix->bias == TRUNK_NONE) return;
    const float *bias = (const float *)(const void *)store_trunk(store, matrix->bias);
    for (uint32_t t = 0; t < n_rows; t++)
        compute->kernels->add(y + t * y_stride, bias, matrix->n_out);
}

bool multiply_dense(const Compute *compute, Store *store, const Matrix *const *matrices,
    uint32_t n_matrices, Input *input, float *const *y, const size_t *y_stride, Error *err)
{
    uint32_t block = matrices[0]->first_block;
    uint32_t end = matrices[n_matrices - 1]->first_block + matrices[n_matrices - 1]->n_blocks;
    uint32_t m = 0;
    DenseWave wave;
    MatmulJob jobs[WAVE_BLOCKS_MAX];

    for (uint32_t i = 0; i < n_matrices; i++)
        input_acts(compute, input, compute_act_kind(compute, matrices[i]->type));
    while (block < end) {
        if (!store_dense_next(store, block, end - block, &wave, err)) return false;
        for (uint32_t i = 0; i < wave.n_blocks; i++, block++) {
            while (block >= matrices[m]->first_block + matrices[m]->n_blocks) m++;
            const Acts *acts =
                input_acts(compute, input, compute_act_kind(compute, matrices[m]->type));
            jobs[i] = block_job(matrices[m], block, wave.data[i], acts, y[m], y_stride[m]);
        }
        compute_matmul(compute, jobs, wave.n_blocks);
        store_dense_done(store, &wave);
    }
    for (uint32_t i = 0; i < n_matrices; i++)
        add_bias(compute, store, matrices[i], y[i], y_stride[i], input->n_rows);
    return true;
}

void multiply_trunk(const Compute *compute, const Store *store, const Matrix *matrix, Input *input,
    float *y, size_t y_stride)
{
    MatmulJob job = {.type = matrix->type,
        .w = store_trunk(store, matrix->trunk),
        .row_bytes = matrix->row_bytes,
        .n_out = matrix->n_out,
        .y = y,
        .y_stride = y_stride,
        .acts = input_acts(compute, input, compute_act_kind(compute, matrix->type))};

    compute_matmul(compute, &job, 1);
    add_bias(compute, store, matrix, y, y_stride, input->n_rows);
}

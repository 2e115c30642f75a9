/* A token's way through the model, top to bottom. What differs between families is read from
 * the table (arch.c). */
#include "model/forward.h"

#include <string.h>

#include "model/attention.h"
#include "model/experts.h"
#include "quant/decode.h"

static void note_kind(const Compute *compute, const GgufTensor *tensor, bool kinds[ACT_KINDS])
{
    if (tensor) kinds[compute_act_kind(compute, tensor->type)] = true;
}

ScratchSizes forward_scratch_sizes(const Shape *shape, const Weights *weights,
    const Compute *compute, uint32_t n_rows, uint32_t n_logits)
{
    ScratchSizes sizes = {.n_rows = n_rows, .n_logits = n_logits, .n_workers = compute->n_workers};

    sizes.embedding_row_bytes = quant_row_bytes(weights->embedding->type, shape->n_embd);
    note_kind(compute, weights->head.tensor, sizes.kinds);
    for (uint32_t layer = 0; layer < weights->n_layer; layer++) {
        const LayerWeights *w = &weights->layers[layer];
        const Matrix *matrices[] = {
            &w->q, &w->k, &w->v, &w->o, &w->gate, &w->up, &w->down, &w->router};
        for (size_t i = 0; i < COUNT(matrices); i++)
            note_kind(compute, matrices[i]->tensor, sizes.kinds);
        for (size_t p = 0; p < EXPERT_PROJECTIONS; p++)
            note_kind(compute, w->experts[p].tensor, sizes.expert_kinds);
    }
    return sizes;
}

bool forward_init(Forward *forward, const Shape *shape, const Weights *weights, Store *store,
    const Compute *compute, const ScratchSizes *sizes, Error *err)
{
    *forward = (Forward){.shape = shape, .weights = weights, .store = store, .compute = *compute};
    const float *factors =
        weights->rope_factors == TRUNK_NONE
            ? NULL
            : (const float *)(const void *)store_trunk(store, weights->rope_factors);

    if (!positions_init(&forward->positions, shape, factors, err)) goto fail;
    if (!scratch_init(&forward->scratch, shape, sizes, err)) goto fail;
    return true;

fail:
    forward_destroy(forward);
    return false;
}

void forward_destroy(Forward *forward)
{
    positions_destroy(&forward->positions);
    scratch_destroy(&forward->scratch);
    *forward = (Forward){0};
}

typedef struct PassRun {
    Forward *forward;
    const Row *rows;
    uint32_t norm; // trunk index of the norm's weight
} PassRun;

static void embed_row(void *context, uint32_t worker, uint32_t row)
{
    const PassRun *run = context;
    const Forward *forward = run->forward;
    const Scratch *s = &forward->scratch;
    QuantType type = forward->weights->embedding->type;
    uint64_t row_bytes = quant_row_bytes(type, forward->shape->n_embd);

    (void)worker;
    quant_decode(type, s->embedding_rows + row * row_bytes,
        s->x + (size_t)row * forward->shape->n_embd, forward->shape->n_embd);
    positions_angles(&forward->positions, run->rows[row].position,
        s->cos + (size_t)row * forward->positions.n_half,
        s->sin + (size_t)row * forward->positions.n_half);
}

/* Tokens to rows of x, and the rope angles of their positions. */
static bool embed(PassRun *run, uint32_t n_rows, Error *err)
{
    Forward *forward = run->forward;
    uint32_t *tokens = (uint32_t *)(void *)forward->scratch.normed; // free until the first norm

    for (uint32_t i = 0; i < n_rows; i++) tokens[i] = (uint32_t)run->rows[i].token;
    if (!store_rows_read(forward->store, tokens, n_rows, forward->scratch.embedding_rows, err))
        return false;
    compute_rows(&forward->compute, n_rows, embed_row, run);
    return true;
}

static void norm_row(void *context, uint32_t worker, uint32_t row)
{
    const PassRun *run = context;
    const Forward *forward = run->forward;
    size_t at = (size_t)row * forward->shape->n_embd;

    (void)worker;
    forward->compute.kernels->rms_norm(forward->scratch.normed + at, forward->scratch.x + at,
        (const float *)(const void *)store_trunk(forward->store, run->norm), forward->shape->n_embd,
        forward->shape->rms_eps);
}

/* scratch.normed = norm(scratch.x) */
static void norm(PassRun *run, uint32_t weight, uint32_t n_rows)
{
    run->norm = weight;
    compute_rows(&run->forward->compute, n_rows, norm_row, run);
}

static void add_row(void *context, uint32_t worker, uint32_t row)
{
    const PassRun *run = context;
    const Forward *forward = run->forward;
    size_t at = (size_t)row * forward->shape->n_embd;

    (void)worker;
    forward->compute.kernels->add(
        forward->scratch.x + at, forward->scratch.delta + at, forward->shape->n_embd);
}

/* scratch.x += scratch.delta */
static void add_delta(PassRun *run, uint32_t n_rows)
{
    compute_rows(&run->forward->compute, n_rows, add_row, run);
}

static void activate_row(void *context, uint32_t worker, uint32_t row)
{
    const PassRun *run = context;
    const Forward *forward = run->forward;
    const Shape *shape = forward->shape;
    size_t at = (size_t)row * shape->n_ff;

    (void)worker;
    forward->compute.kernels->activate_mul(shape->arch->activation, forward->scratch.gate + at,
        forward->scratch.gate + at, forward->scratch.up + at, shape->n_ff);
}

/* delta = down(act(gate(x)) * up(x)): Shazeer 2020, arXiv:2002.05202. */
static bool feed_forward(PassRun *run, uint32_t layer, uint32_t n_rows, Error *err)
{
    Forward *forward = run->forward;
    const Shape *shape = forward->shape;
    const LayerWeights *w = &forward->weights->layers[layer];
    Scratch *s = &forward->scratch;

    Input input = {.x = s->normed,
        .x_stride = shape->n_embd,
        .n_rows = n_rows,
        .n_cols = shape->n_embd,
        .room = s->acts[0],
        .room_bytes = s->acts_bytes[0]};
    const Matrix *wide[] = {&w->gate, &w->up};
    float *outputs[] = {s->gate, s->up};
    size_t strides[] = {shape->n_ff, shape->n_ff};
    if (!multiply_dense(&forward->compute, forward->store, wide, 2, &input, outputs, strides, err))
        return false;

    compute_rows(&forward->compute, n_rows, activate_row, run);

    Input hidden = {.x = s->gate,
        .x_stride = shape->n_ff,
        .n_rows = n_rows,
        .n_cols = shape->n_ff,
        .room = s->acts[0],
        .room_bytes = s->acts_bytes[0]};
    const Matrix *narrow[] = {&w->down};
    float *delta[] = {s->delta};
    size_t stride[] = {shape->n_embd};
    return multiply_dense(
        &forward->compute, forward->store, narrow, 1, &hidden, delta, stride, err);
}

/* x - x is NaN for Inf and NaN alone. */
static bool all_finite(const float *x, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] - x[i];
    return sum == 0;
}

static bool run_layer(PassRun *run, uint32_t layer, uint32_t n_rows, Error *err)
{
    Forward *forward = run->forward;
    const LayerWeights *w = &forward->weights->layers[layer];

    norm(run, w->attn_norm, n_rows);
    if (!attention_run(forward, layer, run->rows, n_rows, err)) return false;
    add_delta(run, n_rows);

    norm(run, w->ffn_norm, n_rows);
    bool ok = forward->shape->n_expert > 0 ? experts_run(forward, layer, n_rows, err)
                                           : feed_forward(run, layer, n_rows, err);
    if (!ok) return false;
    add_delta(run, n_rows);

    if (!all_finite(forward->scratch.x, (size_t)n_rows * forward->shape->n_embd))
        return error_set(err, ERROR_NUMERIC, "the result is not a finite number");
    return true;
}

/* The rows that want logits, moved to the front of scratch.x; their number is returned. */
static uint32_t keep_wanted(const PassRun *run, uint32_t n_rows)
{
    Scratch *s = &run->forward->scratch;
    size_t n_embd = run->forward->shape->n_embd;
    uint32_t n = 0;

    for (uint32_t row = 0; row < n_rows; row++) {
        if (!run->rows[row].wants_logits) continue;
        if (n != row) memcpy(s->x + n * n_embd, s->x + row * n_embd, n_embd * sizeof(float));
        n++;
    }
    return n;
}

/* logits = head(norm(x)) */
static bool head(PassRun *run, uint32_t n_wanted, const Observer *observer, Error *err)
{
    Forward *forward = run->forward;
    const Shape *shape = forward->shape;
    Scratch *s = &forward->scratch;

    norm(run, forward->weights->output_norm, n_wanted);
    if (observer && observer->result_norm)
        observer->result_norm(observer->context, s->normed, n_wanted);
    Input input = {.x = s->normed,
        .x_stride = shape->n_embd,
        .n_rows = n_wanted,
        .n_cols = shape->n_embd,
        .room = s->acts[0],
        .room_bytes = s->acts_bytes[0]};
    const Matrix *matrix[] = {&forward->weights->head};
    float *logits[] = {s->logits};
    size_t stride[] = {shape->n_vocab};
    if (!multiply_dense(&forward->compute, forward->store, matrix, 1, &input, logits, stride, err))
        return false;
    if (!all_finite(s->logits, (size_t)n_wanted * shape->n_vocab))
        return error_set(err, ERROR_NUMERIC, "the head: logits are not finite numbers");
    return true;
}

bool forward_pass(
    Forward *forward, const Row *rows, uint32_t n_rows, const Observer *observer, Error *err)
{
    PassRun run = {.forward = forward, .rows = rows};
    uint32_t n_wanted = 0;

    for (uint32_t i = 0; i < n_rows; i++) n_wanted += rows[i].wants_logits;
    if (!store_pass_begin(forward->store, n_wanted > 0, err)) return false;
    if (!embed(&run, n_rows, err)) goto fail;
    for (uint32_t layer = 0; layer < forward->shape->n_layer; layer++) {
        if (!run_layer(&run, layer, n_rows, err)) {
            error_at(err, "layer %u", layer);
            goto fail;
        }
        if (!observer || !observer->layer) continue;
        if (observer->layer(observer->context, layer, forward->scratch.x, n_rows)) continue;
        error_set(err, ERROR_INTERRUPTED, "stopped");
        goto fail;
    }
    if (n_wanted > 0 && !head(&run, keep_wanted(&run, n_rows), observer, err)) goto fail;
    if (!store_pass_end(forward->store, err)) goto fail;
    return true;

fail:
    store_explain(forward->store, err);
    store_pass_abort(forward->store);
    return false;
}

/* Attention (Vaswani et al. 2017) with grouped queries (Ainslie et al. 2023, arXiv:2305.13245).
 * All rows write their keys and values first, then each row sees the positions up to its own;
 * chunks of 256 keys are merged in order, so a prompt in one pass and token by token give the
 * same bits (canonical arithmetic, section 9). */
#include "model/attention.h"

typedef struct AttentionRun {
    Forward *forward;
    const LayerWeights *weights;
    uint32_t layer;
    const Row *rows;
} AttentionRun;

static const float *trunk_floats(const Forward *forward, uint32_t index)
{
    return (const float *)(const void *)store_trunk(forward->store, index);
}

static void norm_and_rotate(
    const AttentionRun *run, uint32_t row, float *heads, uint32_t n_heads, uint32_t norm)
{
    const Forward *forward = run->forward;
    const Shape *shape = forward->shape;
    const Kernels *kernels = forward->compute.kernels;
    const float *cos = forward->scratch.cos + (size_t)row * forward->positions.n_half;
    const float *sin = forward->scratch.sin + (size_t)row * forward->positions.n_half;

    for (uint32_t head = 0; head < n_heads; head++) {
        float *x = heads + (size_t)head * shape->d_k;
        if (norm != TRUNK_NONE)
            kernels->rms_norm(x, x, trunk_floats(forward, norm), shape->d_k, shape->rms_eps);
        kernels->rope(shape->arch->rope_style, x, cos, sin, shape->n_rot);
    }
}

/* q and k of one row get their norms and rotation; k and v go into the page. */
static void prepare_row(void *context, uint32_t worker, uint32_t row)
{
    const AttentionRun *run = context;
    const Shape *shape = run->forward->shape;
    Scratch *s = &run->forward->scratch;
    const Row *r = &run->rows[row];
    float *q = s->q + (size_t)row * shape->n_head * shape->d_k;
    float *k = s->k + (size_t)row * shape->n_head_kv * shape->d_k;
    const float *v = s->v + (size_t)row * shape->n_head_kv * shape->d_v;

    (void)worker;
    norm_and_rotate(run, row, q, shape->n_head, run->weights->q_norm);
    norm_and_rotate(run, row, k, shape->n_head_kv, run->weights->k_norm);
    uint8_t *page = state_page(r->state, run->layer, r->position / KV_PAGE_KEYS);
    run->forward->compute.kernels->kv_put(
        &r->state->pool->shape, page, r->position % KV_PAGE_KEYS, k, v);
}

static uint32_t first_visible(const Shape *shape, const Row *row)
{
    uint32_t first = row->state->first_position;
    if (shape->window > 0 && row->position >= shape->window
        && row->position - shape->window + 1 > first)
        first = row->position - shape->window + 1;
    return first;
}

/* One row's query heads that share one kv head. */
static void attend_unit(void *context, uint32_t worker, uint32_t unit)
{
    const AttentionRun *run = context;
    const Shape *shape = run->forward->shape;
    const Kernels *kernels = run->forward->compute.kernels;
    Scratch *s = &run->forward->scratch;
    uint32_t row = unit / shape->n_head_kv, kv_head = unit % shape->n_head_kv;
    uint32_t n_query = shape->n_head / shape->n_head_kv;
    size_t first_head = (size_t)row * shape->n_head + (size_t)kv_head * n_query;
    const Row *r = &run->rows[row];
    const KvShape *kv = &r->state->pool->shape;
    float *M = s->worker + worker * s->worker_floats, *L = M + n_query, *O = L + n_query;
    float *m = O + (size_t)n_query * shape->d_v, *l = m + n_query, *o = l + n_query;
    AttentionChunk chunk = {
        .type = kv->type, .d_k = shape->d_k, .d_v = shape->d_v, .scale = shape->attention_scale};
    uint32_t low = first_visible(shape, r), c_first = low / KV_PAGE_KEYS,
             c_last = r->position / KV_PAGE_KEYS;

    for (uint32_t c = c_first; c <= c_last; c++) {
        const uint8_t *page = state_page(r->state, run->layer, c);
        uint32_t first = c == c_first ? low % KV_PAGE_KEYS : 0;
        uint32_t end = c == c_last ? r->position % KV_PAGE_KEYS + 1 : KV_PAGE_KEYS;
        bool is_first = c == c_first;

        chunk.k = kv_k_head(kv, page, kv_head);
        chunk.v = kv_v_head(kv, page, kv_head);
        kernels->attention_chunk(&chunk, s->q + first_head * shape->d_k, shape->d_k, n_query, first,
            end, is_first ? M : m, is_first ? L : l, is_first ? O : o);
        for (uint32_t i = 0; i < n_query && !is_first; i++)
            kernels->attention_merge(&M[i], &L[i], O + (size_t)i * shape->d_v, m[i], l[i],
                o + (size_t)i * shape->d_v, shape->d_v);
    }
    for (uint32_t i = 0; i < n_query; i++)
        kernels->attention_finish(s->attended + (first_head + i) * shape->d_v, M[i], L[i],
            O + (size_t)i * shape->d_v, NULL, shape->d_v);
}

bool attention_run(Forward *forward, uint32_t layer, const Row *rows, uint32_t n_rows, Error *err)
{
    const Shape *shape = forward->shape;
    const LayerWeights *w = &forward->weights->layers[layer];
    const Compute *compute = &forward->compute;
    Scratch *s = &forward->scratch;
    AttentionRun run = {.forward = forward, .weights = w, .layer = layer, .rows = rows};

    Input input = {.x = s->normed,
        .x_stride = shape->n_embd,
        .n_rows = n_rows,
        .n_cols = shape->n_embd,
        .room = s->acts[0],
        .room_bytes = s->acts_bytes[0]};
    const Matrix *projections[] = {&w->q, &w->k, &w->v};
    float *outputs[] = {s->q, s->k, s->v};
    size_t strides[] = {w->q.n_out, w->k.n_out, w->v.n_out};
    if (!multiply_dense(compute, forward->store, projections, 3, &input, outputs, strides, err))
        return false;

    compute_rows(compute, n_rows, prepare_row, &run);
    pool_for(compute->pool, n_rows * shape->n_head_kv, attend_unit, &run);

    Input attended = {.x = s->attended,
        .x_stride = w->o.n_in,
        .n_rows = n_rows,
        .n_cols = w->o.n_in,
        .room = s->acts[0],
        .room_bytes = s->acts_bytes[0]};
    const Matrix *output[] = {&w->o};
    float *delta[] = {s->delta};
    size_t stride[] = {shape->n_embd};
    return multiply_dense(compute, forward->store, output, 1, &attended, delta, stride, err);
}

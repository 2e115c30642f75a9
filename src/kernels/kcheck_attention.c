/* The checks of attention: writing pages, partial results of a chunk, merge, finish. */
#include "base/size.h"
#include "kernels/internal.h"
#include "kernels/ref/ref.h"
#include "quant/f16.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// clang-format off
static const struct { uint32_t d_k, d_v; } head_sizes[] = {
    {128, 128}, {64, 64}, {80, 80}, {1, 1}, {8, 8}, {24, 40}, {96, 128}, {192, 128}, {65, 33},
    {256, 256}, {16, 15},
};
static const struct { uint32_t first, end; } ranges[] = {
    {0, 256}, {0, 1}, {255, 256}, {0, 17}, {101, 256}, {15, 16}, {16, 33}, {3, 250}, {0, 129},
    {30, 34}, {0, 16},
};
// clang-format on
static const uint32_t query_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 16};

#define CASES 220

/* A page whose every slot holds finite values, visible or not, in byte buffer 0. */
static uint8_t *draw_page(Check *check, const KvShape *shape, CheckData data)
{
    size_t n_bytes = (size_t)kv_page_bytes(shape);
    uint8_t *page = check_bytes(check, 0, n_bytes, 64);
    size_t n = n_bytes / kv_element_bytes(shape->type);
    const float *x = check_input(check, 0, 4096, data);

    for (size_t i = 0; i < n; i++) {
        float value = x[rng_below(&check->rng, 4096)];
        if (shape->type == KV_F32) {
            memcpy(page + i * 4, &value, 4);
        } else {
            uint16_t half = f32_to_f16(value);
            if ((half & 0x7c00u) == 0x7c00u) half &= 0x83ffu; // an infinite one: a denormal
            memcpy(page + i * 2, &half, 2);
        }
    }
    return page;
}

/* Makes one element of a visible key NaN. */
static void poison_key(Check *check, const KvShape *shape, uint8_t *page, uint32_t key)
{
    size_t d = (size_t)rng_below(&check->rng, shape->d_k);
    size_t index = (key / KV_TILE_KEYS * shape->d_k + d) * KV_TILE_KEYS + key % KV_TILE_KEYS;
    const uint16_t half = 0x7e00;
    const float value = NAN;

    if (shape->type == KV_F16)
        memcpy(page + index * 2, &half, 2);
    else
        memcpy(page + index * 4, &value, 4);
}

/* m, l and o of all queries in one output: [n], [n], [n][d_v]. A zero maximum may have
 * either sign; here it gets the plain one. */
static void run_chunk(Check *check, const Kernels *table, uint32_t which,
    const AttentionChunk *chunk, const float *q, uint32_t n_query, uint32_t first, uint32_t end)
{
    float *m = check_output(check, which, (size_t)n_query * (2 + chunk->d_v));
    float *l = m + n_query, *o = l + n_query;

    table->attention_chunk(chunk, q, chunk->d_k + 5, n_query, first, end, m, l, o);
    for (uint32_t i = 0; i < n_query; i++) m[i] = m[i] + 0.0f;
}

void check_attention_chunk(Check *check)
{
    static const CheckData kinds[] = {DATA_PLAIN, DATA_OUTLIER, DATA_ZEROS, DATA_WIDE, DATA_TINY};

    for (uint32_t i = 0; i < CASES; i++) {
        uint32_t size = i % COUNT(head_sizes);
        uint32_t range = (uint32_t)rng_below(&check->rng, COUNT(ranges));
        uint32_t n_query = check_pick(check, query_counts, COUNT(query_counts));
        CheckData data = kinds[i % COUNT(kinds)];
        KvShape shape = {.type = i % 3 == 0 ? KV_F32 : KV_F16,
            .n_head_kv = 1,
            .d_k = head_sizes[size].d_k,
            .d_v = head_sizes[size].d_v};
        uint8_t *page = draw_page(check, &shape, data);
        if (i % 8 == 5) poison_key(check, &shape, page, ranges[range].first);
        AttentionChunk chunk = {.k = kv_k_head(&shape, page, 0),
            .v = kv_v_head(&shape, page, 0),
            .type = shape.type,
            .d_k = shape.d_k,
            .d_v = shape.d_v,
            .scale = 1.0f / sqrtf((float)shape.d_k),
            .softcap = i % 4 == 3 ? 30.0f : 0.0f};
        // The last query ends where its head does, not at the stride.
        size_t n_q = (size_t)(n_query - 1) * (shape.d_k + 5) + shape.d_k;
        const float *q = check_input(check, 1, n_q, i % 16 == 0 ? DATA_POISON : data);
        char label[80];

        snprintf(label, sizeof label, "d %u/%u, %u queries, keys %u-%u, type %d, data %d",
            shape.d_k, shape.d_v, n_query, ranges[range].first, ranges[range].end, (int)shape.type,
            (int)data);
        run_chunk(
            check, &kernels_ref, 0, &chunk, q, n_query, ranges[range].first, ranges[range].end);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            run_chunk(check, check->tables[t], 1, &chunk, q, n_query, ranges[range].first,
                ranges[range].end);
            check_outputs(check, t, label);
        }
    }
}

static const uint32_t value_sizes[] = {1, 7, 8, 15, 16, 17, 33, 64, 80, 128, 256};

void check_attention_merge(Check *check)
{
    for (uint32_t i = 0; i < COUNT(value_sizes) * DATA_KINDS * 4; i++) {
        uint32_t d_v = value_sizes[i % COUNT(value_sizes)];
        CheckData data = (CheckData)(i / COUNT(value_sizes) % DATA_KINDS);
        const float *state = check_input(check, 0, d_v + 2, data);
        const float *part = check_input(check, 1, d_v + 2, data);
        char label[48];

        snprintf(label, sizeof label, "d %u, data %d", d_v, (int)data);
        for (uint32_t t = 0; t <= check->n_tables; t++) { // 0: ref
            const Kernels *table = t == 0 ? &kernels_ref : check->tables[t - 1];
            float *M = check_output(check, t > 0, d_v + 2);
            memcpy(M, state, (d_v + 2) * sizeof *M);
            table->attention_merge(M, M + 1, M + 2, part[0], part[1], part + 2, d_v);
            M[0] = M[0] + 0.0f;
            if (t > 0) check_outputs(check, t - 1, label);
        }
    }
}

/* O may be scratch or the output; both are compared but O only where it is the output. */
void check_attention_finish(Check *check)
{
    for (uint32_t i = 0; i < COUNT(value_sizes) * DATA_KINDS * 4; i++) {
        uint32_t d_v = value_sizes[i % COUNT(value_sizes)];
        CheckData data = (CheckData)(i / COUNT(value_sizes) % DATA_KINDS);
        const float *state = check_input(check, 0, d_v + 2, data);
        const float *sink = i % 2 == 0 ? NULL : check_input(check, 1, 1, DATA_PLAIN);
        bool in_place = i / 2 % 2 == 1;
        char label[48];

        snprintf(label, sizeof label, "d %u, data %d, sink %d", d_v, (int)data, sink != NULL);
        for (uint32_t t = 0; t <= check->n_tables; t++) { // 0: ref
            const Kernels *table = t == 0 ? &kernels_ref : check->tables[t - 1];
            float *out = check_output(check, t > 0, d_v);
            float O[256];
            memcpy(in_place ? out : O, state + 2, d_v * sizeof *out);
            table->attention_finish(out, state[0], state[1], in_place ? out : O, sink, d_v);
            if (t > 0) check_outputs(check, t - 1, label);
        }
    }
}

void check_kv_put(Check *check)
{
    static const uint32_t keys[] = {0, 1, 15, 16, 100, 240, 255};
    static const CheckData kinds[] = {DATA_PLAIN, DATA_WIDE, DATA_TINY, DATA_ZEROS, DATA_OUTLIER};

    for (uint32_t i = 0; i < COUNT(head_sizes) * COUNT(kinds) * 2; i++) {
        uint32_t size = i % COUNT(head_sizes);
        KvShape shape = {.type = i % 2 == 0 ? KV_F16 : KV_F32,
            .n_head_kv = 1 + (uint32_t)rng_below(&check->rng, 2),
            .d_k = head_sizes[size].d_k,
            .d_v = head_sizes[size].d_v};
        CheckData data = kinds[i % COUNT(kinds)];
        float *k = check_input(check, 0, (size_t)shape.n_head_kv * shape.d_k, data);
        const float *v = check_input(check, 1, (size_t)shape.n_head_kv * shape.d_v, data);
        size_t n_bytes = (size_t)kv_page_bytes(&shape);
        char label[64];

        if (i % 7 == 0) k[0] = -65520.0f; // the least that becomes infinite in F16
        snprintf(label, sizeof label, "d %u/%u, %u heads, type %d, data %d", shape.d_k, shape.d_v,
            shape.n_head_kv, (int)shape.type, (int)data);
        for (uint32_t t = 0; t <= check->n_tables; t++) { // 0: ref
            const Kernels *table = t == 0 ? &kernels_ref : check->tables[t - 1];
            uint8_t *page = check_bytes(check, t > 0, n_bytes, 64);
            memset(page, 0xa5, n_bytes);
            for (size_t key = 0; key < COUNT(keys); key++)
                table->kv_put(&shape, page, keys[key], k, v);
            if (t > 0)
                check_same_bytes(
                    check, t - 1, check_bytes(check, 0, n_bytes, 64), page, n_bytes, label);
        }
    }
}

/* Attention over chunks of 256 keys (canonical arithmetic, section 9). Each chunk gives a
 * partial result of its own, in any order and on any thread; the merge runs in chunk order.
 * The idea of the running maximum is that of online softmax (Milakov and Gimelshein 2018,
 * arXiv:1805.02867). */
#include "kernels/ref/functions.h"
#include "kernels/ref/lanes.h"
#include "kernels/ref/ref.h"
#include "quant/f16.h"

#include <assert.h>
#include <math.h>

static float kv_element(KvType type, const uint8_t *base, size_t index)
{
    if (type == KV_F16) return f16_to_f32(((const uint16_t *)(const void *)base)[index]);
    return ((const float *)(const void *)base)[index];
}

static float key_score(const AttentionChunk *chunk, const float *q, uint32_t key)
{
    size_t tile = (size_t)(key / KV_TILE_KEYS) * chunk->d_k;
    float s = 0;

    for (uint32_t d = 0; d < chunk->d_k; d++) {
        size_t index = (tile + d) * KV_TILE_KEYS + key % KV_TILE_KEYS;
        s = fmaf(q[d], kv_element(chunk->type, chunk->k, index), s);
    }
    s = s * chunk->scale;
    return chunk->softcap != 0 ? canonical_softcapf(s, chunk->softcap) : s;
}

static void chunk_one_query(const AttentionChunk *chunk, const float *q, uint32_t first,
    uint32_t end, float *m, float *l, float *o)
{
    float p[KV_PAGE_KEYS];
    Lanes sums = {0};
    float max = -INFINITY;

    for (uint32_t j = first; j < end; j++) {
        p[j] = key_score(chunk, q, j);
        max = p[j] > max ? p[j] : max;
    }
    for (uint32_t j = first; j < end; j++) {
        p[j] = canonical_expf(p[j] - max);
        sums.sum[j % LANES] = sums.sum[j % LANES] + p[j];
    }
    for (uint32_t d = 0; d < chunk->d_v; d++) {
        o[d] = 0;
        for (uint32_t j = first; j < end; j++)
            o[d] = fmaf(p[j], kv_element(chunk->type, chunk->v, (size_t)j * chunk->d_v + d), o[d]);
    }
    *m = max;
    *l = lanes_total(sums);
}

void attention_chunk_ref(const AttentionChunk *chunk, const float *q, size_t q_stride,
    uint32_t n_query, uint32_t first, uint32_t end, float *m, float *l, float *o)
{
    assert(first < end);
    assert(end <= KV_PAGE_KEYS);

    for (uint32_t i = 0; i < n_query; i++)
        chunk_one_query(
            chunk, q + i * q_stride, first, end, m + i, l + i, o + (size_t)i * chunk->d_v);
}

void attention_merge_ref(
    float *M, float *L, float *O, float m, float l, const float *o, uint32_t d_v)
{
    float N = *M > m ? *M : m;
    float a = canonical_expf(*M - N);
    float b = canonical_expf(m - N);

    *L = fmaf(*L, a, l * b);
    for (uint32_t d = 0; d < d_v; d++) O[d] = fmaf(O[d], a, o[d] * b);
    *M = N;
}

void attention_finish_ref(float *out, float M, float L, float *O, const float *sink, uint32_t d_v)
{
    if (sink) {
        float N = M > *sink ? M : *sink;
        float a = canonical_expf(M - N);
        L = fmaf(L, a, canonical_expf(*sink - N));
        for (uint32_t d = 0; d < d_v; d++) O[d] = O[d] * a;
    }
    for (uint32_t d = 0; d < d_v; d++) out[d] = O[d] / L;
}

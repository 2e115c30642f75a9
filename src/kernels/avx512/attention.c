/* One chunk of attention. Scores: a tile of 16 keys is one register, and the chain runs over
 * d; values: lanes are elements of d, and the chain runs over the keys. Neither needs a
 * shuffle (kv.h). Several queries share each converted key or value, and their chains hide
 * the latency of the fma.
 *
 * Bound: decode reads a page once, so bytes of K and V; with 4 queries or more, fma. */
#include "kernels/avx512/avx512.h"
#include "kernels/avx512/lanes.h"

#define QUERIES 4 // that go together; more are taken in groups

/* The scores of some queries, as p[query][key]. */
typedef float Scores[QUERIES][KV_PAGE_KEYS];

typedef struct Group {
    const AttentionChunk *chunk;
    const float *q;
    size_t q_stride;
    uint32_t first, end; // the visible keys
} Group;

/* Elements of a page, 16 of them or the first n; the rest is +0 and not read. */
INLINE __m512 load_kv(KvType type, const uint8_t *base, size_t index, size_t n)
{
    __mmask16 lanes = row_lanes(0, n);

    if (type == KV_F32) {
        const float *x = (const float *)(const void *)base + index;
        return n >= 16 ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(lanes, x);
    }
    const uint8_t *x = base + index * 2;
    return _mm512_cvtph_ps(n >= 16 ? _mm256_loadu_si256((const __m256i *)(const void *)x)
                                   : _mm256_maskz_loadu_epi16(lanes, x));
}

/* s[query][key] of n_query queries and n_tiles tiles from `tile` on, not yet scaled. */
INLINE void score_tiles(const Group *group, KvType type, uint32_t n_query, uint32_t n_tiles,
    uint32_t tile, Scores scores)
{
    size_t d_k = group->chunk->d_k;
    __m512 s[8]; // [query * n_tiles + tile]

#pragma GCC unroll 8
    for (size_t i = 0; i < n_query * n_tiles; i++) s[i] = _mm512_setzero_ps();
    for (size_t d = 0; d < d_k; d++)
#pragma GCC unroll 8
        for (size_t t = 0; t < n_tiles; t++) {
            size_t index = ((tile + t) * d_k + d) * KV_TILE_KEYS;
            __m512 k = load_kv(type, group->chunk->k, index, 16);
#pragma GCC unroll 4
            for (size_t i = 0; i < n_query; i++) {
                __m512 q = all16(group->q[i * group->q_stride + d]);
                s[i * n_tiles + t] = _mm512_fmadd_ps(q, k, s[i * n_tiles + t]);
            }
        }
#pragma GCC unroll 4
    for (size_t i = 0; i < n_query; i++)
#pragma GCC unroll 8
        for (size_t t = 0; t < n_tiles; t++)
            _mm512_storeu_ps(scores[i] + (tile + t) * KV_TILE_KEYS, s[i * n_tiles + t]);
}

/* All tiles that hold a visible key, several at a time where few queries leave room. */
INLINE void score_chunk(const Group *group, KvType type, uint32_t n_query, Scores scores)
{
    uint32_t tile = group->first / KV_TILE_KEYS;
    uint32_t n = (group->end - 1) / KV_TILE_KEYS + 1;
    const uint32_t together = n_query == 1 ? 8 : n_query == 2 ? 4 : 2;

    for (; tile + together <= n; tile += together)
        score_tiles(group, type, n_query, together, tile, scores);
    for (; tile < n; tile++) score_tiles(group, type, n_query, 1, tile, scores);
}

/* The keys key .. key + 15 among first .. end - 1. */
INLINE __mmask16 visible_keys(const Group *group, uint32_t key)
{
    __mmask16 inside = row_lanes(0, group->end - key);

    if (group->first <= key) return inside;
    return (__mmask16)(inside & ~((1u << (group->first - key)) - 1));
}

/* Scores into weights exp(s - max), +0 for invisible keys; *m and *l as in section 9. */
static void weigh_scores(const Group *group, float *p, float *m, float *l)
{
    uint32_t begin = group->first / KV_TILE_KEYS * KV_TILE_KEYS;
    float cap = group->chunk->softcap;
    __m512 largest = all16(-INFINITY), sums = _mm512_setzero_ps();

    for (uint32_t j = begin; j < group->end; j += KV_TILE_KEYS) {
        __m512 s = _mm512_mul_ps(_mm512_loadu_ps(p + j), all16(group->chunk->scale));
        if (cap != 0) s = softcap16(s, all16(cap));
        _mm512_storeu_ps(p + j, s);
        largest = _mm512_mask_max_ps(largest, visible_keys(group, j), s, largest);
    }
    *m = lanes_max16(largest);

    for (uint32_t j = begin; j < group->end; j += KV_TILE_KEYS) {
        __m512 e = exp16(_mm512_sub_ps(_mm512_loadu_ps(p + j), all16(*m)));
        e = _mm512_maskz_mov_ps(visible_keys(group, j), e);
        _mm512_storeu_ps(p + j, e);
        sums = _mm512_add_ps(sums, e);
    }
    *l = lanes_total16(sums);
}

/* o[query][d .. d + 16 * n_vectors) over the visible keys, or to the end of the row if that
 * is nearer: then n_vectors is 1. */
INLINE void sum_values(const Group *group, KvType type, uint32_t n_query, uint32_t n_vectors,
    size_t d, Scores p, float *o)
{
    size_t d_v = group->chunk->d_v, n = n_vectors == 1 ? d_v - d : 16;
    __m512 sum[16]; // [query * n_vectors + vector]

#pragma GCC unroll 16
    for (size_t i = 0; i < n_query * n_vectors; i++) sum[i] = _mm512_setzero_ps();
    for (size_t j = group->first; j < group->end; j++)
#pragma GCC unroll 8
        for (size_t x = 0; x < n_vectors; x++) {
            __m512 v = load_kv(type, group->chunk->v, j * d_v + d + 16 * x, n);
#pragma GCC unroll 4
            for (size_t i = 0; i < n_query; i++)
                sum[i * n_vectors + x] = _mm512_fmadd_ps(all16(p[i][j]), v, sum[i * n_vectors + x]);
        }
#pragma GCC unroll 4
    for (size_t i = 0; i < n_query; i++)
#pragma GCC unroll 8
        for (size_t x = 0; x < n_vectors; x++)
            store_row(o + i * d_v, d + 16 * x, d_v, sum[i * n_vectors + x]);
}

/* sum_values as long as the row has so many vectors left; returns the next d. */
INLINE size_t sum_whole(const Group *group, KvType type, uint32_t n_query, uint32_t n_vectors,
    size_t d, Scores p, float *o)
{
    for (; d + 16 * n_vectors <= group->chunk->d_v; d += 16 * n_vectors)
        sum_values(group, type, n_query, n_vectors, d, p, o);
    return d;
}

INLINE void chunk_group(
    const Group *group, KvType type, uint32_t n_query, Scores p, float *m, float *l, float *o)
{
    size_t d = 0, d_v = group->chunk->d_v;

    score_chunk(group, type, n_query, p);
    for (size_t i = 0; i < n_query; i++) weigh_scores(group, p[i], m + i, l + i);

    // Eight chains of fma or more where the row is long enough, fewer for what is left.
    if (n_query == 1) d = sum_whole(group, type, n_query, 8, d, p, o);
    d = sum_whole(group, type, n_query, 4, d, p, o);
    d = sum_whole(group, type, n_query, 2, d, p, o);
    for (; d < d_v; d += 16) sum_values(group, type, n_query, 1, d, p, o);
}

/* One body for each element type and number of queries. */
INLINE void chunk_of_type(
    const Group *group, KvType type, uint32_t n_query, Scores p, float *m, float *l, float *o)
{
    switch (n_query) {
    case 1: chunk_group(group, type, 1, p, m, l, o); break;
    case 2: chunk_group(group, type, 2, p, m, l, o); break;
    case 3: chunk_group(group, type, 3, p, m, l, o); break;
    default: chunk_group(group, type, 4, p, m, l, o); break;
    }
}

void attention_chunk_avx512(const AttentionChunk *chunk, const float *q, size_t q_stride,
    uint32_t n_query, uint32_t first, uint32_t end, float *m, float *l, float *o)
{
    Scores p;
    uint32_t n;

    for (uint32_t i = 0; i < n_query; i += n) {
        uint32_t rest = n_query - i;
        Group group = {chunk, q + i * q_stride, q_stride, first, end};
        float *out = o + (size_t)i * chunk->d_v;

        n = rest == 5 ? 3 : rest < QUERIES ? rest : QUERIES; // 5 = 3 + 2
        if (chunk->type == KV_F16)
            chunk_of_type(&group, KV_F16, n, p, m + i, l + i, out);
        else
            chunk_of_type(&group, KV_F32, n, p, m + i, l + i, out);
    }
}

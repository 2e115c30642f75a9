/* One chunk of attention. Scores: lanes are the 16 keys of a tile, and the chain runs over d;
 * values: lanes are elements of d, and the chain runs over the keys. Neither needs a shuffle
 * (kv.h). Several queries share each converted key or value, and their chains hide the
 * latency of the fma.
 *
 * Bound: decode reads a page once, so bytes of K and V; with 4 queries or more, fma. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/lanes.h"

#include <string.h>

#define QUERIES 4 // that go together; more are taken in groups

/* The scores of some queries, as p[query][key]. */
typedef float Scores[QUERIES][KV_PAGE_KEYS];

/* What the loops over a chunk need of it; constants where they are inlined. */
typedef struct Group {
    const AttentionChunk *chunk;
    const float *q;
    size_t q_stride;
    uint32_t first, end;
} Group;

INLINE __m256 load_kv(KvType type, const uint8_t *base, size_t index)
{
    if (type == KV_F32) return _mm256_loadu_ps((const float *)(const void *)(base + index * 4));
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(base + index * 2)));
}

/* n elements, fewer than 8; the rest is +0. */
INLINE __m256 load_kv_first(KvType type, const uint8_t *base, size_t index, size_t n)
{
    uint8_t bytes[32] = {0};
    size_t element = (size_t)kv_element_bytes(type);

    memcpy(bytes, base + index * element, n * element);
    return load_kv(type, bytes, 0);
}

/* s[query][key] of n_query queries and n_tiles tiles from `tile` on, not yet scaled. */
INLINE void score_tiles(const Group *group, KvType type, uint32_t n_query, uint32_t n_tiles,
    uint32_t tile, Scores scores)
{
    size_t d_k = group->chunk->d_k, tile_elements = d_k * KV_TILE_KEYS;
    const uint8_t *k = group->chunk->k;
    __m256 s[8][2]; // [query * n_tiles + tile]

#pragma GCC unroll 8
    for (size_t i = 0; i < n_query * n_tiles; i++) s[i][0] = s[i][1] = _mm256_setzero_ps();
    for (size_t d = 0; d < d_k; d++)
#pragma GCC unroll 4
        for (size_t t = 0; t < n_tiles; t++) {
            size_t index = (tile + t) * tile_elements + d * KV_TILE_KEYS;
            __m256 low = load_kv(type, k, index), high = load_kv(type, k, index + 8);
#pragma GCC unroll 4
            for (size_t i = 0; i < n_query; i++) {
                __m256 q = _mm256_broadcast_ss(group->q + i * group->q_stride + d);
                s[i * n_tiles + t][0] = _mm256_fmadd_ps(q, low, s[i * n_tiles + t][0]);
                s[i * n_tiles + t][1] = _mm256_fmadd_ps(q, high, s[i * n_tiles + t][1]);
            }
        }
#pragma GCC unroll 4
    for (size_t i = 0; i < n_query; i++)
#pragma GCC unroll 4
        for (size_t t = 0; t < n_tiles; t++) {
            float *out = scores[i] + (tile + t) * KV_TILE_KEYS;
            _mm256_storeu_ps(out, s[i * n_tiles + t][0]);
            _mm256_storeu_ps(out + 8, s[i * n_tiles + t][1]);
        }
}

/* All tiles that hold a visible key, several at a time where few queries leave room. */
INLINE void score_chunk(const Group *group, KvType type, uint32_t n_query, Scores scores)
{
    uint32_t tile = group->first / KV_TILE_KEYS;
    uint32_t n = (group->end - 1) / KV_TILE_KEYS + 1;
    const uint32_t together = n_query == 1 ? 4 : n_query == 2 ? 2 : 1;

    for (; tile + together <= n; tile += together)
        score_tiles(group, type, n_query, together, tile, scores);
    for (; tile < n; tile++) score_tiles(group, type, n_query, 1, tile, scores);
}

/* s * scale, capped, and minus infinity for keys outside first .. end - 1. */
INLINE __m256 visible_scores(const Group *group, const float *s, uint32_t key)
{
    float cap = group->chunk->softcap;
    __m256i keys = _mm256_add_epi32(
        _mm256_set1_epi32((int32_t)key), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i before = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)group->first), keys);
    __m256i inside = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)group->end), keys);
    __m256i visible = _mm256_andnot_si256(before, inside);

    __m256 v = _mm256_mul_ps(_mm256_loadu_ps(s), all8(group->chunk->scale));
    if (cap != 0) v = softcap8(v, all8(cap));
    return _mm256_blendv_ps(all8(-INFINITY), v, _mm256_castsi256_ps(visible));
}

/* Scores into weights exp(s - max), whole tiles; *m and *l as in section 9. */
static void weigh_scores(const Group *group, float *p, float *m, float *l)
{
    uint32_t begin = group->first / KV_TILE_KEYS * KV_TILE_KEYS;
    Lanes8 sums = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    Lanes8 largest = {all8(-INFINITY), all8(-INFINITY)};

    for (uint32_t j = begin; j < group->end; j += KV_TILE_KEYS) {
        __m256 low = visible_scores(group, p + j, j);
        __m256 high = visible_scores(group, p + j + 8, j + 8);
        _mm256_storeu_ps(p + j, low);
        _mm256_storeu_ps(p + j + 8, high);
        largest.low = _mm256_max_ps(low, largest.low);
        largest.high = _mm256_max_ps(high, largest.high);
    }
    *m = lanes_max8(largest);

    // An invisible key's weight is exp(-Inf - max) = +0, unless max is -Inf: then the
    // visible ones are NaN, and so is the sum.
    for (uint32_t j = begin; j < group->end; j += KV_TILE_KEYS) {
        __m256 low = exp8(_mm256_sub_ps(_mm256_loadu_ps(p + j), all8(*m)));
        __m256 high = exp8(_mm256_sub_ps(_mm256_loadu_ps(p + j + 8), all8(*m)));
        _mm256_storeu_ps(p + j, low);
        _mm256_storeu_ps(p + j + 8, high);
        sums.low = _mm256_add_ps(sums.low, low);
        sums.high = _mm256_add_ps(sums.high, high);
    }
    *l = lanes_total8(sums);
}

/* o[query][d .. d + 8 * n_vectors) over the visible keys, or to the end of the row if that
 * is nearer: then n_vectors is 1. */
INLINE void sum_values(const Group *group, KvType type, uint32_t n_query, uint32_t n_vectors,
    size_t d, Scores p, float *o)
{
    size_t d_v = group->chunk->d_v;
    const uint8_t *v = group->chunk->v;
    bool is_tail = n_vectors == 1 && d_v - d < 8;
    __m256 sum[8]; // [query * n_vectors + vector]

#pragma GCC unroll 8
    for (size_t i = 0; i < n_query * n_vectors; i++) sum[i] = _mm256_setzero_ps();
    for (size_t j = group->first; j < group->end; j++)
#pragma GCC unroll 8
        for (size_t x = 0; x < n_vectors; x++) {
            size_t index = j * d_v + d + 8 * x;
            __m256 value =
                is_tail ? load_kv_first(type, v, index, d_v - d) : load_kv(type, v, index);
#pragma GCC unroll 4
            for (size_t i = 0; i < n_query; i++)
                sum[i * n_vectors + x] =
                    _mm256_fmadd_ps(_mm256_broadcast_ss(&p[i][j]), value, sum[i * n_vectors + x]);
        }
#pragma GCC unroll 4
    for (size_t i = 0; i < n_query; i++)
#pragma GCC unroll 8
        for (size_t x = 0; x < n_vectors; x++)
            store_row(o + i * d_v, d + 8 * x, d_v, sum[i * n_vectors + x]);
}

/* sum_values as long as the row has so many vectors left; returns the next d. */
INLINE size_t sum_whole(const Group *group, KvType type, uint32_t n_query, uint32_t n_vectors,
    size_t d, Scores p, float *o)
{
    for (; d + 8 * n_vectors <= group->chunk->d_v; d += 8 * n_vectors)
        sum_values(group, type, n_query, n_vectors, d, p, o);
    return d;
}

INLINE void chunk_group(
    const Group *group, KvType type, uint32_t n_query, Scores p, float *m, float *l, float *o)
{
    size_t d = 0;

    score_chunk(group, type, n_query, p);
    for (size_t i = 0; i < n_query; i++) weigh_scores(group, p[i], m + i, l + i);

    // Eight chains of fma where the row is long enough, fewer for what is left.
    if (n_query == 1) d = sum_whole(group, type, n_query, 8, d, p, o);
    if (n_query <= 2) d = sum_whole(group, type, n_query, 4, d, p, o);
    d = sum_whole(group, type, n_query, 2, d, p, o);
    d = sum_whole(group, type, n_query, 1, d, p, o);
    if (d < group->chunk->d_v) sum_values(group, type, n_query, 1, d, p, o);
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

void attention_chunk_avx2(const AttentionChunk *chunk, const float *q, size_t q_stride,
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

void attention_merge_avx2(
    float *M, float *L, float *O, float m, float l, const float *o, uint32_t d_v)
{
    float N = *M > m ? *M : m;
    __m256 factors = exp8(_mm256_setr_ps(*M - N, m - N, 0, 0, 0, 0, 0, 0));
    float a = _mm256_cvtss_f32(factors);
    float b = _mm256_cvtss_f32(_mm256_permute_ps(factors, 1));

    *L = _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(*L), _mm_set_ss(a), _mm_set_ss(l * b)));
    for (size_t d = 0; d < d_v; d += 8) {
        __m256 part = _mm256_mul_ps(load_row(o, d, d_v), all8(b));
        store_row(O, d, d_v, _mm256_fmadd_ps(load_row(O, d, d_v), all8(a), part));
    }
    *M = N;
}

void attention_finish_avx2(float *out, float M, float L, float *O, const float *sink, uint32_t d_v)
{
    __m256 total = all8(L), a = all8(1.0f); // without a sink: a product with 1 is exact

    if (sink) {
        float N = M > *sink ? M : *sink;
        a = exp8(all8(M - N));
        total = _mm256_fmadd_ps(total, a, exp8(all8(*sink - N)));
    }
    for (size_t d = 0; d < d_v; d += 8) {
        __m256 v = _mm256_mul_ps(load_row(O, d, d_v), a);
        store_row(out, d, d_v, _mm256_div_ps(v, total));
    }
}

/* The super-block types for AVX-512 with VNNI. */
#include "kernels/avx512/avx512.h"
#include "kernels/avx512/matmul_k_panels.h"
#include "quant/block_k.h"

#include <stddef.h>

/* Q4_K: pairs of 32-byte chunks are two vectors of low and two of high nibbles; so vector 0
 * holds groups 0 and 2, vector 1 groups 1 and 3, and the same again for groups 4 to 7. */
INLINE void q4_k_order(__m512i a[4])
{
    __m512i b[4] = {a[0], a[1], a[2], a[3]};

    a[0] = _mm512_shuffle_i64x2(b[0], b[1], 0x44);
    a[1] = _mm512_shuffle_i64x2(b[0], b[1], 0xee);
    a[2] = _mm512_shuffle_i64x2(b[2], b[3], 0x44);
    a[3] = _mm512_shuffle_i64x2(b[2], b[3], 0xee);
}

INLINE void q4_k_codes(__m512i q[4], const uint8_t *block)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i v = _mm512_loadu_si512(block + offsetof(BlockQ4_K, q));
    __m512i w = _mm512_loadu_si512(block + offsetof(BlockQ4_K, q) + 64);

    q[0] = _mm512_and_si512(v, nibble);
    q[1] = _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble);
    q[2] = _mm512_and_si512(w, nibble);
    q[3] = _mm512_and_si512(_mm512_srli_epi16(w, 4), nibble);
}

/* d, dmin and twelve bytes of packed scales and minima of 16 blocks at once: transposed so
 * that a lane is a block, then taken apart as q4_k_unpack_scales() does. */
INLINE void q4_k_heads(KHeads *heads, uint8_t *scales, const uint8_t *const block[TILE_BLOCKS])
{
    const __m512i six = _mm512_set1_epi32(0x3f3f3f3f), four = _mm512_set1_epi32(0x0f0f0f0f);
    const __m512i top = _mm512_set1_epi32(0x30303030);
    __m512i row[4];

    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++)
        row[i] = load_lanes(block[i], block[4 + i], block[8 + i], block[12 + i]);
    __m512i low01 = _mm512_unpacklo_epi32(row[0], row[1]);
    __m512i low23 = _mm512_unpacklo_epi32(row[2], row[3]);
    __m512i high01 = _mm512_unpackhi_epi32(row[0], row[1]);
    __m512i high23 = _mm512_unpackhi_epi32(row[2], row[3]);
    __m512i d = _mm512_unpacklo_epi64(low01, low23);
    __m512i s0 = _mm512_unpackhi_epi64(low01, low23);
    __m512i s1 = _mm512_unpacklo_epi64(high01, high23);
    __m512i s2 = _mm512_unpackhi_epi64(high01, high23);

    __m512i scales0 = _mm512_and_si512(s0, six), mins0 = _mm512_and_si512(s1, six);
    __m512i scales1 = _mm512_or_si512(
        _mm512_and_si512(s2, four), _mm512_and_si512(_mm512_srli_epi32(s0, 2), top));
    __m512i mins1 = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(s2, 4), four),
        _mm512_and_si512(_mm512_srli_epi32(s1, 2), top));

    // Eight bytes a block. unpack puts rows 0 and 1 of each quad into one vector.
    __m512i rows01 = _mm512_unpacklo_epi32(scales0, scales1);
    __m512i rows23 = _mm512_unpackhi_epi32(scales0, scales1);
    _mm512_store_si512(scales, rows01);
    _mm512_store_si512(scales + 64, rows23);

    const __m512i pair01 = _mm512_broadcast_i32x4(
        _mm_set_epi8(-1, 13, -1, 12, -1, 9, -1, 8, -1, 5, -1, 4, -1, 1, -1, 0));
    const __m512i pair23 = _mm512_broadcast_i32x4(
        _mm_set_epi8(-1, 15, -1, 14, -1, 11, -1, 10, -1, 7, -1, 6, -1, 3, -1, 2));
    heads->mins[0] = _mm512_shuffle_epi8(mins0, pair01);
    heads->mins[1] = _mm512_shuffle_epi8(mins0, pair23);
    heads->mins[2] = _mm512_shuffle_epi8(mins1, pair01);
    heads->mins[3] = _mm512_shuffle_epi8(mins1, pair23);
    heads->dw = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(d));
    heads->dmin = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(d, 16)));
}

/* Words of four sums each: after the packs, lanes 0 and 1 hold groups 0 and 1 (4 and 5),
 * lanes 2 and 3 groups 2 and 3 (6 and 7). A sum of four products is at most 7620. */
INLINE __m512i q4_k_scale(const __m512i p[4], const uint8_t *scales, uint32_t quad, uint32_t row)
{
    const __m128i pick01 = _mm_set_epi8(-1, 1, -1, 1, -1, 1, -1, 1, -1, 0, -1, 0, -1, 0, -1, 0);
    const __m128i pick23 = _mm_set_epi8(-1, 3, -1, 3, -1, 3, -1, 3, -1, 2, -1, 2, -1, 2, -1, 2);
    const __m512i pick =
        _mm512_inserti64x4(_mm512_broadcast_i32x4(pick01), _mm256_broadcastsi128_si256(pick23), 1);
    __m512i eight = _mm512_set1_epi64(load_i64(scales + row / 2 * 64 + quad * 16 + row % 2 * 8));
    __m512i low = _mm512_packs_epi32(p[0], p[1]), high = _mm512_packs_epi32(p[2], p[3]);
    __m512i sum =
        _mm512_dpwssd_epi32(_mm512_setzero_si512(), low, _mm512_shuffle_epi8(eight, pick));
    return _mm512_dpwssd_epi32(
        sum, high, _mm512_shuffle_epi8(eight, _mm512_add_epi8(pick, _mm512_set1_epi16(4))));
}

INLINE __m512i q4_k_scales(const uint8_t *scales, uint32_t quad, uint32_t row)
{
    const uint8_t *eight = scales + row / 2 * 64 + quad * 16 + row % 2 * 8;
    return _mm512_cvtepu8_epi32(_mm_set_epi64x(0, load_i64(eight)));
}

static const KType q4_k = {
    sizeof(BlockQ4_K), 0, 8, 4, q4_k_heads, q4_k_order, q4_k_codes, q4_k_scale, q4_k_scales};

/* Q6_K: a half of 128 elements is a vector of low and one of high nibbles, in natural order;
 * its 32 bytes of high bits serve four times, at four shifts. */
INLINE void q6_k_order(__m512i v[4])
{
    (void)v;
}

INLINE void q6_k_codes(__m512i codes[4], const uint8_t *block)
{
    const __m512i nibble = _mm512_set1_epi8(15), two = _mm512_set1_epi8(0x30);
    const __m512i up = _mm512_inserti64x4(_mm512_set1_epi16(4), _mm256_set1_epi16(2), 1);
    const __m512i down = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(2), 1);

    UNROLL
    for (uint32_t h = 0; h < 2; h++) {
        __m512i low = _mm512_loadu_si512(block + offsetof(BlockQ6_K, ql) + 64 * h);
        __m512i high = _mm512_broadcast_i64x4(
            _mm256_loadu_si256((const void *)(block + offsetof(BlockQ6_K, qh) + 32 * h)));
        __m512i high0 = _mm512_and_si512(_mm512_sllv_epi16(high, up), two);
        __m512i high1 = _mm512_and_si512(_mm512_srlv_epi16(high, down), two);
        codes[2 * h] = _mm512_or_si512(_mm512_and_si512(low, nibble), high0);
        codes[2 * h + 1] =
            _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(low, 4), nibble), high1);
    }
}

INLINE void q6_k_heads(KHeads *heads, uint8_t *scales, const uint8_t *const block[TILE_BLOCKS])
{
    heads->dw = load_f16s(block, offsetof(BlockQ6_K, d));
    for (uint32_t i = 0; i < TILE_BLOCKS; i++)
        _mm256_store_si256((void *)(scales + 32 * i),
            _mm256_cvtepi8_epi16(load_128(block[i] + offsetof(BlockQ6_K, scales))));
}

/* A group is a lane: after the packs lane l holds groups l and 4 + l (8 + l and 12 + l). A
 * sum of four products is at most 16256. */
INLINE __m512i q6_k_scale(const __m512i p[4], const uint8_t *scales, uint32_t quad, uint32_t row)
{
    const __m512i pick = _mm512_add_epi8(
        _mm512_broadcast_i32x4(_mm_set_epi8(9, 8, 9, 8, 9, 8, 9, 8, 1, 0, 1, 0, 1, 0, 1, 0)),
        _mm512_set_epi64(0x0606060606060606, 0x0606060606060606, 0x0404040404040404,
            0x0404040404040404, 0x0202020202020202, 0x0202020202020202, 0, 0));
    const uint8_t *words = scales + 32 * (quad * STRIP_ROWS + row);
    __m512i low = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(load_128(words)), pick);
    __m512i high = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(load_128(words + 16)), pick);
    __m512i sum = _mm512_dpwssd_epi32(_mm512_setzero_si512(), _mm512_packs_epi32(p[0], p[1]), low);
    return _mm512_dpwssd_epi32(sum, _mm512_packs_epi32(p[2], p[3]), high);
}

INLINE __m512i q6_k_scales(const uint8_t *scales, uint32_t quad, uint32_t row)
{
    return _mm512_cvtepi16_epi32(
        _mm256_load_si256((const void *)(scales + 32 * (quad * STRIP_ROWS + row))));
}

static const KType q6_k = {
    sizeof(BlockQ6_K), 32, 16, 0, q6_k_heads, q6_k_order, q6_k_codes, q6_k_scale, q6_k_scales};

INLINE void k_few(KType type, float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
    uint32_t n_out, const Acts *acts)
{
    switch (acts->n_rows) {
    case 1: k_rows(type, 1, y, y_stride, w, row_bytes, n_out, acts); return;
    case 2: k_rows(type, 2, y, y_stride, w, row_bytes, n_out, acts); return;
    case 3: k_rows(type, 3, y, y_stride, w, row_bytes, n_out, acts); return;
    default: k_rows(type, 4, y, y_stride, w, row_bytes, n_out, acts); return;
    }
}

/* The two ways are kept apart, so that few rows do not pay for the large frame of many. */
#define X(name)                                                                                    \
    static __attribute__((noinline)) void name##_many(float *y, size_t y_stride, const uint8_t *w, \
        size_t row_bytes, uint32_t n_out, const Acts *acts)                                        \
    {                                                                                              \
        k_panels(name, y, y_stride, w, row_bytes, n_out, acts);                                    \
    }                                                                                              \
    void matmul_##name##_avx512(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,     \
        uint32_t n_out, const Acts *acts)                                                          \
    {                                                                                              \
        if (acts_in_panels(acts->kind, acts->n_rows))                                              \
            name##_many(y, y_stride, w, row_bytes, n_out, acts);                                   \
        else                                                                                       \
            k_few(name, y, y_stride, w, row_bytes, n_out, acts);                                   \
    }
X(q4_k) X(q6_k)
#undef X

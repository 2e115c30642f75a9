/* The super-block types for AVX2. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/matmul_k_panels.h"
#include "quant/block_k.h"

#include <stddef.h>

/* The low and high nibbles of 32 bytes. */
INLINE void nibbles_32(__m256i *low, __m256i *high, const uint8_t *p)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i v = load_256(p);

    *low = _mm256_and_si256(v, nibble);
    *high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
}

/* d, dmin and twelve bytes of packed scales and minima of eight blocks at once: transposed
 * so that a lane is a block, then taken apart as q4_k_unpack_scales() does. Q5_K begins
 * like Q4_K. */
INLINE void q4_k_heads(KHeads *heads, const uint8_t *const block[STRIP_ROWS])
{
    const __m256i six = _mm256_set1_epi32(0x3f3f3f3f), four = _mm256_set1_epi32(0x0f0f0f0f);
    const __m256i top = _mm256_set1_epi32(0x30303030), low_half = _mm256_set1_epi32(0xffff);
    __m256i row[4];

    UNROLL
    for (uint32_t i = 0; i < 4; i++)
        row[i] = _mm256_inserti128_si256(
            _mm256_castsi128_si256(load_128(block[i])), load_128(block[4 + i]), 1);
    __m256i low01 = _mm256_unpacklo_epi32(row[0], row[1]);
    __m256i low23 = _mm256_unpacklo_epi32(row[2], row[3]);
    __m256i high01 = _mm256_unpackhi_epi32(row[0], row[1]);
    __m256i high23 = _mm256_unpackhi_epi32(row[2], row[3]);
    __m256i d = _mm256_unpacklo_epi64(low01, low23);
    __m256i s0 = _mm256_unpackhi_epi64(low01, low23);
    __m256i s1 = _mm256_unpacklo_epi64(high01, high23);
    __m256i s2 = _mm256_unpackhi_epi64(high01, high23);

    __m256i scales0 = _mm256_and_si256(s0, six), mins0 = _mm256_and_si256(s1, six);
    __m256i scales1 = _mm256_or_si256(
        _mm256_and_si256(s2, four), _mm256_and_si256(_mm256_srli_epi32(s0, 2), top));
    __m256i mins1 = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(s2, 4), four),
        _mm256_and_si256(_mm256_srli_epi32(s1, 2), top));

    // Eight bytes a block, in order.
    __m256i rows01 = _mm256_unpacklo_epi32(scales0, scales1);
    __m256i rows23 = _mm256_unpackhi_epi32(scales0, scales1);
    store_256(heads->scales, _mm256_permute2x128_si256(rows01, rows23, 0x20));
    store_256(heads->scales + 32, _mm256_permute2x128_si256(rows01, rows23, 0x31));

    const __m256i pair01 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1));
    const __m256i pair23 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15, -1));
    heads->mins[0] = _mm256_shuffle_epi8(mins0, pair01);
    heads->mins[1] = _mm256_shuffle_epi8(mins0, pair23);
    heads->mins[2] = _mm256_shuffle_epi8(mins1, pair01);
    heads->mins[3] = _mm256_shuffle_epi8(mins1, pair23);
    __m256i halves = _mm256_packus_epi32(_mm256_and_si256(d, low_half), _mm256_srli_epi32(d, 16));
    halves = _mm256_permute4x64_epi64(halves, 0xd8);
    heads->dw = _mm256_cvtph_ps(_mm256_castsi256_si128(halves));
    heads->dmin = _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1));
}

INLINE __m256i q4_k_scales(const KHeads *heads, uint32_t row, const uint8_t *block)
{
    (void)block;
    __m256i bytes = _mm256_set1_epi64x(load_i64(heads->scales + 8 * row));
    return _mm256_unpacklo_epi8(bytes, _mm256_setzero_si256());
}

INLINE void q4_k_codes(__m256i codes[K_VECTORS], const uint8_t *block)
{
    UNROLL
    for (uint32_t i = 0; i < 8; i += 2)
        nibbles_32(&codes[i], &codes[i + 1], block + offsetof(BlockQ4_K, q) + 16 * i);
}

static const KType q4_k = {.block_bytes = sizeof(BlockQ4_K),
    .n_groups = 8,
    .n_minima = 8,
    .n_chained = 8, // 8 * 2 * 15 * 127 = 30480
    .heads = q4_k_heads,
    .unpack = q4_k_codes,
    .scales = q4_k_scales};

INLINE void q6_k_heads(KHeads *heads, const uint8_t *const block[STRIP_ROWS])
{
    heads->dw = load_f16s(block, offsetof(BlockQ6_K, d));
}

INLINE __m256i q6_k_scales(const KHeads *heads, uint32_t row, const uint8_t *block)
{
    const __m128i sort = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);

    (void)heads, (void)row;
    return _mm256_cvtepi8_epi16(
        _mm_shuffle_epi8(load_128(block + offsetof(BlockQ6_K, scales)), sort));
}

/* In each half of 128, 32 bytes of high bits serve four vectors at four shifts. */
INLINE void q6_k_codes(__m256i codes[K_VECTORS], const uint8_t *block)
{
    const __m256i two = _mm256_set1_epi8(0x30);

    UNROLL
    for (uint32_t h = 0; h < 2; h++) {
        const uint8_t *low = block + offsetof(BlockQ6_K, ql) + 64 * h;
        __m256i high = load_256(block + offsetof(BlockQ6_K, qh) + 32 * h);
        __m256i bits[4] = {_mm256_slli_epi16(high, 4), _mm256_slli_epi16(high, 2), high,
            _mm256_srli_epi16(high, 2)};
        __m256i *half = codes + 4 * h;
        nibbles_32(&half[0], &half[2], low);
        nibbles_32(&half[1], &half[3], low + 32);
        UNROLL
        for (uint32_t i = 0; i < 4; i++)
            half[i] = _mm256_or_si256(half[i], _mm256_and_si256(bits[i], two));
    }
}

static const KType q6_k = {.block_bytes = sizeof(BlockQ6_K),
    .bias = 32,
    .n_groups = 16,
    .n_chained = 4, // less the bias: 4 * 2 * 32 * 127 = 32512
    .heads = q6_k_heads,
    .unpack = q6_k_codes,
    .scales = q6_k_scales};

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
    void matmul_##name##_avx2(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,       \
        uint32_t n_out, const Acts *acts)                                                          \
    {                                                                                              \
        if (acts_in_panels(acts->kind, acts->n_rows))                                              \
            name##_many(y, y_stride, w, row_bytes, n_out, acts);                                   \
        else                                                                                       \
            k_few(name, y, y_stride, w, row_bytes, n_out, acts);                                   \
    }
X(q4_k) X(q6_k)
#undef X

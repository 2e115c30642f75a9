/* The super-block types for AVX2. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/matmul_k_panels.h"
#include "quant/block_k.h"
#include "quant/block_q.h"

#include <stddef.h>

/* The low and high nibbles of 32 bytes. */
INLINE void nibbles_32(__m256i *low, __m256i *high, const uint8_t *p)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i v = load_256(p);

    *low = _mm256_and_si256(v, nibble);
    *high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
}

/* 16 bytes at an offset in each block, transposed: lane i of dwords[j] is dword j of block i. */
INLINE void load_dwords(__m256i dwords[4], const uint8_t *const block[STRIP_ROWS], size_t offset)
{
    __m256i row[4];

    UNROLL
    for (uint32_t i = 0; i < 4; i++)
        row[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load_128(block[i] + offset)),
            load_128(block[4 + i] + offset), 1);
    __m256i low01 = _mm256_unpacklo_epi32(row[0], row[1]);
    __m256i low23 = _mm256_unpacklo_epi32(row[2], row[3]);
    __m256i high01 = _mm256_unpackhi_epi32(row[0], row[1]);
    __m256i high23 = _mm256_unpackhi_epi32(row[2], row[3]);
    dwords[0] = _mm256_unpacklo_epi64(low01, low23);
    dwords[1] = _mm256_unpackhi_epi64(low01, low23);
    dwords[2] = _mm256_unpacklo_epi64(high01, high23);
    dwords[3] = _mm256_unpackhi_epi64(high01, high23);
}

/* Four bytes a lane as two pairs of int16. */
INLINE void widen_pairs(__m256i pairs[2], __m256i bytes)
{
    const __m256i first = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1));
    const __m256i second = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15, -1));
    pairs[0] = _mm256_shuffle_epi8(bytes, first);
    pairs[1] = _mm256_shuffle_epi8(bytes, second);
}

/* Bytes 0 to 15 so that the even ones come first. */
INLINE __m128i even_odd_bytes(__m128i bytes)
{
    return _mm_shuffle_epi8(
        bytes, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
}

/* d, dmin and twelve bytes of packed scales and minima of eight blocks at once, taken apart
 * as q4_k_unpack_scales() does. Q5_K begins like Q4_K. */
INLINE void q4_k_heads(KHeads *heads, const uint8_t *const block[STRIP_ROWS])
{
    const __m256i six = _mm256_set1_epi32(0x3f3f3f3f), four = _mm256_set1_epi32(0x0f0f0f0f);
    const __m256i top = _mm256_set1_epi32(0x30303030), low_half = _mm256_set1_epi32(0xffff);
    __m256i dwords[4];

    load_dwords(dwords, block, 0);
    __m256i d = dwords[0], s0 = dwords[1], s1 = dwords[2], s2 = dwords[3];
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

    widen_pairs(heads->mins, mins0);
    widen_pairs(heads->mins + 2, mins1);
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

/* Nibbles as in Q4_K; vector i of the codes has its fifth bits in bit i of 32 bytes. */
INLINE void q5_k_codes(__m256i codes[K_VECTORS], const uint8_t *block)
{
    const __m256i fifth = _mm256_set1_epi8(0x10);
    __m256i bits = load_256(block + offsetof(BlockQ5_K, qh));

    UNROLL
    for (int i = 0; i < 8; i++) {
        if (i % 2 == 0)
            nibbles_32(&codes[i], &codes[i + 1], block + offsetof(BlockQ5_K, q) + 16 * i);
        __m256i bit = i < 4 ? _mm256_slli_epi16(bits, 4 - i) : _mm256_srli_epi16(bits, i - 4);
        codes[i] = _mm256_or_si256(codes[i], _mm256_and_si256(bit, fifth));
    }
}

static const KType q5_k = {.block_bytes = sizeof(BlockQ5_K),
    .n_groups = 8,
    .n_minima = 8,
    .n_chained = 4, // 4 * 2 * 31 * 127 = 31496
    .heads = q4_k_heads,
    .unpack = q5_k_codes,
    .scales = q4_k_scales};

/* A byte has a scale below and a minimum above. */
INLINE void q2_k_heads(KHeads *heads, const uint8_t *const block[STRIP_ROWS])
{
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i dwords[4];

    load_dwords(dwords, block, offsetof(BlockQ2_K, scales));
    UNROLL
    for (uint32_t i = 0; i < 4; i++)
        widen_pairs(heads->mins + 2 * i, _mm256_and_si256(_mm256_srli_epi16(dwords[i], 4), nibble));
    heads->dw = load_f16s(block, offsetof(BlockQ2_K, d));
    heads->dmin = load_f16s(block, offsetof(BlockQ2_K, dmin));
}

INLINE __m256i q2_k_scales(const KHeads *heads, uint32_t row, const uint8_t *block)
{
    (void)heads, (void)row;
    __m128i bytes = load_128(block + offsetof(BlockQ2_K, scales));
    return _mm256_cvtepu8_epi16(even_odd_bytes(_mm_and_si128(bytes, _mm_set1_epi8(15))));
}

/* In each half of 128, 32 bytes serve four vectors at four shifts. */
INLINE void q2_k_codes(__m256i codes[K_VECTORS], const uint8_t *block)
{
    const __m256i two = _mm256_set1_epi8(3);

    UNROLL
    for (int i = 0; i < 8; i++) {
        __m256i half = load_256(block + offsetof(BlockQ2_K, q) + 32 * (i / 4));
        codes[i] = _mm256_and_si256(_mm256_srli_epi16(half, 2 * (i % 4)), two);
    }
}

static const KType q2_k = {.block_bytes = sizeof(BlockQ2_K),
    .n_groups = 16,
    .n_minima = 16,
    .n_chained = 4, // 4 * 2 * 3 * 127 = 3048
    .heads = q2_k_heads,
    .unpack = q2_k_codes,
    .scales = q2_k_scales};

INLINE void q3_k_heads(KHeads *heads, const uint8_t *const block[STRIP_ROWS])
{
    heads->dw = load_f16s(block, offsetof(BlockQ3_K, d));
}

/* As q3_k_unpack_scales(), less 32. */
INLINE __m256i q3_k_scales(const KHeads *heads, uint32_t row, const uint8_t *block)
{
    (void)heads, (void)row;
    const __m128i nibble = _mm_set1_epi8(15);
    __m128i packed = load_128(block + offsetof(BlockQ3_K, scales));
    __m128i low = _mm_unpacklo_epi64(
        _mm_and_si128(packed, nibble), _mm_and_si128(_mm_srli_epi16(packed, 4), nibble));
    __m128i high = _mm_srlv_epi32(_mm_shuffle_epi32(packed, 0xaa), _mm_setr_epi32(0, 2, 4, 6));
    high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi8(3)), 4);
    __m128i scales = _mm_sub_epi8(_mm_or_si128(low, high), _mm_set1_epi8(32));
    return _mm256_cvtepi8_epi16(even_odd_bytes(scales));
}

/* Two bits as in Q2_K; vector i has its third bits in bit i of 32 bytes. */
INLINE void q3_k_codes(__m256i codes[K_VECTORS], const uint8_t *block)
{
    const __m256i two = _mm256_set1_epi8(3), third = _mm256_set1_epi8(4);
    __m256i bits = load_256(block + offsetof(BlockQ3_K, hmask));

    UNROLL
    for (int i = 0; i < 8; i++) {
        __m256i half = load_256(block + offsetof(BlockQ3_K, q) + 32 * (i / 4));
        __m256i low = _mm256_and_si256(_mm256_srli_epi16(half, 2 * (i % 4)), two);
        __m256i bit = i < 2 ? _mm256_slli_epi16(bits, 2 - i) : _mm256_srli_epi16(bits, i - 2);
        codes[i] = _mm256_or_si256(low, _mm256_and_si256(bit, third));
    }
}

static const KType q3_k = {.block_bytes = sizeof(BlockQ3_K),
    .bias = 4,
    .n_groups = 16,
    .n_chained = 4, // less the bias: 4 * 2 * 4 * 127 = 4064
    .heads = q3_k_heads,
    .unpack = q3_k_codes,
    .scales = q3_k_scales};

INLINE void q6_k_heads(KHeads *heads, const uint8_t *const block[STRIP_ROWS])
{
    heads->dw = load_f16s(block, offsetof(BlockQ6_K, d));
}

INLINE __m256i q6_k_scales(const KHeads *heads, uint32_t row, const uint8_t *block)
{
    (void)heads, (void)row;
    return _mm256_cvtepi8_epi16(even_odd_bytes(load_128(block + offsetof(BlockQ6_K, scales))));
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

INLINE void iq4_xs_heads(KHeads *heads, const uint8_t *const block[STRIP_ROWS])
{
    heads->dw = load_f16s(block, offsetof(BlockIQ4_XS, d));
}

/* As iq4_xs_unpack_scales(), less 32. */
INLINE __m256i iq4_xs_scales(const KHeads *heads, uint32_t row, const uint8_t *block)
{
    (void)heads, (void)row;
    __m256i low = _mm256_set1_epi32(load_i32(block + offsetof(BlockIQ4_XS, scales_l)));
    __m256i high = _mm256_set1_epi32(load_i16(block + offsetof(BlockIQ4_XS, scales_h)));
    low = _mm256_srlv_epi32(low, _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
    high = _mm256_srlv_epi32(high, _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14));
    low = _mm256_and_si256(low, _mm256_set1_epi32(15));
    high = _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 4);
    __m256i scales = _mm256_sub_epi32(_mm256_or_si256(low, high), _mm256_set1_epi32(32));
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(scales, scales), 0x88);
}

INLINE void iq4_xs_codes(__m256i codes[K_VECTORS], const uint8_t *block)
{
    UNROLL
    for (uint32_t i = 0; i < 8; i++)
        codes[i] = _mm256_shuffle_epi8(
            load_twice(iq4_values), nibbles_16(block + offsetof(BlockIQ4_XS, q) + 16 * i));
}

static const KType iq4_xs = {.block_bytes = sizeof(BlockIQ4_XS),
    .is_signed = true,
    .n_groups = 8,
    .n_chained = 1, // 2 * 127 * 127 = 32258
    .heads = iq4_xs_heads,
    .unpack = iq4_xs_codes,
    .scales = iq4_xs_scales};

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
X(q2_k) X(q3_k) X(q4_k) X(q5_k) X(q6_k) X(iq4_xs)
#undef X

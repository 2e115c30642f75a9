/* The types with 32-element blocks, for AVX-512 with VNNI: how each one's codes come out. */
#include "kernels/avx512/matmul_q.h"
#include "kernels/avx512/avx512.h"
#include "quant/block_q.h"

/* d, and for some types m, is the f16 at the start of the block. */
INLINE __m512 first_f16s(const uint8_t *const block[TILE_BLOCKS])
{
    return load_f16s(block, 0);
}

INLINE __m512 second_f16s(const uint8_t *const block[TILE_BLOCKS])
{
    return load_f16s(block, 2);
}

/* 32 bytes each. */
INLINE __m512i load_halves(const uint8_t *a, const uint8_t *b)
{
    __m512i low = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)a));
    return _mm512_inserti64x4(low, _mm256_loadu_si256((const void *)b), 1);
}

/* 16 bytes each, as 32 nibbles: the low ones first. */
INLINE __m512i load_nibbles(const uint8_t *a, const uint8_t *b)
{
    const __m512i shift =
        _mm512_broadcast_i64x4(_mm256_set_epi64x(0x0004000400040004, 0x0004000400040004, 0, 0));
    __m512i low = _mm512_castsi256_si512(_mm256_broadcastsi128_si256(load_128(a)));
    __m512i both = _mm512_inserti64x4(low, _mm256_broadcastsi128_si256(load_128(b)), 1);
    return _mm512_and_si512(_mm512_srlv_epi16(both, shift), _mm512_set1_epi8(15));
}

INLINE __m512i q8_0_codes(const uint8_t *a, const uint8_t *b)
{
    return _mm512_xor_si512(load_halves(a + 2, b + 2), _mm512_set1_epi8(-128));
}

INLINE __m512i q4_0_codes(const uint8_t *a, const uint8_t *b)
{
    return load_nibbles(a + offsetof(BlockQ4_0, q), b + offsetof(BlockQ4_0, q));
}

INLINE __m512i q4_1_codes(const uint8_t *a, const uint8_t *b)
{
    return load_nibbles(a + offsetof(BlockQ4_1, q), b + offsetof(BlockQ4_1, q));
}

/* Nibbles, and bit i of the 32 at `high` as the fifth of element i. */
INLINE __m512i add_fifth_bits(__m512i nibbles, const uint8_t *high_a, const uint8_t *high_b)
{
    uint64_t bits = (uint32_t)load_i32(high_a) | (uint64_t)(uint32_t)load_i32(high_b) << 32;
    return _mm512_mask_add_epi8(nibbles, bits, nibbles, _mm512_set1_epi8(16));
}

INLINE __m512i q5_0_codes(const uint8_t *a, const uint8_t *b)
{
    __m512i low = load_nibbles(a + offsetof(BlockQ5_0, q), b + offsetof(BlockQ5_0, q));
    return add_fifth_bits(low, a + offsetof(BlockQ5_0, qh), b + offsetof(BlockQ5_0, qh));
}

INLINE __m512i q5_1_codes(const uint8_t *a, const uint8_t *b)
{
    __m512i low = load_nibbles(a + offsetof(BlockQ5_1, q), b + offsetof(BlockQ5_1, q));
    return add_fifth_bits(low, a + offsetof(BlockQ5_1, qh), b + offsetof(BlockQ5_1, qh));
}

/* The 16 values of a code book, raised by the bias of the type. */
INLINE __m512i look_up(const int8_t values[16], int32_t bias, __m512i index)
{
    __m128i table = _mm_add_epi8(load_128(values), _mm_set1_epi8((char)bias));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), index);
}

INLINE __m512i iq4_nl_codes(const uint8_t *a, const uint8_t *b)
{
    return look_up(
        iq4_values, 128, load_nibbles(a + offsetof(BlockIQ4_NL, q), b + offsetof(BlockIQ4_NL, q)));
}

INLINE __m512i mxfp4_codes(const uint8_t *a, const uint8_t *b)
{
    return look_up(
        mxfp4_values, 12, load_nibbles(a + offsetof(BlockMXFP4, q), b + offsetof(BlockMXFP4, q)));
}

/* 2^(e - 128): subnormal for e below 2, NaN for 255. */
INLINE __m512 mxfp4_scales(const uint8_t *const block[TILE_BLOCKS])
{
    __m512i e = _mm512_cvtepu8_epi32(
        _mm_set_epi8((char)block[15][0], (char)block[14][0], (char)block[13][0], (char)block[12][0],
            (char)block[11][0], (char)block[10][0], (char)block[9][0], (char)block[8][0],
            (char)block[7][0], (char)block[6][0], (char)block[5][0], (char)block[4][0],
            (char)block[3][0], (char)block[2][0], (char)block[1][0], (char)block[0][0]));
    const __m512i one = _mm512_set1_epi32(1);
    __m512i bits = _mm512_slli_epi32(_mm512_sub_epi32(e, one), 23);
    __m512i small = _mm512_sllv_epi32(_mm512_set1_epi32(1 << 21), e);

    bits = _mm512_mask_mov_epi32(bits, _mm512_cmple_epu32_mask(e, one), small);
    bits = _mm512_mask_mov_epi32(
        bits, _mm512_cmpeq_epi32_mask(e, _mm512_set1_epi32(255)), _mm512_set1_epi32(0x7fc00000));
    return _mm512_castsi512_ps(bits);
}

// clang-format off
static const QType q8_0 = {sizeof(BlockQ8_0), 128, false, q8_0_codes, first_f16s, NULL};
static const QType q4_0 = {sizeof(BlockQ4_0), 8, false, q4_0_codes, first_f16s, NULL};
static const QType q4_1 = {sizeof(BlockQ4_1), 0, true, q4_1_codes, first_f16s, second_f16s};
static const QType q5_0 = {sizeof(BlockQ5_0), 16, false, q5_0_codes, first_f16s, NULL};
static const QType q5_1 = {sizeof(BlockQ5_1), 0, true, q5_1_codes, first_f16s, second_f16s};
static const QType iq4_nl = {sizeof(BlockIQ4_NL), 128, false, iq4_nl_codes, first_f16s, NULL};
static const QType mxfp4 = {sizeof(BlockMXFP4), 12, false, mxfp4_codes, mxfp4_scales, NULL};
// clang-format on

INLINE void q_few(QType type, float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
    uint32_t n_out, const Acts *acts)
{
    uint32_t t = 0;

    for (; t + ROWS_MAX <= acts->n_rows; t += ROWS_MAX)
        q_rows(type, ROWS_MAX, y, y_stride, w, row_bytes, n_out, acts, t);
    if (t < acts->n_rows) q_rows(type, 1, y, y_stride, w, row_bytes, n_out, acts, t);
}

/* The two ways are kept apart, so that few rows do not pay for the large frame of many. */
#define X(name)                                                                                    \
    static __attribute__((noinline)) void name##_many(float *y, size_t y_stride, const uint8_t *w, \
        size_t row_bytes, uint32_t n_out, const Acts *acts)                                        \
    {                                                                                              \
        q_panels(name, y, y_stride, w, row_bytes, n_out, acts);                                    \
    }                                                                                              \
    void matmul_##name##_avx512(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,     \
        uint32_t n_out, const Acts *acts)                                                          \
    {                                                                                              \
        if (acts_in_panels(acts->kind, acts->n_rows))                                              \
            name##_many(y, y_stride, w, row_bytes, n_out, acts);                                   \
        else                                                                                       \
            q_few(name, y, y_stride, w, row_bytes, n_out, acts);                                   \
    }
X(q8_0) X(q4_0) X(q4_1) X(q5_0) X(q5_1) X(iq4_nl) X(mxfp4)
#undef X

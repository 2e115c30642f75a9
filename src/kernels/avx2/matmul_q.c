/* The types with 32-element blocks for AVX2. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/matmul_q_panels.h"
#include "quant/block_q.h"

#include <stddef.h>

/* Bit i of 32 bits in byte i, at 0x10. */
INLINE __m256i fifth_bits(const uint8_t *p)
{
    const __m256i spread =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(load_i32(p)), spread);
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
    return _mm256_and_si256(set, _mm256_set1_epi8(0x10));
}

/* Every type but MXFP4 begins with an f16 scale; offsets follow it. */
INLINE __m256 f16_scales(const uint8_t *const block[STRIP_ROWS])
{
    return load_f16s(block, 0);
}

INLINE __m256 f16_mins(const uint8_t *const block[STRIP_ROWS])
{
    return load_f16s(block, 2);
}

INLINE __m256i q8_0_codes(const uint8_t *block)
{
    return load_256(block + offsetof(BlockQ8_0, q));
}

INLINE __m256i q4_0_codes(const uint8_t *block)
{
    return nibbles_16(block + offsetof(BlockQ4_0, q));
}

INLINE __m256i q4_1_codes(const uint8_t *block)
{
    return nibbles_16(block + offsetof(BlockQ4_1, q));
}

INLINE __m256i q5_0_codes(const uint8_t *block)
{
    return _mm256_or_si256(
        nibbles_16(block + offsetof(BlockQ5_0, q)), fifth_bits(block + offsetof(BlockQ5_0, qh)));
}

INLINE __m256i q5_1_codes(const uint8_t *block)
{
    return _mm256_or_si256(
        nibbles_16(block + offsetof(BlockQ5_1, q)), fifth_bits(block + offsetof(BlockQ5_1, qh)));
}

INLINE __m256i iq4_nl_codes(const uint8_t *block)
{
    return _mm256_shuffle_epi8(
        load_twice(iq4_values), nibbles_16(block + offsetof(BlockIQ4_NL, q)));
}

/* The doubled values, 12 added. */
INLINE __m256i mxfp4_codes(const uint8_t *block)
{
    __m256i values = _mm256_add_epi8(load_twice(mxfp4_values), _mm256_set1_epi8(12));
    return _mm256_shuffle_epi8(values, nibbles_16(block + offsetof(BlockMXFP4, q)));
}

/* 2^(e - 128), the half for the doubled values included: exponent e - 1 where that is a
 * normal number, else a denormal; NaN for 255. */
INLINE __m256 mxfp4_scales(const uint8_t *const block[STRIP_ROWS])
{
    __m256i e = _mm256_cvtepu8_epi32(_mm_setr_epi8((char)block[0][0], (char)block[1][0],
        (char)block[2][0], (char)block[3][0], (char)block[4][0], (char)block[5][0],
        (char)block[6][0], (char)block[7][0], 0, 0, 0, 0, 0, 0, 0, 0));
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    __m256i denormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e); // e is 0 or 1
    __m256i scale =
        _mm256_blendv_epi8(denormal, normal, _mm256_cmpgt_epi32(e, _mm256_set1_epi32(1)));
    __m256i is_nan = _mm256_cmpeq_epi32(e, _mm256_set1_epi32(255));
    return _mm256_castsi256_ps(_mm256_or_si256(scale, is_nan));
}

static const QType q8_0 = {sizeof(BlockQ8_0), 0, 1, q8_0_codes, f16_scales, NULL};
static const QType q4_0 = {sizeof(BlockQ4_0), 8, 8, q4_0_codes, f16_scales, NULL};
static const QType q4_1 = {sizeof(BlockQ4_1), 0, 8, q4_1_codes, f16_scales, f16_mins};
static const QType q5_0 = {sizeof(BlockQ5_0), 16, 4, q5_0_codes, f16_scales, NULL};
static const QType q5_1 = {sizeof(BlockQ5_1), 0, 4, q5_1_codes, f16_scales, f16_mins};
static const QType iq4_nl = {sizeof(BlockIQ4_NL), 0, 1, iq4_nl_codes, f16_scales, NULL};
static const QType mxfp4 = {sizeof(BlockMXFP4), 12, 4, mxfp4_codes, mxfp4_scales, NULL};

INLINE void q_few(QType type, float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
    uint32_t n_out, const Acts *acts)
{
    switch (acts->n_rows) {
    case 1: q_rows(type, 1, y, y_stride, w, row_bytes, n_out, acts); return;
    case 2: q_rows(type, 2, y, y_stride, w, row_bytes, n_out, acts); return;
    case 3: q_rows(type, 3, y, y_stride, w, row_bytes, n_out, acts); return;
    default: q_rows(type, 4, y, y_stride, w, row_bytes, n_out, acts); return;
    }
}

/* The two ways are kept apart, so that few rows do not pay for the large frame of many. */
#define X(name)                                                                                    \
    static __attribute__((noinline)) void name##_many(float *y, size_t y_stride, const uint8_t *w, \
        size_t row_bytes, uint32_t n_out, const Acts *acts)                                        \
    {                                                                                              \
        q_panels(name, y, y_stride, w, row_bytes, n_out, acts);                                    \
    }                                                                                              \
    void matmul_##name##_avx2(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,       \
        uint32_t n_out, const Acts *acts)                                                          \
    {                                                                                              \
        if (acts_in_panels(acts->kind, acts->n_rows))                                              \
            name##_many(y, y_stride, w, row_bytes, n_out, acts);                                   \
        else                                                                                       \
            q_few(name, y, y_stride, w, row_bytes, n_out, acts);                                   \
    }
X(q8_0) X(q4_0) X(q4_1) X(q5_0) X(q5_1) X(iq4_nl) X(mxfp4)
#undef X

/* Quantising activations, 64 floats at a time; strips and panels are acts_strips.h. */
#include "kernels/acts.h"

#include "kernels/acts_strips.h"
#include "kernels/avx512/avx512.h"
#include "kernels/avx512/functions.h"

#include <string.h>

INLINE __m512i bits_of_magnitude(const float *x)
{
    return _mm512_castps_si512(magnitude(_mm512_loadu_ps(x)));
}

/* The scale of a block, and what its floats are multiplied with: 0 for blocks whose codes
 * are all zero (ref/acts.c). */
INLINE float block_scale(uint32_t bits, float *inverse)
{
    float max;

    memcpy(&max, &bits, sizeof max);
    *inverse = 0;
    if (bits >= 0x7f800000u) return NAN;
    if (max < 0x1p-80f) return 0;
    *inverse = 127.0f / max;
    return max / 127.0f;
}

INLINE __m512i rounded16(const float *x, __m512 inverse)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), inverse));
}

/* Word 4 l + v goes to place 4 v + l. */
INLINE __m512i lanes_to_runs(__m512i words)
{
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), words);
}

/* The codes of 64 floats, in order. */
INLINE __m512i codes64(const float *x, __m512 inverse)
{
    __m512i a = _mm512_packs_epi32(rounded16(x, inverse), rounded16(x + 16, inverse));
    __m512i b = _mm512_packs_epi32(rounded16(x + 32, inverse), rounded16(x + 48, inverse));
    return lanes_to_runs(_mm512_packs_epi16(a, b));
}

static float quantise_32(const float *x, int8_t *q, int32_t *sum)
{
    __m512i max = _mm512_max_epu32(bits_of_magnitude(x), bits_of_magnitude(x + 16));
    float inverse, d = block_scale(_mm512_reduce_max_epu32(max), &inverse);

    if (inverse == 0) {
        memset(q, 0, 32);
        *sum = 0;
        return d;
    }
    __m128i low = _mm512_cvtepi32_epi8(rounded16(x, all16(inverse)));
    __m128i high = _mm512_cvtepi32_epi8(rounded16(x + 16, all16(inverse)));
    __m256i codes = _mm256_set_m128i(high, low);
    _mm256_storeu_si256((__m256i *)(void *)q, codes);
    __m256i s = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), codes);
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    *sum = _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
    return d;
}

/* The largest |x| of 256 floats, as bits. */
INLINE uint32_t max_bits_256(const float *x)
{
    __m512i max[4];

#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) max[j] = bits_of_magnitude(x + 16 * j);
#pragma GCC unroll 4
    for (size_t i = 64; i < 256; i += 64)
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++)
            max[j] = _mm512_max_epu32(max[j], bits_of_magnitude(x + i + 16 * j));
    return _mm512_reduce_max_epu32(
        _mm512_max_epu32(_mm512_max_epu32(max[0], max[1]), _mm512_max_epu32(max[2], max[3])));
}

/* Lane l, word i: the sum of lane l of v[i]. */
INLINE __m512i sums_of_lanes(const __m512i v[4])
{
    __m512i a =
        _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i b =
        _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

static float quantise_256(const float *x, int8_t *q, int16_t *bs16, int16_t *bs32)
{
    float inverse, d = block_scale(max_bits_256(x), &inverse);
    __m512i sums_of_4[4]; // of a run of 64 codes, its four lanes being 16 each

    if (inverse == 0) {
        memset(q, 0, 256);
        memset(bs16, 0, 16 * sizeof *bs16);
        memset(bs32, 0, 8 * sizeof *bs32);
        return d;
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        __m512i codes = codes64(x + 64 * i, all16(inverse));
        _mm512_storeu_si512(q + 64 * i, codes);
        sums_of_4[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), codes);
    }
    __m512i sums = lanes_to_runs(sums_of_lanes(sums_of_4));
    __m256i sums_of_16 = _mm512_cvtepi32_epi16(sums);
    __m256i sums_of_32 = _mm256_madd_epi16(sums_of_16, _mm256_set1_epi16(1));
    _mm256_storeu_si256((__m256i *)(void *)bs16, sums_of_16);
    _mm_storeu_si128((__m128i *)(void *)bs32, _mm256_cvtepi32_epi16(sums_of_32));
    return d;
}

/* 16 x 16 words: out[j][i] = in[i][j]; rows are 16 words apart in out, in_bytes in in. */
INLINE void transpose_16x16(uint8_t *out, const uint8_t *in, size_t in_bytes)
{
    __m512i a[16], b[16];

#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++) a[i] = _mm512_loadu_si512(in + i * in_bytes);
#pragma GCC unroll 8
    for (size_t i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 16; i += 4) { // a[i + j]: word j of each lane of rows i .. i + 3
        a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
        a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
        a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
        a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) { // lanes of rows 0-7, then of rows 8-15
        __m512i low_even = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x88);
        __m512i low_odd = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xdd);
        __m512i high_even = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x88);
        __m512i high_odd = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xdd);
        _mm512_storeu_si512(out + j * 64, _mm512_shuffle_i32x4(low_even, high_even, 0x88));
        _mm512_storeu_si512(out + (4 + j) * 64, _mm512_shuffle_i32x4(low_odd, high_odd, 0x88));
        _mm512_storeu_si512(out + (8 + j) * 64, _mm512_shuffle_i32x4(low_even, high_even, 0xdd));
        _mm512_storeu_si512(out + (12 + j) * 64, _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd));
    }
}

/* out[word][16 rows] from 16 rows of n_words, in_bytes apart. */
static void transpose_words(void *out, const void *in, size_t in_bytes, size_t n_words)
{
    uint8_t *to = out;
    const uint8_t *from = in;
    size_t word = 0;

    for (; word + 16 <= n_words; word += 16)
        transpose_16x16(to + word * 64, from + word * 4, in_bytes);
    for (; word < n_words; word++)
        for (size_t row = 0; row < ACTS_PANEL_ROWS; row++)
            memcpy(to + word * 64 + row * 4, from + row * in_bytes + word * 4, 4);
}

void acts_fill_avx512(
    Acts *acts, const float *x, size_t x_stride, const uint32_t *index, uint32_t unit)
{
    static const StripFunctions functions = {quantise_32, quantise_256, transpose_words};

    strips_fill(&functions, acts, x, x_stride, index, unit);
}

/* Quantising activations, 32 floats at a time; strips and panels are acts_strips.h. */
#include "kernels/acts.h"

#include "kernels/acts_strips.h"
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/functions.h"

#include <string.h>

/* The largest |x| as bits; n is a multiple of 32. */
INLINE uint32_t max_bits(const float *x, size_t n)
{
    const __m256 sign = all8(-0.0f);
    __m256i max[4] = {0};

    for (size_t i = 0; i < n; i += 32)
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            __m256 v = _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i + 8 * j));
            max[j] = _mm256_max_epi32(max[j], _mm256_castps_si256(v));
        }
    __m256i eight =
        _mm256_max_epi32(_mm256_max_epi32(max[0], max[1]), _mm256_max_epi32(max[2], max[3]));
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    __m128i two = _mm_max_epi32(four, _mm_unpackhi_epi64(four, four));
    return (uint32_t)_mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 1)));
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

INLINE __m256i rounded8(const float *x, __m256 inverse)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
}

/* The codes of 32 floats, in order. */
INLINE __m256i codes32(const float *x, __m256 inverse)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i a = _mm256_packs_epi32(rounded8(x, inverse), rounded8(x + 8, inverse));
    __m256i b = _mm256_packs_epi32(rounded8(x + 16, inverse), rounded8(x + 24, inverse));
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);
}

/* Sums of four neighbours each: 8 numbers. */
INLINE __m256i sums_of_4(__m256i codes)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), codes);
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static float quantise_32(const float *x, int8_t *q, int32_t *sum)
{
    float inverse, d = block_scale(max_bits(x, 32), &inverse);

    if (inverse == 0) {
        memset(q, 0, 32);
        *sum = 0;
        return d;
    }
    __m256i codes = codes32(x, all8(inverse));
    _mm256_storeu_si256((__m256i *)(void *)q, codes);
    __m256i s = sums_of_4(codes);
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    *sum = _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
    return d;
}

/* Sums of 16 of four runs of 32 codes. Low half: the first 16 of each run; high half: the
 * last 16. */
INLINE __m256i sums_of_16(const __m256i s[4])
{
    return _mm256_hadd_epi32(_mm256_hadd_epi32(s[0], s[1]), _mm256_hadd_epi32(s[2], s[3]));
}

/* The 8 sums of 16 in order. */
INLINE __m128i ordered_sums(__m256i sums)
{
    __m128i low = _mm256_castsi256_si128(sums), high = _mm256_extracti128_si256(sums, 1);
    return _mm_packs_epi32(_mm_unpacklo_epi32(low, high), _mm_unpackhi_epi32(low, high));
}

static float quantise_256(const float *x, int8_t *q, int16_t *bs16, int16_t *bs32)
{
    float inverse, d = block_scale(max_bits(x, 256), &inverse);
    __m256i s[8];

    if (inverse == 0) {
        memset(q, 0, 256);
        memset(bs16, 0, 16 * sizeof *bs16);
        memset(bs32, 0, 8 * sizeof *bs32);
        return d;
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        __m256i codes = codes32(x + 32 * i, all8(inverse));
        _mm256_storeu_si256((__m256i *)(void *)(q + 32 * i), codes);
        s[i] = sums_of_4(codes);
    }
    __m128i low = ordered_sums(sums_of_16(s)), high = ordered_sums(sums_of_16(s + 4));
    const __m128i one = _mm_set1_epi16(1);
    __m128i sums_of_32 = _mm_packs_epi32(_mm_madd_epi16(low, one), _mm_madd_epi16(high, one));
    _mm_storeu_si128((__m128i *)(void *)bs16, low);
    _mm_storeu_si128((__m128i *)(void *)(bs16 + 8), high);
    _mm_storeu_si128((__m128i *)(void *)bs32, sums_of_32);
    return d;
}

/* 8 x 8 words: out[j][i] = in[i][j], rows of 16 words out, in_bytes apart in. */
INLINE void transpose_8x8(uint8_t *out, const uint8_t *in, size_t in_bytes)
{
    __m256i a[8], b[8];

#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        a[i] = _mm256_loadu_si256((const __m256i *)(const void *)(in + i * in_bytes));
#pragma GCC unroll 4
    for (size_t i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_epi32(a[i], a[i + 1]);
    }
#pragma GCC unroll 2
    for (size_t i = 0; i < 8; i += 4) {
        a[i] = _mm256_unpacklo_epi64(b[i], b[i + 2]);
        a[i + 1] = _mm256_unpackhi_epi64(b[i], b[i + 2]);
        a[i + 2] = _mm256_unpacklo_epi64(b[i + 1], b[i + 3]);
        a[i + 3] = _mm256_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        __m256i *low = (__m256i *)(void *)(out + i * 64);
        __m256i *high = (__m256i *)(void *)(out + (i + 4) * 64);
        _mm256_storeu_si256(low, _mm256_permute2x128_si256(a[i], a[i + 4], 0x20));
        _mm256_storeu_si256(high, _mm256_permute2x128_si256(a[i], a[i + 4], 0x31));
    }
}

/* out[word][16 rows] from 16 rows of n_words, in_bytes apart. */
static void transpose_words(void *out, const void *in, size_t in_bytes, size_t n_words)
{
    uint8_t *to = out;
    const uint8_t *from = in;
    size_t word = 0;

    for (; word + 8 <= n_words; word += 8) {
        transpose_8x8(to + word * 64, from + word * 4, in_bytes);
        transpose_8x8(to + word * 64 + 32, from + 8 * in_bytes + word * 4, in_bytes);
    }
    for (; word < n_words; word++)
        for (size_t row = 0; row < ACTS_PANEL_ROWS; row++)
            memcpy(to + word * 64 + row * 4, from + row * in_bytes + word * 4, 4);
}

void acts_fill_avx2(
    Acts *acts, const float *x, size_t x_stride, const uint32_t *index, uint32_t unit)
{
    static const StripFunctions functions = {quantise_32, quantise_256, transpose_words};

    strips_fill(&functions, acts, x, x_stride, index, unit);
}

/* What the AVX2 matmul files share: sums across lanes, the walk over weight rows, and the
 * way from lanes to the output.
 *
 * The float chain of an output may not be cut (canonical arithmetic, section 4), so lanes
 * are outputs: the eight weight rows of a strip where there are few activation rows, and
 * eight activation rows of a panel where there are many. */
#ifndef HYPURA_KERNELS_AVX2_MATMUL_H
#define HYPURA_KERNELS_AVX2_MATMUL_H

#include "kernels/avx2/functions.h"

#include <stdbool.h>
#include <string.h>

/* Arrays of vectors are registers only where their loops are unrolled, and neither compiler
 * does that at -O2 by itself. */
#ifdef __clang__
#    define UNROLL _Pragma("unroll")
#else
#    define UNROLL _Pragma("GCC unroll 16")
#endif

#define STRIP_ROWS  8
#define PANEL_LANES 8 // activation rows of half a panel

/* Memory is fetched in the order of addresses, at least this far ahead. */
#define PREFETCH_BYTES_MIN 8192

INLINE __m128i load_128(const void *p)
{
    return _mm_loadu_si128(p);
}

INLINE __m256i load_256(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* The same 16 bytes in both lanes. */
INLINE __m256i load_twice(const void *p)
{
    return _mm256_broadcastsi128_si256(load_128(p));
}

INLINE void store_256(void *p, __m256i v)
{
    _mm256_storeu_si256(p, v);
}

INLINE int16_t load_i16(const void *p)
{
    int16_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

INLINE int32_t load_i32(const void *p)
{
    int32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

INLINE int64_t load_i64(const void *p)
{
    int64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

/* Elements 0 to 15 are the low nibbles of 16 bytes, 16 to 31 the high ones. */
INLINE __m256i nibbles_16(const uint8_t *p)
{
    __m256i v = _mm256_srlv_epi64(load_twice(p), _mm256_setr_epi64x(0, 0, 4, 4));
    return _mm256_and_si256(v, _mm256_set1_epi8(15));
}

/* The f16 at an offset in each of the blocks of a strip. */
INLINE __m256 load_f16s(const uint8_t *const block[STRIP_ROWS], size_t offset)
{
    return _mm256_cvtph_ps(_mm_set_epi16(load_i16(block[7] + offset), load_i16(block[6] + offset),
        load_i16(block[5] + offset), load_i16(block[4] + offset), load_i16(block[3] + offset),
        load_i16(block[2] + offset), load_i16(block[1] + offset), load_i16(block[0] + offset)));
}

/* Both 128-bit lanes of two vectors added: lane 0 of the result is that of x. */
INLINE __m256i sum_of_halves(__m256i x, __m256i y)
{
    return _mm256_add_epi32(
        _mm256_permute2x128_si256(x, y, 0x20), _mm256_permute2x128_si256(x, y, 0x31));
}

/* Lane i of the result: the sum of the eight lanes of v[i]. */
INLINE __m256i sum_rows(const __m256i v[STRIP_ROWS])
{
    __m256i low = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
    __m256i high = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
    return sum_of_halves(low, high);
}

/* A value in its register, here. gcc would add a chain of sums as a tree, all of whose leaves
 * are spilled, and load an operand again for each use. */
INLINE __m256i keep(__m256i v)
{
    __asm__("" : "+x"(v));
    return v;
}

/* Signed bytes times signed bytes, neighbours added: |w| times a with the sign of w. |-128|
 * is right as an unsigned byte, and codes of activations are never -128, so a pair is at
 * most 2 * 128 * 127 = 32512. */
INLINE __m256i multiply_signed(__m256i w, __m256i a)
{
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w));
}

/* Two vectors of a panel: the first eight activation rows, and the rest where n_halves is
 * 2. Both compilers keep a struct in registers more readily than an array. */
typedef struct Pair {
    __m256i low, high;
} Pair;

INLINE Pair pair_zero(void)
{
    return (Pair){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

INLINE Pair pair_load(uint32_t n_halves, const void *p)
{
    const uint8_t *bytes = p;
    __m256i low = keep(load_256(bytes));
    return (Pair){low, n_halves == 2 ? keep(load_256(bytes + 32)) : low};
}

/* Beyond the end of a mapping a prefetch does nothing. */
INLINE void prefetch(const uint8_t *p, uint32_t n_bytes)
{
    UNROLL
    for (uint32_t line = 0; line < n_bytes; line += 64)
        _mm_prefetch((const char *)p + line, _MM_HINT_T0);
}

typedef struct Weights {
    const uint8_t *w;
    size_t row_bytes, ahead_bytes;
    uint32_t n_out;
} Weights;

/* Eight adjacent rows; past the last row of the matrix that one stands again. */
typedef struct Strip {
    const uint8_t *row[STRIP_ROWS];
    const uint8_t *ahead; // what to prefetch while the strip is read: as many bytes
} Strip;

INLINE Weights weights_begin(const uint8_t *w, size_t row_bytes, uint32_t n_out)
{
    size_t strip_bytes = STRIP_ROWS * row_bytes;
    return (Weights){
        w, row_bytes, strip_bytes > PREFETCH_BYTES_MIN ? strip_bytes : PREFETCH_BYTES_MIN, n_out};
}

INLINE Strip weights_strip(const Weights *weights, uint32_t row)
{
    const uint8_t *first = weights->w + row * weights->row_bytes;
    Strip strip = {.ahead = first + weights->ahead_bytes};

    for (uint32_t i = 0; i < STRIP_ROWS; i++) {
        uint32_t last = weights->n_out - 1 - row;
        strip.row[i] = first + (i < last ? i : last) * weights->row_bytes;
    }
    return strip;
}

/* 8 x 8 floats: lane j of v[i] becomes lane i of v[j]. */
INLINE void transpose_8x8(__m256 v[8])
{
    __m256 a[8], b[8];

    UNROLL
    for (uint32_t i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    UNROLL
    for (uint32_t i = 0; i < 8; i += 4) {
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
    UNROLL
    for (uint32_t i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

/* Where results go: y[t * y_stride + row], t < n_rows, row < n_out. */
typedef struct Output {
    float *y;
    size_t y_stride;
    uint32_t n_out, n_rows;
} Output;

/* Stores the chains of a strip and half a panel: acc[i], lane t, is of weight row `row` + i and
 * activation row `first` + t. */
INLINE void output_store(const Output *out, __m256 acc[STRIP_ROWS], uint32_t row, uint32_t first)
{
    uint32_t n = out->n_rows - first < PANEL_LANES ? out->n_rows - first : PANEL_LANES;
    __m256 turned[STRIP_ROWS];

    memcpy(turned, acc, sizeof turned);
    transpose_8x8(turned);
    for (uint32_t t = 0; t < n; t++)
        store_row(out->y + (first + t) * out->y_stride, row, out->n_out, turned[t]);
}

/* The opposite of output_store(). */
INLINE void output_load(const Output *out, __m256 acc[STRIP_ROWS], uint32_t row, uint32_t first)
{
    uint32_t n = out->n_rows - first < PANEL_LANES ? out->n_rows - first : PANEL_LANES;
    __m256 turned[STRIP_ROWS] = {0};

    for (uint32_t t = 0; t < n; t++)
        turned[t] = load_row(out->y + (first + t) * out->y_stride, row, out->n_out);
    transpose_8x8(turned);
    memcpy(acc, turned, sizeof turned);
}

#endif

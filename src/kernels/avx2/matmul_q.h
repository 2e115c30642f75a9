/* Types with 32-element blocks for few activation rows: lanes are weight rows.
 * matmul_q_panels.h has the many.
 *
 * Bound: about ten vector operations a block, a fourth of them for its scale and a third for
 * the sum across lanes. */
#ifndef HYPURA_KERNELS_AVX2_MATMUL_Q_H
#define HYPURA_KERNELS_AVX2_MATMUL_Q_H

#include "kernels/acts.h"
#include "kernels/avx2/matmul.h"

#define Q_ELEMENTS 32
#define Q_ROWS_MAX (ACTS_PANEL_ROWS_MIN - 1)

/* What a type is made of. */
typedef struct QType {
    uint32_t block_bytes;
    int32_t bias;       // subtracted from each unsigned code
    uint32_t n_chained; // products of pairs that can be added in 16 bits; 1: codes are signed
    __m256i (*codes)(const uint8_t *block); // 32, in natural order
    /* The scales and offsets of the blocks of a strip; without offsets NULL. */
    __m256 (*scales)(const uint8_t *const block[STRIP_ROWS]);
    __m256 (*mins)(const uint8_t *const block[STRIP_ROWS]);
} QType;

INLINE __m256i q_multiply(QType type, __m256i w, __m256i a)
{
    return type.n_chained == 1 ? multiply_signed(w, a) : _mm256_maddubs_epi16(w, a);
}

/* Lane i of the result: the sum of the 16 words of p[i]. Unsigned codes are small enough for
 * two additions in 16 bits. */
INLINE __m256i q_sum_rows(QType type, const __m256i p[STRIP_ROWS])
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i wide[STRIP_ROWS];

    if (type.n_chained == 1) {
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) wide[i] = _mm256_madd_epi16(p[i], ones);
        return sum_rows(wide);
    }
    __m256i low = _mm256_hadd_epi16(_mm256_hadd_epi16(p[0], p[1]), _mm256_hadd_epi16(p[2], p[3]));
    __m256i high = _mm256_hadd_epi16(_mm256_hadd_epi16(p[4], p[5]), _mm256_hadd_epi16(p[6], p[7]));
    return sum_of_halves(_mm256_madd_epi16(low, ones), _mm256_madd_epi16(high, ones));
}

/* One column of a strip against all activation rows. */
INLINE void q_column(QType type, uint32_t n_rows, __m256 acc[Q_ROWS_MAX], const Strip *strip,
    const ActsRecord records[Q_ROWS_MAX], size_t column)
{
    const uint8_t *block[STRIP_ROWS];
    __m256i codes[STRIP_ROWS];

    prefetch(strip->ahead + column * STRIP_ROWS * type.block_bytes, STRIP_ROWS * type.block_bytes);
    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++) {
        block[i] = strip->row[i] + column * type.block_bytes;
        codes[i] = type.codes(block[i]);
    }
    __m256 dw = type.scales(block), mw = type.mins ? type.mins(block) : _mm256_setzero_ps();
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) {
        __m256i a = load_256(records[t].q + column * Q_ELEMENTS), p[STRIP_ROWS];
        __m256 da = _mm256_broadcast_ss(records[t].d + column);
        int32_t sum = records[t].sums[column];
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) p[i] = q_multiply(type, codes[i], a);
        __m256i isum = q_sum_rows(type, p);
        if (type.bias > 0) isum = _mm256_sub_epi32(isum, _mm256_set1_epi32(type.bias * sum));
        acc[t] = _mm256_fmadd_ps(_mm256_mul_ps(dw, da), _mm256_cvtepi32_ps(isum), acc[t]);
        if (type.mins) acc[t] = _mm256_fmadd_ps(_mm256_mul_ps(mw, da), all8((float)sum), acc[t]);
    }
}

INLINE void q_rows(QType type, uint32_t n_rows, float *y, size_t y_stride, const uint8_t *w,
    size_t row_bytes, uint32_t n_out, const Acts *acts)
{
    Weights weights = weights_begin(w, row_bytes, n_out);
    uint32_t n_columns = acts->n_cols / Q_ELEMENTS;
    ActsRecord records[Q_ROWS_MAX];

    for (uint32_t t = 0; t < n_rows; t++) records[t] = acts_record(acts, t);
    for (uint32_t row = 0; row < n_out; row += STRIP_ROWS) {
        Strip strip = weights_strip(&weights, row);
        __m256 acc[Q_ROWS_MAX] = {0};
        for (uint32_t column = 0; column < n_columns; column++)
            q_column(type, n_rows, acc, &strip, records, column);
        UNROLL
        for (uint32_t t = 0; t < n_rows; t++) store_row(y + t * y_stride, row, n_out, acc[t]);
    }
}

#endif

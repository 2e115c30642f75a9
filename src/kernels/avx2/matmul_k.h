/* Super-block types (256 elements) for few activation rows: a weight row streams past once,
 * lanes are weight rows. matmul_k_panels.h has the many.
 *
 * Bound: from memory by its bandwidth, from L2 inwards by vector operations, about 50 for a
 * Q4_K block of 144 bytes. */
#ifndef HYPURA_KERNELS_AVX2_MATMUL_K_H
#define HYPURA_KERNELS_AVX2_MATMUL_K_H

#include "kernels/acts.h"
#include "kernels/avx2/matmul.h"

#define K_ELEMENTS 256
#define K_VECTORS  8 // of 32 elements
#define K_ROWS_MAX (ACTS_PANEL_ROWS_MIN - 1)

/* What a type finds at the heads of the eight blocks of a strip; lanes are rows. */
typedef struct KHeads {
    __m256 dw, dmin;
    __m256i mins[8]; // int16 pairs: the minima of groups 2p and 2p + 1 are a dword of mins[p]
    _Alignas(32) uint8_t scales[STRIP_ROWS * 8]; // as the type likes them
} KHeads;

/* What a type is made of. Codes are unsigned, and `bias` is subtracted from each; or they
 * are signed. They stand in natural order. */
typedef struct KType {
    uint32_t block_bytes;
    bool is_signed;
    int32_t bias;       // 0 or a power of two, with 16 groups
    uint32_t n_groups;  // 8 of 32 elements, or 16 of 16
    uint32_t n_minima;  // 0 or n_groups
    uint32_t n_chained; // panels: how many products of pairs are added in 16 bits
    void (*heads)(KHeads *heads, const uint8_t *const block[STRIP_ROWS]);
    void (*unpack)(__m256i codes[K_VECTORS], const uint8_t *block);
    /* The scales as int16: of 8 groups in order, twice; of 16 the even ones, then the odd. So
     * word i of both lanes belongs to vector i of the codes. */
    __m256i (*scales)(const KHeads *heads, uint32_t row, const uint8_t *block);
} KType;

/* 16 sums in the order of scales(). */
INLINE __m256i k_even_odd(__m256i words)
{
    const __m256i sort = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(words, sort), 0xd8);
}

/* Word i of each lane, eight times. */
INLINE __m256i k_scale_of(__m256i scales, uint32_t i)
{
    return _mm256_shuffle_epi8(scales, _mm256_set1_epi16((short)(0x0100 + 0x0202 * i)));
}

INLINE __m256i k_multiply(KType type, __m256i w, __m256i a)
{
    return type.is_signed ? multiply_signed(w, a) : _mm256_maddubs_epi16(w, a);
}

INLINE int k_bias_shift(KType type)
{
    return __builtin_ctz((unsigned)type.bias);
}

/* isum in any lanes: the sum over the groups of scale * (code - bias) * a. sums: bs16 in the
 * order of the scales, used with a bias only. */
INLINE __m256i k_isum(
    KType type, const __m256i codes[K_VECTORS], __m256i scales, const int8_t *q, __m256i sums)
{
    __m256i isum = _mm256_setzero_si256();

    UNROLL
    for (uint32_t i = 0; i < K_VECTORS; i++) {
        __m256i p = k_multiply(type, codes[i], load_256(q + 32 * i));
        isum = keep(_mm256_add_epi32(isum, _mm256_madd_epi16(p, k_scale_of(scales, i))));
    }
    if (type.bias == 0) return isum;
    __m256i excess = _mm256_slli_epi32(_mm256_madd_epi16(scales, sums), k_bias_shift(type));
    return _mm256_sub_epi32(isum, excess);
}

/* msum of a strip; sums: bs32 or bs16 of the column. */
INLINE __m256i k_msum(KType type, const KHeads *heads, const int16_t *sums)
{
    __m256i msum = _mm256_setzero_si256();

    UNROLL
    for (uint32_t p = 0; p < type.n_minima / 2; p++)
        msum = _mm256_add_epi32(
            msum, _mm256_madd_epi16(heads->mins[p], _mm256_set1_epi32(load_i32(sums + 2 * p))));
    return msum;
}

/* One step of the chains of a strip and activation row. */
INLINE __m256 k_chain(KType type, __m256 acc, const KHeads *heads, const ActsRecord *record,
    size_t column, __m256i isum)
{
    __m256 da = _mm256_broadcast_ss(record->d + column);
    const int16_t *sums = (type.n_groups == 8 ? record->bs32 : record->bs16);

    acc = _mm256_fmadd_ps(_mm256_mul_ps(heads->dw, da), _mm256_cvtepi32_ps(isum), acc);
    if (type.n_minima == 0) return acc;
    __m256i msum = k_msum(type, heads, sums + column * type.n_groups);
    return _mm256_fnmadd_ps(_mm256_mul_ps(heads->dmin, da), _mm256_cvtepi32_ps(msum), acc);
}

/* One column of a strip against all activation rows. */
INLINE void k_column(KType type, uint32_t n_rows, __m256 acc[K_ROWS_MAX], const Strip *strip,
    const ActsRecord records[K_ROWS_MAX], size_t column)
{
    const uint8_t *ahead = strip->ahead + column * STRIP_ROWS * type.block_bytes;
    const uint8_t *block[STRIP_ROWS];
    __m256i sum[K_ROWS_MAX][STRIP_ROWS], sums[K_ROWS_MAX];
    KHeads heads;

    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++) block[i] = strip->row[i] + column * type.block_bytes;
    type.heads(&heads, block);
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++)
        sums[t] = type.bias == 0 ? _mm256_setzero_si256()
                                 : k_even_odd(load_256(records[t].bs16 + column * 16));
    for (uint32_t i = 0; i < STRIP_ROWS; i++) {
        __m256i codes[K_VECTORS];
        prefetch(ahead + i * type.block_bytes, type.block_bytes);
        __m256i scales = type.scales(&heads, i, block[i]);
        type.unpack(codes, block[i]);
        UNROLL
        for (uint32_t t = 0; t < n_rows; t++)
            sum[t][i] = k_isum(type, codes, scales, records[t].q + column * K_ELEMENTS, sums[t]);
    }
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++)
        acc[t] = k_chain(type, acc[t], &heads, &records[t], column, sum_rows(sum[t]));
}

INLINE void k_rows(KType type, uint32_t n_rows, float *y, size_t y_stride, const uint8_t *w,
    size_t row_bytes, uint32_t n_out, const Acts *acts)
{
    Weights weights = weights_begin(w, row_bytes, n_out);
    uint32_t n_columns = acts->n_cols / K_ELEMENTS;
    ActsRecord records[K_ROWS_MAX];

    for (uint32_t t = 0; t < n_rows; t++) records[t] = acts_record(acts, t);
    for (uint32_t row = 0; row < n_out; row += STRIP_ROWS) {
        Strip strip = weights_strip(&weights, row);
        __m256 acc[K_ROWS_MAX] = {0};
        for (uint32_t column = 0; column < n_columns; column++)
            k_column(type, n_rows, acc, &strip, records, column);
        UNROLL
        for (uint32_t t = 0; t < n_rows; t++) store_row(y + t * y_stride, row, n_out, acc[t]);
    }
}

#endif

/* ref/lanes.h in two registers: the 16 virtual lanes, and long rows 16 floats at a time. */
#ifndef HYPURA_KERNELS_AVX2_LANES_H
#define HYPURA_KERNELS_AVX2_LANES_H

#include "kernels/avx2/functions.h"

typedef struct Lanes8 {
    __m256 low, high; // lanes 0-7, 8-15
} Lanes8;

/* Floats k .. k + 15 of a row of n; beyond its end +0, and nothing is read there. */
INLINE Lanes8 lanes_load(const float *x, size_t k, size_t n)
{
    return (Lanes8){load_row(x, k, n), n - k > 8 ? load_row(x, k + 8, n) : _mm256_setzero_ps()};
}

INLINE void lanes_store(float *y, size_t k, size_t n, Lanes8 v)
{
    store_row(y, k, n, v.low);
    if (n - k > 8) store_row(y, k + 8, n, v.high);
}

/* All bits where row element k + lane exists. */
INLINE Lanes8 lanes_present(size_t k, size_t n)
{
    size_t rest = n - k;

    return (Lanes8){_mm256_castsi256_ps(first_lanes(rest < 8 ? rest : 8)),
        _mm256_castsi256_ps(first_lanes(rest < 8    ? 0
                                        : rest < 16 ? rest - 8
                                                    : 8))};
}

/* tree16 */
INLINE float lanes_total8(Lanes8 lanes)
{
    __m256 eight = _mm256_add_ps(lanes.low, lanes.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* The largest lane; either zero where both are. */
INLINE float lanes_max8(Lanes8 lanes)
{
    __m256 eight = _mm256_max_ps(lanes.low, lanes.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#endif

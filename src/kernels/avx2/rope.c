/* The rotation of rope; its tables are float64 and scalar everywhere (ref/rope.c).
 *   x0' = fma(x0, C, -(x1 * S))      x1' = fma(x0, S, x1 * C)                            */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/functions.h"

static void rotate_halves(float *x0, float *x1, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        __m256 a = load_row(x0, i, n), b = load_row(x1, i, n);
        __m256 c = load_row(cos, i, n), s = load_row(sin, i, n);
        store_row(x0, i, n, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
        store_row(x1, i, n, _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c)));
    }
}

/* Elements i .. i + 3 of a row of n, as load_row. */
INLINE __m128 load_half_row(const float *x, size_t i, size_t n)
{
    if (n - i >= 4) return _mm_loadu_ps(x + i);
    return _mm256_castps256_ps128(load_row(x, i, n));
}

/* Four pairs side by side: even lanes subtract, odd lanes add. */
static void rotate_pairs(float *x, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i += 4) {
        __m256 v = load_row(x, 2 * i, 2 * n);
        __m128 c = load_half_row(cos, i, n), s = load_half_row(sin, i, n);
        __m256 cs = _mm256_set_m128(_mm_unpackhi_ps(c, s), _mm_unpacklo_ps(c, s));
        __m256 sc = _mm256_set_m128(_mm_unpackhi_ps(s, c), _mm_unpacklo_ps(s, c));
        __m256 product = _mm256_mul_ps(_mm256_movehdup_ps(v), sc);
        store_row(x, 2 * i, 2 * n, _mm256_fmaddsub_ps(_mm256_moveldup_ps(v), cs, product));
    }
}

void rope_avx2(RopeStyle style, float *x, const float *cos, const float *sin, uint32_t n_rot)
{
    size_t n = n_rot / 2;

    if (style == ROPE_HALF_SPLIT)
        rotate_halves(x, x + n, cos, sin, n);
    else
        rotate_pairs(x, cos, sin, n);
}

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

/* Four pairs side by side, rotated: even lanes subtract, odd lanes add. */
INLINE __m256 rotated_pairs(__m256 x, __m128 c, __m128 s)
{
    __m256 cs = _mm256_set_m128(_mm_unpackhi_ps(c, s), _mm_unpacklo_ps(c, s));
    __m256 sc = _mm256_set_m128(_mm_unpackhi_ps(s, c), _mm_unpacklo_ps(s, c));
    __m256 product = _mm256_mul_ps(_mm256_movehdup_ps(x), sc);

    return _mm256_fmaddsub_ps(_mm256_moveldup_ps(x), cs, product);
}

static void rotate_pairs(float *x, const float *cos, const float *sin, size_t n)
{
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        __m128 c = _mm_loadu_ps(cos + i), s = _mm_loadu_ps(sin + i);
        _mm256_storeu_ps(x + 2 * i, rotated_pairs(_mm256_loadu_ps(x + 2 * i), c, s));
    }
    if (i == n) return;
    __m128 c = _mm256_castps256_ps128(load_row(cos, i, n));
    __m128 s = _mm256_castps256_ps128(load_row(sin, i, n));
    store_row(x, 2 * i, 2 * n, rotated_pairs(load_row(x, 2 * i, 2 * n), c, s));
}

void rope_avx2(RopeStyle style, float *x, const float *cos, const float *sin, uint32_t n_rot)
{
    size_t n = n_rot / 2;

    if (style == ROPE_HALF_SPLIT)
        rotate_halves(x, x + n, cos, sin, n);
    else
        rotate_pairs(x, cos, sin, n);
}

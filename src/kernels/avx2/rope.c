/* The rotation of rope; its tables are float64 and scalar everywhere (ref/rope.c).
 *   x0' = fma(x0, C, -(x1 * S))      x1' = fma(x0, S, x1 * C)                            */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/functions.h"

static void rotate_halves(float *x0, float *x1, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        size_t rest = n - i < 8 ? n - i : 8;
        __m256 a = load_first(x0 + i, rest), b = load_first(x1 + i, rest);
        __m256 c = load_first(cos + i, rest), s = load_first(sin + i, rest);
        store_first(x0 + i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)), rest);
        store_first(x1 + i, _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c)), rest);
    }
}

/* Four pairs side by side: even lanes subtract, odd lanes add. */
static void rotate_pairs(float *x, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i += 4) {
        size_t rest = n - i < 4 ? n - i : 4;
        __m256 v = load_first(x + 2 * i, 2 * rest);
        __m128 c = _mm256_castps256_ps128(load_first(cos + i, rest));
        __m128 s = _mm256_castps256_ps128(load_first(sin + i, rest));
        __m256 cs = _mm256_set_m128(_mm_unpackhi_ps(c, s), _mm_unpacklo_ps(c, s));
        __m256 sc = _mm256_set_m128(_mm_unpackhi_ps(s, c), _mm_unpacklo_ps(s, c));
        __m256 product = _mm256_mul_ps(_mm256_movehdup_ps(v), sc);
        store_first(x + 2 * i, _mm256_fmaddsub_ps(_mm256_moveldup_ps(v), cs, product), 2 * rest);
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

/* Elementwise work, 8 floats at a time. Each function is one loop around one function of
 * functions.h, which is inlined into it. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/functions.h"

typedef __m256 Function8(__m256 x);

INLINE void map(Function8 *f, float *y, const float *x, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(y + i, f(_mm256_loadu_ps(x + i)));
    store_first(y + i, f(load_first(x + i, n - i)), n - i);
}

/* y = f(gate) * up */
INLINE void map_mul(Function8 *f, float *y, const float *gate, const float *up, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256 g = f(_mm256_loadu_ps(gate + i));
        _mm256_storeu_ps(y + i, _mm256_mul_ps(g, _mm256_loadu_ps(up + i)));
    }
    __m256 g = f(load_first(gate + i, n - i));
    store_first(y + i, _mm256_mul_ps(g, load_first(up + i, n - i)), n - i);
}

void sigmoid_avx2(float *y, const float *x, size_t n)
{
    map(sigmoid8, y, x, n);
}

void activate_avx2(Activation f, float *y, const float *x, size_t n)
{
    switch (f) {
    case ACTIVATION_SILU: map(silu8, y, x, n); break;
    case ACTIVATION_GELU_TANH: map(gelu_tanh8, y, x, n); break;
    case ACTIVATION_GELU_ERF: map(gelu_erf8, y, x, n); break;
    case ACTIVATION_GELU_QUICK: map(gelu_quick8, y, x, n); break;
    case ACTIVATIONS: break;
    }
}

void activate_mul_avx2(Activation f, float *y, const float *gate, const float *up, size_t n)
{
    switch (f) {
    case ACTIVATION_SILU: map_mul(silu8, y, gate, up, n); break;
    case ACTIVATION_GELU_TANH: map_mul(gelu_tanh8, y, gate, up, n); break;
    case ACTIVATION_GELU_ERF: map_mul(gelu_erf8, y, gate, up, n); break;
    case ACTIVATION_GELU_QUICK: map_mul(gelu_quick8, y, gate, up, n); break;
    case ACTIVATIONS: break;
    }
}

void softcap_avx2(float *x, float cap, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(x + i, softcap8(_mm256_loadu_ps(x + i), all8(cap)));
    store_first(x + i, softcap8(load_first(x + i, n - i), all8(cap)), n - i);
}

void add_avx2(float *y, const float *x, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_add_ps(_mm256_loadu_ps(y + i), _mm256_loadu_ps(x + i)));
    store_first(y + i, _mm256_add_ps(load_first(y + i, n - i), load_first(x + i, n - i)), n - i);
}

void scale_avx2(float *x, float factor, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), all8(factor)));
    store_first(x + i, _mm256_mul_ps(load_first(x + i, n - i), all8(factor)), n - i);
}

void add_scaled_avx2(float *y, float factor, const float *x, size_t n)
{
    __m256 f = all8(factor);
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_loadu_ps(x + i);
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(f, v, _mm256_loadu_ps(y + i)));
    }
    __m256 v = load_first(x + i, n - i);
    store_first(y + i, _mm256_fmadd_ps(f, v, load_first(y + i, n - i)), n - i);
}

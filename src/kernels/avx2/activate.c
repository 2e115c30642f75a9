/* Elementwise work, 8 floats at a time. Each function is one loop around one function of
 * functions.h, which is inlined into it. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/functions.h"

typedef __m256 Function8(__m256 x);

INLINE void map(Function8 *f, float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 8) store_row(y, i, n, f(load_row(x, i, n)));
}

/* y = f(gate) * up */
INLINE void map_mul(Function8 *f, float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        __m256 g = f(load_row(gate, i, n));
        store_row(y, i, n, _mm256_mul_ps(g, load_row(up, i, n)));
    }
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
    for (size_t i = 0; i < n; i += 8) store_row(x, i, n, softcap8(load_row(x, i, n), all8(cap)));
}

void add_avx2(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 8)
        store_row(y, i, n, _mm256_add_ps(load_row(y, i, n), load_row(x, i, n)));
}

void scale_avx2(float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i += 8)
        store_row(x, i, n, _mm256_mul_ps(load_row(x, i, n), all8(factor)));
}

void add_scaled_avx2(float *y, float factor, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        __m256 sum = _mm256_fmadd_ps(all8(factor), load_row(x, i, n), load_row(y, i, n));
        store_row(y, i, n, sum);
    }
}

/* Functions of rows, 16 floats at a time. Each is one loop around one function of
 * functions.h, which is inlined into it. */
#include "kernels/avx512/avx512.h"
#include "kernels/avx512/functions.h"

typedef __m512 Function16(__m512 x);

INLINE void map(Function16 *f, float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) store_row(y, i, n, f(load_row(x, i, n)));
}

/* y = f(gate) * up */
INLINE void map_mul(Function16 *f, float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        __m512 g = f(load_row(gate, i, n));
        store_row(y, i, n, _mm512_mul_ps(g, load_row(up, i, n)));
    }
}

void sigmoid_avx512(float *y, const float *x, size_t n)
{
    map(sigmoid16, y, x, n);
}

void activate_avx512(Activation f, float *y, const float *x, size_t n)
{
    switch (f) {
    case ACTIVATION_SILU: map(silu16, y, x, n); break;
    case ACTIVATION_GELU_TANH: map(gelu_tanh16, y, x, n); break;
    case ACTIVATION_GELU_ERF: map(gelu_erf16, y, x, n); break;
    case ACTIVATION_GELU_QUICK: map(gelu_quick16, y, x, n); break;
    case ACTIVATIONS: break;
    }
}

void activate_mul_avx512(Activation f, float *y, const float *gate, const float *up, size_t n)
{
    switch (f) {
    case ACTIVATION_SILU: map_mul(silu16, y, gate, up, n); break;
    case ACTIVATION_GELU_TANH: map_mul(gelu_tanh16, y, gate, up, n); break;
    case ACTIVATION_GELU_ERF: map_mul(gelu_erf16, y, gate, up, n); break;
    case ACTIVATION_GELU_QUICK: map_mul(gelu_quick16, y, gate, up, n); break;
    case ACTIVATIONS: break;
    }
}

void softcap_avx512(float *x, float cap, size_t n)
{
    for (size_t i = 0; i < n; i += 16) store_row(x, i, n, softcap16(load_row(x, i, n), all16(cap)));
}

/* Elementwise work on rows: activations, gates, caps, residuals (canonical arithmetic,
 * sections 7 and 10). One rounding per operation that is written here. */
#include "kernels/ref/functions.h"
#include "kernels/ref/ref.h"

#include <math.h>

void sigmoid_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = canonical_sigmoidf(x[i]);
}

void activate_ref(Activation f, float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = canonical_activationf(f, x[i]);
}

void activate_mul_ref(Activation f, float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = canonical_activationf(f, gate[i]) * up[i];
}

void softcap_ref(float *x, float cap, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = canonical_softcapf(x[i], cap);
}

void add_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = y[i] + x[i];
}

void scale_ref(float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = x[i] * factor;
}

void add_scaled_ref(float *y, float factor, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = fmaf(factor, x[i], y[i]);
}

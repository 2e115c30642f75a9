/* Norms (canonical arithmetic, section 8). RMSNorm: Zhang and Sennrich 2019,
 * arXiv:1910.07467. Layer norm: Ba, Kiros and Hinton 2016, arXiv:1607.06450. */
#include "kernels/ref/lanes.h"
#include "kernels/ref/ref.h"

#include <math.h>

void rms_norm_ref(float *y, const float *x, const float *weight, size_t n, float eps)
{
    Lanes squares = {0};

    for (size_t i = 0; i < n; i++)
        squares.sum[i % LANES] = fmaf(x[i], x[i], squares.sum[i % LANES]);
    float s = 1.0f / sqrtf(lanes_total(squares) / (float)n + eps);

    for (size_t i = 0; i < n; i++) y[i] = weight ? (x[i] * s) * weight[i] : x[i] * s;
}

void layer_norm_ref(
    float *y, const float *x, const float *weight, const float *bias, size_t n, float eps)
{
    Lanes sums = {0}, squares = {0};

    for (size_t i = 0; i < n; i++) sums.sum[i % LANES] = sums.sum[i % LANES] + x[i];
    float mean = lanes_total(sums) / (float)n;

    for (size_t i = 0; i < n; i++) {
        float c = x[i] - mean;
        squares.sum[i % LANES] = fmaf(c, c, squares.sum[i % LANES]);
    }
    float s = 1.0f / sqrtf(lanes_total(squares) / (float)n + eps);

    for (size_t i = 0; i < n; i++) {
        float c = (x[i] - mean) * s;
        if (weight && bias)
            y[i] = fmaf(c, weight[i], bias[i]);
        else
            y[i] = weight ? c * weight[i] : c;
    }
}

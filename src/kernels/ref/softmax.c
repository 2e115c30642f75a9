/* Softmax over a row (canonical arithmetic, section 8). */
#include "kernels/ref/lanes.h"
#include "kernels/ref/ref.h"

#include <math.h>

void softmax_ref(float *y, const float *x, size_t n)
{
    Lanes sums = {0};
    float max = -INFINITY;

    for (size_t i = 0; i < n; i++) max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++) {
        y[i] = canonical_expf(x[i] - max);
        sums.sum[i % LANES] = sums.sum[i % LANES] + y[i];
    }
    float total = lanes_total(sums);
    for (size_t i = 0; i < n; i++) y[i] = y[i] / total;
}

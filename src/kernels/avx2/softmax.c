/* Softmax on 16 lanes. The sums are of numbers that are not negative, so the +0 of lanes
 * past the end of the row change nothing. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/lanes.h"

/* The largest element; a NaN is passed over, as `x > max` does. */
static float row_max(const float *x, size_t n)
{
    Lanes8 max = {all8(-INFINITY), all8(-INFINITY)};

    for (size_t i = 0; i < n; i += 16) {
        Lanes8 v = lanes_load(x, i, n), present = lanes_present(i, n);
        v.low = _mm256_blendv_ps(all8(-INFINITY), v.low, present.low);
        v.high = _mm256_blendv_ps(all8(-INFINITY), v.high, present.high);
        max = (Lanes8){_mm256_max_ps(v.low, max.low), _mm256_max_ps(v.high, max.high)};
    }
    return lanes_max8(max);
}

void softmax_avx2(float *y, const float *x, size_t n)
{
    Lanes8 sums = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    __m256 max = all8(row_max(x, n));

    for (size_t i = 0; i < n; i += 16) {
        Lanes8 v = lanes_load(x, i, n), present = lanes_present(i, n);
        v.low = _mm256_and_ps(exp8(_mm256_sub_ps(v.low, max)), present.low);
        v.high = _mm256_and_ps(exp8(_mm256_sub_ps(v.high, max)), present.high);
        sums = (Lanes8){_mm256_add_ps(sums.low, v.low), _mm256_add_ps(sums.high, v.high)};
        lanes_store(y, i, n, v);
    }
    __m256 total = all8(lanes_total8(sums));
    for (size_t i = 0; i < n; i += 16) {
        Lanes8 v = lanes_load(y, i, n);
        v = (Lanes8){_mm256_div_ps(v.low, total), _mm256_div_ps(v.high, total)};
        lanes_store(y, i, n, v);
    }
}

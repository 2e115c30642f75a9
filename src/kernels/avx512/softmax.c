/* Softmax on 16 lanes. The sums are of numbers that are not negative, so the +0 of lanes
 * past the end of the row change nothing. */
#include "kernels/avx512/avx512.h"
#include "kernels/avx512/lanes.h"

void softmax_avx512(float *y, const float *x, size_t n)
{
    __m512 largest = all16(-INFINITY), sums = _mm512_setzero_ps();

    // With the row's element first, a NaN is passed over, as `x > max` does.
    for (size_t i = 0; i < n; i += 16)
        largest = _mm512_mask_max_ps(largest, row_lanes(i, n), load_row(x, i, n), largest);
    __m512 max = all16(lanes_max16(largest));

    for (size_t i = 0; i < n; i += 16) {
        __m512 e = exp16(_mm512_sub_ps(load_row(x, i, n), max));
        e = _mm512_maskz_mov_ps(row_lanes(i, n), e);
        sums = _mm512_add_ps(sums, e);
        store_row(y, i, n, e);
    }
    __m512 total = all16(lanes_total16(sums));
    for (size_t i = 0; i < n; i += 16) store_row(y, i, n, _mm512_div_ps(load_row(y, i, n), total));
}

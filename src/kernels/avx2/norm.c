/* Norms on 16 lanes. Lanes past the end of a row add +0 to a sum that is never -0, which
 * changes nothing: a sum of squares, or of floats that starts at +0. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/lanes.h"

/* sums + x * x, lane by lane */
INLINE Lanes8 add_squares(Lanes8 sums, Lanes8 x)
{
    return (Lanes8){
        _mm256_fmadd_ps(x.low, x.low, sums.low), _mm256_fmadd_ps(x.high, x.high, sums.high)};
}

INLINE Lanes8 scaled(Lanes8 x, __m256 factor)
{
    return (Lanes8){_mm256_mul_ps(x.low, factor), _mm256_mul_ps(x.high, factor)};
}

INLINE Lanes8 product(Lanes8 x, Lanes8 y)
{
    return (Lanes8){_mm256_mul_ps(x.low, y.low), _mm256_mul_ps(x.high, y.high)};
}

void rms_norm_avx2(float *y, const float *x, const float *weight, size_t n, float eps)
{
    Lanes8 squares = {_mm256_setzero_ps(), _mm256_setzero_ps()};

    for (size_t i = 0; i < n; i += 16) squares = add_squares(squares, lanes_load(x, i, n));
    __m256 s = all8(1.0f / sqrtf(lanes_total8(squares) / (float)n + eps));

    if (!weight) {
        for (size_t i = 0; i < n; i += 16) lanes_store(y, i, n, scaled(lanes_load(x, i, n), s));
        return;
    }
    for (size_t i = 0; i < n; i += 16) {
        Lanes8 v = scaled(lanes_load(x, i, n), s);
        lanes_store(y, i, n, product(v, lanes_load(weight, i, n)));
    }
}

/* x - mean, +0 where the row has ended */
INLINE Lanes8 centred(const float *x, size_t i, size_t n, __m256 mean)
{
    Lanes8 v = lanes_load(x, i, n), present = lanes_present(i, n);

    return (Lanes8){_mm256_and_ps(_mm256_sub_ps(v.low, mean), present.low),
        _mm256_and_ps(_mm256_sub_ps(v.high, mean), present.high)};
}

void layer_norm_avx2(
    float *y, const float *x, const float *weight, const float *bias, size_t n, float eps)
{
    Lanes8 sums = {_mm256_setzero_ps(), _mm256_setzero_ps()}, squares = sums;

    for (size_t i = 0; i < n; i += 16) {
        Lanes8 v = lanes_load(x, i, n);
        sums = (Lanes8){_mm256_add_ps(sums.low, v.low), _mm256_add_ps(sums.high, v.high)};
    }
    __m256 mean = all8(lanes_total8(sums) / (float)n);
    for (size_t i = 0; i < n; i += 16) squares = add_squares(squares, centred(x, i, n, mean));
    __m256 s = all8(1.0f / sqrtf(lanes_total8(squares) / (float)n + eps));

    for (size_t i = 0; i < n; i += 16) {
        Lanes8 c = scaled(centred(x, i, n, mean), s);
        if (weight && bias) {
            Lanes8 w = lanes_load(weight, i, n), b = lanes_load(bias, i, n);
            c = (Lanes8){
                _mm256_fmadd_ps(c.low, w.low, b.low), _mm256_fmadd_ps(c.high, w.high, b.high)};
        } else if (weight) {
            c = product(c, lanes_load(weight, i, n));
        }
        lanes_store(y, i, n, c);
    }
}

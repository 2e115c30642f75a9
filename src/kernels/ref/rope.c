/* Rotary position embedding (Su et al. 2021, arXiv:2104.09864; canonical arithmetic,
 * section 8). Angles are float64 and scalar, with + - * / alone, so that every machine has
 * the same; the rotation is float32. The float64 functions are polynomials of our own for
 * the same reason, within 2.2e-16 of the C library up to 1e6 rad. */
#include "kernels/ref/ref.h"

#include <math.h>

// clang-format off
/* 1/k!, each one division by an exact number. */
static const double inverse_factorial[19] = {
    1.0 / 1, 1.0 / 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040,
    1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600,
    1.0 / 6227020800, 1.0 / 87178291200, 1.0 / 1307674368000, 1.0 / 20922789888000,
    1.0 / 355687428096000, 1.0 / 6402373705728000,
};
// clang-format on

double canonical_exp(double x)
{
    double n = rint(x * 0x1.71547652b82fep+0);
    double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;

    double p = inverse_factorial[13];
    for (int k = 12; k >= 0; k--) p = p * r + inverse_factorial[k];
    return ldexp(p, (int)n);
}

double canonical_log(double x)
{
    int e;
    double m = frexp(x, &e);

    if (m < 0x1.6a09e667f3bcdp-1) { // sqrt(1/2)
        m = 2 * m;
        e = e - 1;
    }
    double f = (m - 1) / (m + 1);
    double s = f * f;
    double p = 1.0 / 21;
    for (int k = 19; k >= 1; k -= 2) p = p * s + 1.0 / k;
    return e * 0x1.62e42feep-1 + (e * 0x1.a39ef35793c76p-33 + (2 * f) * p);
}

static void sincos_f64(double angle, double *sin_out, double *cos_out)
{
    double k = rint(angle * 0x1.45f306dc9c883p-1); // quarter turns
    double r = ((angle - k * 0x1.921fb544p+0) - k * 0x1.0b4611a6p-34) - k * 0x1.3198a2e037073p-69;
    double z = r * r;

    double s = inverse_factorial[17];
    for (int j = 15; j >= 3; j -= 2)
        s = j % 4 == 3 ? s * z - inverse_factorial[j] : s * z + inverse_factorial[j];
    double sine = r + (r * z) * s;

    double c = inverse_factorial[16] - inverse_factorial[18] * z;
    for (int j = 14; j >= 4; j -= 2)
        c = j % 4 == 2 ? c * z - inverse_factorial[j] : c * z + inverse_factorial[j];
    c = c * z - 0.5;
    double cosine = 1 + z * c;

    int64_t quadrant = (int64_t)k & 3; // two's complement: -1 is quadrant 3
    double first = quadrant & 1 ? cosine : sine;
    double second = quadrant & 1 ? -sine : cosine;
    *sin_out = quadrant & 2 ? -first : first;
    *cos_out = quadrant & 2 ? -second : second;
}

void rope_inverse_frequencies(double *inv, uint32_t n_rot, double base)
{
    double log_base = canonical_log(base);

    for (uint32_t i = 0; i < n_rot / 2; i++)
        inv[i] = canonical_exp(-((2.0 * i) / n_rot) * log_base);
}

void rope_sincos(
    float *cos, float *sin, const double *inv, uint32_t n_half, double position, double magnitude)
{
    for (uint32_t i = 0; i < n_half; i++) {
        double s, c;
        sincos_f64(position * inv[i], &s, &c);
        cos[i] = (float)(c * magnitude);
        sin[i] = (float)(s * magnitude);
    }
}

void rope_ref(RopeStyle style, float *x, const float *cos, const float *sin, uint32_t n_rot)
{
    uint32_t n_half = n_rot / 2;

    for (uint32_t i = 0; i < n_half; i++) {
        float *x0 = style == ROPE_HALF_SPLIT ? x + i : x + 2 * (size_t)i;
        float *x1 = style == ROPE_HALF_SPLIT ? x + i + n_half : x0 + 1;
        float a = *x0, b = *x1;
        *x0 = fmaf(a, cos[i], -(b * sin[i]));
        *x1 = fmaf(a, sin[i], b * cos[i]);
    }
}

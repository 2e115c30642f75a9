/* Elementwise functions as polynomials of our own, because no two C libraries agree on the
 * last bit of exp. Canonical arithmetic, section 7, gives constants, order and error bounds;
 * overlays repeat each step on more lanes. Only fmaf, rintf, fabsf and copysignf come from
 * the C library: they are exact by definition. */
#include "kernels/ref/functions.h"

#include "quant/f16.h"

#include <math.h>

float canonical_expf(float x)
{
    if (isnan(x)) return x;
    if (x > 88.0f) return INFINITY;
    if (x < -86.0f) return 0.0f;

    float n = rintf(x * 0x1.715476p+0f); // 1 / ln 2
    float r = fmaf(n, -0x1.62e4p-1f, x); // ln 2 in two parts
    r = fmaf(n, -0x1.7f7d1cp-20f, r);

    float q = 0x1.6d117cp-10f;
    q = fmaf(q, r, 0x1.120be2p-7f);
    q = fmaf(q, r, 0x1.555518p-5f);
    q = fmaf(q, r, 0x1.5554dcp-3f);
    q = fmaf(q, r, 0x1p-1f);
    float p = fmaf(q, r * r, r);
    p = p + 1.0f;
    return f32_from_bits(f32_to_bits(p) + ((uint32_t)(int32_t)n << 23));
}

float canonical_sigmoidf(float x)
{
    return 1.0f / (1.0f + canonical_expf(-x));
}

float canonical_siluf(float x)
{
    return x / (1.0f + canonical_expf(-x));
}

float canonical_gelu_tanhf(float x)
{
    float t = x * x;
    t = fmaf(t, 0x1.6e4e26p-5f, 1.0f);
    t = t * x;
    t = t * 0x1.988454p+0f;
    return x / (1.0f + canonical_expf(-t));
}

float canonical_gelu_quickf(float x)
{
    float t = 1.702f * x;
    return x / (1.0f + canonical_expf(-t));
}

float canonical_tanhf(float x)
{
    float a = fabsf(x);

    if (a < 0.625f) {
        float z = x * x;
        float p = 0x1.2c83bep-9f;
        p = fmaf(p, z, -0x1.116a16p-7f);
        p = fmaf(p, z, 0x1.64a976p-6f);
        p = fmaf(p, z, -0x1.ba08c4p-5f);
        p = fmaf(p, z, 0x1.1110eap-3f);
        p = fmaf(p, z, -0x1.555556p-2f);
        return fmaf(p * z, x, x);
    }
    float e = canonical_expf(a + a) + 1.0f;
    float t = 1.0f - 2.0f / e;
    return copysignf(t, x);
}

/* Abramowitz and Stegun 1964, formula 7.1.26. */
float canonical_erff(float x)
{
    float a = fabsf(x);
    float t = 1.0f / fmaf(0x1.4f740ap-2f, a, 1.0f);

    float p = 1.061405429f;
    p = fmaf(p, t, -1.453152027f);
    p = fmaf(p, t, 1.421413741f);
    p = fmaf(p, t, -0.284496736f);
    p = fmaf(p, t, 0.254829592f);
    p = p * t;
    return copysignf(fmaf(-p, canonical_expf(-(a * a)), 1.0f), x);
}

float canonical_gelu_erff(float x)
{
    float h = 0.5f * x;
    return fmaf(h, canonical_erff(x * 0x1.6a09e6p-1f), h);
}

float canonical_softcapf(float x, float cap)
{
    return cap * canonical_tanhf(x / cap);
}

float canonical_activationf(Activation f, float x)
{
    switch (f) {
    case ACTIVATION_SILU: return canonical_siluf(x);
    case ACTIVATION_GELU_TANH: return canonical_gelu_tanhf(x);
    case ACTIVATION_GELU_ERF: return canonical_gelu_erff(x);
    case ACTIVATION_GELU_QUICK: return canonical_gelu_quickf(x);
    case ACTIVATIONS: break;
    }
    return NAN; // not reached
}

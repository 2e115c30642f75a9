/* ref/functions.h on 8 floats at a time: the same steps in the same order, with selections
 * where the definition branches. Rows end in masked loads and stores. */
#ifndef HYPURA_KERNELS_AVX2_FUNCTIONS_H
#define HYPURA_KERNELS_AVX2_FUNCTIONS_H

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256 all8(float x)
{
    return _mm256_set1_ps(x);
}

/* The first n lanes, n at most 8: all bits set. */
INLINE __m256i first_lanes(size_t n)
{
    static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(window + 8 - n));
}

/* Floats i .. i + 7 of a row of n; beyond its end +0, and nothing is read there. */
INLINE __m256 load_row(const float *x, size_t i, size_t n)
{
    if (n - i >= 8) return _mm256_loadu_ps(x + i);
    return _mm256_maskload_ps(x + i, first_lanes(n - i));
}

INLINE void store_row(float *y, size_t i, size_t n, __m256 v)
{
    if (n - i >= 8)
        _mm256_storeu_ps(y + i, v);
    else
        _mm256_maskstore_ps(y + i, first_lanes(n - i), v);
}

INLINE __m256 negated(__m256 x)
{
    return _mm256_xor_ps(x, all8(-0.0f));
}

INLINE __m256 magnitude(__m256 x)
{
    return _mm256_andnot_ps(all8(-0.0f), x);
}

/* |magnitude| with the sign of `sign`. */
INLINE __m256 with_sign(__m256 value, __m256 sign)
{
    __m256 bit = all8(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(bit, value), _mm256_and_ps(bit, sign));
}

INLINE __m256 exp8(__m256 x)
{
    __m256 n = _mm256_round_ps(
        _mm256_mul_ps(x, all8(0x1.715476p+0f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fmadd_ps(n, all8(-0x1.62e4p-1f), x);
    r = _mm256_fmadd_ps(n, all8(-0x1.7f7d1cp-20f), r);

    __m256 q = all8(0x1.6d117cp-10f);
    q = _mm256_fmadd_ps(q, r, all8(0x1.120be2p-7f));
    q = _mm256_fmadd_ps(q, r, all8(0x1.555518p-5f));
    q = _mm256_fmadd_ps(q, r, all8(0x1.5554dcp-3f));
    q = _mm256_fmadd_ps(q, r, all8(0x1p-1f));
    __m256 p = _mm256_fmadd_ps(q, _mm256_mul_ps(r, r), r);
    p = _mm256_add_ps(p, all8(1.0f));

    __m256i shift = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    __m256 y = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shift));
    y = _mm256_blendv_ps(y, all8(INFINITY), _mm256_cmp_ps(x, all8(88.0f), _CMP_GT_OQ));
    y = _mm256_blendv_ps(y, _mm256_setzero_ps(), _mm256_cmp_ps(x, all8(-86.0f), _CMP_LT_OQ));
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/* 1 + exp(-x) */
INLINE __m256 logistic_divisor8(__m256 x)
{
    return _mm256_add_ps(all8(1.0f), exp8(negated(x)));
}

INLINE __m256 sigmoid8(__m256 x)
{
    return _mm256_div_ps(all8(1.0f), logistic_divisor8(x));
}

INLINE __m256 silu8(__m256 x)
{
    return _mm256_div_ps(x, logistic_divisor8(x));
}

INLINE __m256 gelu_tanh8(__m256 x)
{
    __m256 t = _mm256_mul_ps(x, x);
    t = _mm256_fmadd_ps(t, all8(0x1.6e4e26p-5f), all8(1.0f));
    t = _mm256_mul_ps(t, x);
    t = _mm256_mul_ps(t, all8(0x1.988454p+0f));
    return _mm256_div_ps(x, logistic_divisor8(t));
}

INLINE __m256 gelu_quick8(__m256 x)
{
    return _mm256_div_ps(x, logistic_divisor8(_mm256_mul_ps(all8(1.702f), x)));
}

INLINE __m256 tanh8(__m256 x)
{
    __m256 a = magnitude(x);

    __m256 z = _mm256_mul_ps(x, x);
    __m256 p = all8(0x1.2c83bep-9f);
    p = _mm256_fmadd_ps(p, z, all8(-0x1.116a16p-7f));
    p = _mm256_fmadd_ps(p, z, all8(0x1.64a976p-6f));
    p = _mm256_fmadd_ps(p, z, all8(-0x1.ba08c4p-5f));
    p = _mm256_fmadd_ps(p, z, all8(0x1.1110eap-3f));
    p = _mm256_fmadd_ps(p, z, all8(-0x1.555556p-2f));
    __m256 near = _mm256_fmadd_ps(_mm256_mul_ps(p, z), x, x);

    __m256 e = _mm256_add_ps(exp8(_mm256_add_ps(a, a)), all8(1.0f));
    __m256 far = _mm256_sub_ps(all8(1.0f), _mm256_div_ps(all8(2.0f), e));
    far = with_sign(far, x);
    return _mm256_blendv_ps(far, near, _mm256_cmp_ps(a, all8(0.625f), _CMP_LT_OQ));
}

INLINE __m256 erf8(__m256 x)
{
    __m256 a = magnitude(x);
    __m256 t = _mm256_div_ps(all8(1.0f), _mm256_fmadd_ps(all8(0x1.4f740ap-2f), a, all8(1.0f)));

    __m256 p = all8(1.061405429f);
    p = _mm256_fmadd_ps(p, t, all8(-1.453152027f));
    p = _mm256_fmadd_ps(p, t, all8(1.421413741f));
    p = _mm256_fmadd_ps(p, t, all8(-0.284496736f));
    p = _mm256_fmadd_ps(p, t, all8(0.254829592f));
    p = _mm256_mul_ps(p, t);
    __m256 e = exp8(negated(_mm256_mul_ps(a, a)));
    return with_sign(_mm256_fnmadd_ps(p, e, all8(1.0f)), x);
}

INLINE __m256 gelu_erf8(__m256 x)
{
    __m256 h = _mm256_mul_ps(all8(0.5f), x);
    return _mm256_fmadd_ps(h, erf8(_mm256_mul_ps(x, all8(0x1.6a09e6p-1f))), h);
}

INLINE __m256 softcap8(__m256 x, __m256 cap)
{
    return _mm256_mul_ps(cap, tanh8(_mm256_div_ps(x, cap)));
}

#endif

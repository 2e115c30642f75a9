/* ref/functions.h on 16 floats at a time: the same steps in the same order, with selections
 * where the definition branches. Rows end in masked loads and stores. */
#ifndef HYPURA_KERNELS_AVX512_FUNCTIONS_H
#define HYPURA_KERNELS_AVX512_FUNCTIONS_H

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 all16(float x)
{
    return _mm512_set1_ps(x);
}

/* The first n lanes, n up to 16. */
INLINE __mmask16 first_lanes(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

/* Floats i .. i + 15 of a row of n; beyond its end +0, and nothing is read there. */
INLINE __m512 load_row(const float *x, size_t i, size_t n)
{
    if (n - i >= 16) return _mm512_loadu_ps(x + i);
    return _mm512_maskz_loadu_ps(first_lanes(n - i), x + i);
}

INLINE void store_row(float *y, size_t i, size_t n, __m512 v)
{
    if (n - i >= 16)
        _mm512_storeu_ps(y + i, v);
    else
        _mm512_mask_storeu_ps(y + i, first_lanes(n - i), v);
}

/* The lanes of i .. i + 15 that a row of n has. */
INLINE __mmask16 row_lanes(size_t i, size_t n)
{
    return n - i >= 16 ? 0xffff : first_lanes(n - i);
}

INLINE __m512 negated(__m512 x)
{
    return _mm512_xor_ps(x, all16(-0.0f));
}

INLINE __m512 magnitude(__m512 x)
{
    return _mm512_andnot_ps(all16(-0.0f), x);
}

/* |value| with the sign of `sign`. */
INLINE __m512 with_sign(__m512 value, __m512 sign)
{
    __m512 bit = all16(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, value), _mm512_and_ps(bit, sign));
}

INLINE __m512 exp16(__m512 x)
{
    __m512 n = _mm512_roundscale_ps(
        _mm512_mul_ps(x, all16(0x1.715476p+0f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fmadd_ps(n, all16(-0x1.62e4p-1f), x);
    r = _mm512_fmadd_ps(n, all16(-0x1.7f7d1cp-20f), r);

    __m512 q = all16(0x1.6d117cp-10f);
    q = _mm512_fmadd_ps(q, r, all16(0x1.120be2p-7f));
    q = _mm512_fmadd_ps(q, r, all16(0x1.555518p-5f));
    q = _mm512_fmadd_ps(q, r, all16(0x1.5554dcp-3f));
    q = _mm512_fmadd_ps(q, r, all16(0x1p-1f));
    __m512 p = _mm512_fmadd_ps(q, _mm512_mul_ps(r, r), r);
    p = _mm512_add_ps(p, all16(1.0f));

    __m512i shift = _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23);
    __m512 y = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), shift));
    y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, all16(88.0f), _CMP_GT_OQ), all16(INFINITY));
    y = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, all16(-86.0f), _CMP_NLT_UQ), y);
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

/* 1 + exp(-x) */
INLINE __m512 logistic_divisor16(__m512 x)
{
    return _mm512_add_ps(all16(1.0f), exp16(negated(x)));
}

INLINE __m512 sigmoid16(__m512 x)
{
    return _mm512_div_ps(all16(1.0f), logistic_divisor16(x));
}

INLINE __m512 silu16(__m512 x)
{
    return _mm512_div_ps(x, logistic_divisor16(x));
}

INLINE __m512 gelu_tanh16(__m512 x)
{
    __m512 t = _mm512_mul_ps(x, x);
    t = _mm512_fmadd_ps(t, all16(0x1.6e4e26p-5f), all16(1.0f));
    t = _mm512_mul_ps(t, x);
    t = _mm512_mul_ps(t, all16(0x1.988454p+0f));
    return _mm512_div_ps(x, logistic_divisor16(t));
}

INLINE __m512 gelu_quick16(__m512 x)
{
    return _mm512_div_ps(x, logistic_divisor16(_mm512_mul_ps(all16(1.702f), x)));
}

INLINE __m512 tanh16(__m512 x)
{
    __m512 a = magnitude(x);

    __m512 z = _mm512_mul_ps(x, x);
    __m512 p = all16(0x1.2c83bep-9f);
    p = _mm512_fmadd_ps(p, z, all16(-0x1.116a16p-7f));
    p = _mm512_fmadd_ps(p, z, all16(0x1.64a976p-6f));
    p = _mm512_fmadd_ps(p, z, all16(-0x1.ba08c4p-5f));
    p = _mm512_fmadd_ps(p, z, all16(0x1.1110eap-3f));
    p = _mm512_fmadd_ps(p, z, all16(-0x1.555556p-2f));
    __m512 near = _mm512_fmadd_ps(_mm512_mul_ps(p, z), x, x);

    __m512 e = _mm512_add_ps(exp16(_mm512_add_ps(a, a)), all16(1.0f));
    __m512 far = _mm512_sub_ps(all16(1.0f), _mm512_div_ps(all16(2.0f), e));
    far = with_sign(far, x);
    return _mm512_mask_mov_ps(far, _mm512_cmp_ps_mask(a, all16(0.625f), _CMP_LT_OQ), near);
}

INLINE __m512 erf16(__m512 x)
{
    __m512 a = magnitude(x);
    __m512 t = _mm512_div_ps(all16(1.0f), _mm512_fmadd_ps(all16(0x1.4f740ap-2f), a, all16(1.0f)));

    __m512 p = all16(1.061405429f);
    p = _mm512_fmadd_ps(p, t, all16(-1.453152027f));
    p = _mm512_fmadd_ps(p, t, all16(1.421413741f));
    p = _mm512_fmadd_ps(p, t, all16(-0.284496736f));
    p = _mm512_fmadd_ps(p, t, all16(0.254829592f));
    p = _mm512_mul_ps(p, t);
    __m512 e = exp16(negated(_mm512_mul_ps(a, a)));
    return with_sign(_mm512_fnmadd_ps(p, e, all16(1.0f)), x);
}

INLINE __m512 gelu_erf16(__m512 x)
{
    __m512 h = _mm512_mul_ps(all16(0.5f), x);
    return _mm512_fmadd_ps(h, erf16(_mm512_mul_ps(x, all16(0x1.6a09e6p-1f))), h);
}

INLINE __m512 softcap16(__m512 x, __m512 cap)
{
    return _mm512_mul_ps(cap, tanh16(_mm512_div_ps(x, cap)));
}

#endif

/* Peaks of AVX-512 with VNNI; as peaks_avx2.c. */
#include "kernels/peaks.h"

#include <immintrin.h>

static volatile uint64_t sink;

static __m512i opaque(int seed)
{
    __m512i v = _mm512_set1_epi8((char)seed);

    __asm__ volatile("" : "+v"(v));
    return v;
}

uint64_t peak_dpbusd(uint64_t n_rounds)
{
    const __m512i w = opaque(3), x = opaque(5);
    __m512i a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x;

    for (uint64_t i = 0; i < n_rounds; i++) {
        a = _mm512_dpbusd_epi32(a, w, x);
        b = _mm512_dpbusd_epi32(b, w, x);
        c = _mm512_dpbusd_epi32(c, w, x);
        d = _mm512_dpbusd_epi32(d, w, x);
        e = _mm512_dpbusd_epi32(e, w, x);
        f = _mm512_dpbusd_epi32(f, w, x);
        g = _mm512_dpbusd_epi32(g, w, x);
        h = _mm512_dpbusd_epi32(h, w, x);
    }
    __m512i sum = _mm512_add_epi32(_mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d)),
        _mm512_add_epi32(_mm512_add_epi32(e, f), _mm512_add_epi32(g, h)));
    sink = (uint64_t)_mm512_reduce_add_epi64(sum);
    return n_rounds * 8 * 64;
}

uint64_t peak_fma_avx512(uint64_t n_rounds)
{
    const __m512 w = _mm512_castsi512_ps(opaque(0)), x = w;
    __m512 a = w, b = w, c = w, d = w, e = w, f = w, g = w, h = w;

    for (uint64_t i = 0; i < n_rounds; i++) {
        a = _mm512_fmadd_ps(w, x, a);
        b = _mm512_fmadd_ps(w, x, b);
        c = _mm512_fmadd_ps(w, x, c);
        d = _mm512_fmadd_ps(w, x, d);
        e = _mm512_fmadd_ps(w, x, e);
        f = _mm512_fmadd_ps(w, x, f);
        g = _mm512_fmadd_ps(w, x, g);
        h = _mm512_fmadd_ps(w, x, h);
    }
    __m512 sum = _mm512_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)),
        _mm512_add_ps(_mm512_add_ps(e, f), _mm512_add_ps(g, h)));
    sink = (uint64_t)_mm512_reduce_add_epi64(_mm512_castps_si512(sum));
    return n_rounds * 8 * 16;
}

/* Peaks of AVX2. Accumulators are separate variables: as an array they may live in memory,
 * and then the loop measures that. */
#include "kernels/peaks.h"

#include <immintrin.h>

static volatile uint64_t sink;

static uint64_t total(__m256i a)
{
    uint64_t lanes[4];

    _mm256_storeu_si256((void *)lanes, a);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

static __m256i load(const uint8_t *p)
{
    return _mm256_loadu_si256((const void *)p);
}

static uint64_t read_one_stream(const uint8_t *data, size_t n_bytes, size_t ahead)
{
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;

    for (size_t i = 0; i < n_bytes; i += 128) {
        if (ahead > 0) {
            _mm_prefetch((const char *)data + i + ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)data + i + ahead + 64, _MM_HINT_T0);
        }
        a = _mm256_add_epi64(a, load(data + i));
        b = _mm256_add_epi64(b, load(data + i + 32));
        c = _mm256_add_epi64(c, load(data + i + 64));
        d = _mm256_add_epi64(d, load(data + i + 96));
    }
    return total(_mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d)));
}

static uint64_t read_four_streams(const uint8_t *data, size_t n_bytes, size_t ahead)
{
    const uint8_t *p0 = data, *p1 = p0 + n_bytes / 4, *p2 = p1 + n_bytes / 4,
                  *p3 = p2 + n_bytes / 4;
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;

    for (size_t i = 0; i < n_bytes / 4; i += 64) {
        if (ahead > 0) {
            _mm_prefetch((const char *)p0 + i + ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)p1 + i + ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)p2 + i + ahead, _MM_HINT_T0);
            _mm_prefetch((const char *)p3 + i + ahead, _MM_HINT_T0);
        }
        a = _mm256_add_epi64(a, _mm256_add_epi64(load(p0 + i), load(p0 + i + 32)));
        b = _mm256_add_epi64(b, _mm256_add_epi64(load(p1 + i), load(p1 + i + 32)));
        c = _mm256_add_epi64(c, _mm256_add_epi64(load(p2 + i), load(p2 + i + 32)));
        d = _mm256_add_epi64(d, _mm256_add_epi64(load(p3 + i), load(p3 + i + 32)));
    }
    return total(_mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d)));
}

uint64_t peak_read(uint32_t loop, const uint8_t *data, size_t n_bytes)
{
    switch (loop) {
    case 0: return read_one_stream(data, n_bytes, 0);
    case 1: return read_one_stream(data, n_bytes, 2048);
    case 2: return read_four_streams(data, n_bytes, 0);
    default: return read_four_streams(data, n_bytes, 1024);
    }
}

/* A value that the compiler does not know. */
static __m256i opaque(int seed)
{
    __m256i v = _mm256_set1_epi8((char)seed);

    __asm__ volatile("" : "+x"(v));
    return v;
}

uint64_t peak_maddubs(uint64_t n_rounds)
{
    const __m256i w = opaque(3), ones = _mm256_set1_epi16(1);
    __m256i x = opaque(5), a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x;

#define STEP(acc) acc = _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), ones))
    for (uint64_t i = 0; i < n_rounds; i++) {
        __asm__ volatile("" : "+x"(x));
        STEP(a);
        __asm__ volatile("" : "+x"(x));
        STEP(b);
        __asm__ volatile("" : "+x"(x));
        STEP(c);
        __asm__ volatile("" : "+x"(x));
        STEP(d);
        __asm__ volatile("" : "+x"(x));
        STEP(e);
        __asm__ volatile("" : "+x"(x));
        STEP(f);
        __asm__ volatile("" : "+x"(x));
        STEP(g);
        __asm__ volatile("" : "+x"(x));
        STEP(h);
    }
#undef STEP
    sink = total(_mm256_add_epi64(_mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d)),
        _mm256_add_epi64(_mm256_add_epi64(e, f), _mm256_add_epi64(g, h))));
    return n_rounds * 8 * 32;
}

uint64_t peak_maddubs_chained(uint64_t n_rounds)
{
    const __m256i w = opaque(3), ones = _mm256_set1_epi16(1);
    __m256i x = opaque(5), a = x, b = x, c = x, d = x;

#define STEP(acc)                   \
    __asm__ volatile("" : "+x"(x)); \
    acc = _mm256_adds_epi16(acc, _mm256_maddubs_epi16(w, x))
    for (uint64_t i = 0; i < n_rounds; i++) {
        __m256i p = _mm256_setzero_si256(), q = p, r = p, s = p;
        for (uint32_t j = 0; j < 8; j++) {
            STEP(p);
            STEP(q);
            STEP(r);
            STEP(s);
        }
        a = _mm256_add_epi32(a, _mm256_madd_epi16(p, ones));
        b = _mm256_add_epi32(b, _mm256_madd_epi16(q, ones));
        c = _mm256_add_epi32(c, _mm256_madd_epi16(r, ones));
        d = _mm256_add_epi32(d, _mm256_madd_epi16(s, ones));
    }
#undef STEP
    sink = total(_mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d)));
    return n_rounds * 32 * 32;
}

uint64_t peak_fma_avx2(uint64_t n_rounds)
{
    const __m256 w = _mm256_castsi256_ps(opaque(0)), x = w;
    __m256 a = w, b = w, c = w, d = w, e = w, f = w, g = w, h = w;

    for (uint64_t i = 0; i < n_rounds; i++) {
        a = _mm256_fmadd_ps(w, x, a);
        b = _mm256_fmadd_ps(w, x, b);
        c = _mm256_fmadd_ps(w, x, c);
        d = _mm256_fmadd_ps(w, x, d);
        e = _mm256_fmadd_ps(w, x, e);
        f = _mm256_fmadd_ps(w, x, f);
        g = _mm256_fmadd_ps(w, x, g);
        h = _mm256_fmadd_ps(w, x, h);
    }
    __m256 sum = _mm256_add_ps(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)),
        _mm256_add_ps(_mm256_add_ps(e, f), _mm256_add_ps(g, h)));
    sink = total(_mm256_castps_si256(sum));
    return n_rounds * 8 * 8;
}

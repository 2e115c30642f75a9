/* The super-block types for AVX-512 with VNNI: how each one's codes and scales come out. */
#include "kernels/avx512/avx512.h"
#include "kernels/avx512/matmul_k_panels.h"
#include "quant/block_k.h"
#include "quant/block_q.h"

#include <stddef.h>

/* 32 bytes in both halves. */
INLINE __m512i load_twice(const uint8_t *p)
{
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)p));
}

/* Words of `low` in the lower half, of `high` in the upper one. */
INLINE __m512i by_half(int16_t low, int16_t high)
{
    return _mm512_inserti64x4(_mm512_set1_epi16(low), _mm256_set1_epi16(high), 1);
}

/* Bytes 4p to 4p + 3 of the 16 at the start of each block, in four[p]: [quad][row]. */
INLINE void load_transposed(__m512i four[4], const uint8_t *const block[TILE_BLOCKS])
{
    __m512i row[4];

    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++)
        row[i] = load_lanes(block[i], block[4 + i], block[8 + i], block[12 + i]);
    __m512i low01 = _mm512_unpacklo_epi32(row[0], row[1]);
    __m512i low23 = _mm512_unpacklo_epi32(row[2], row[3]);
    __m512i high01 = _mm512_unpackhi_epi32(row[0], row[1]);
    __m512i high23 = _mm512_unpackhi_epi32(row[2], row[3]);
    four[0] = _mm512_unpacklo_epi64(low01, low23);
    four[1] = _mm512_unpackhi_epi64(low01, low23);
    four[2] = _mm512_unpacklo_epi64(high01, high23);
    four[3] = _mm512_unpackhi_epi64(high01, high23);
}

/* The four bytes of each dword as two pairs of int16. */
INLINE void split_pairs(__m512i pairs[2], __m512i bytes)
{
    const __m512i first = _mm512_broadcast_i32x4(
        _mm_set_epi8(-1, 13, -1, 12, -1, 9, -1, 8, -1, 5, -1, 4, -1, 1, -1, 0));
    const __m512i second = _mm512_broadcast_i32x4(
        _mm_set_epi8(-1, 15, -1, 14, -1, 11, -1, 10, -1, 7, -1, 6, -1, 3, -1, 2));

    pairs[0] = _mm512_shuffle_epi8(bytes, first);
    pairs[1] = _mm512_shuffle_epi8(bytes, second);
}

INLINE void natural_order(__m512i v[4])
{
    (void)v;
}

/* Types with 16 groups store the scales of a block as 16 words. A group is a lane of the
 * codes: after the packs lane l holds groups l and 4 + l, then 8 + l and 12 + l. A sum of
 * four products must fit a word: it is at most 4 * 32 * 127 = 16256. */
INLINE __m512i word_scale(const __m512i p[4], const uint8_t *scales, uint32_t quad, uint32_t row)
{
    const __m512i pick = _mm512_add_epi8(
        _mm512_broadcast_i32x4(_mm_set_epi8(9, 8, 9, 8, 9, 8, 9, 8, 1, 0, 1, 0, 1, 0, 1, 0)),
        _mm512_set_epi64(0x0606060606060606, 0x0606060606060606, 0x0404040404040404,
            0x0404040404040404, 0x0202020202020202, 0x0202020202020202, 0, 0));
    const uint8_t *words = scales + 32 * (quad * STRIP_ROWS + row);
    __m512i low = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(load_128(words)), pick);
    __m512i high = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(load_128(words + 16)), pick);
    __m512i sum = _mm512_dpwssd_epi32(_mm512_setzero_si512(), _mm512_packs_epi32(p[0], p[1]), low);
    return _mm512_dpwssd_epi32(sum, _mm512_packs_epi32(p[2], p[3]), high);
}

INLINE __m512i word_scales(const uint8_t *scales, uint32_t quad, uint32_t row)
{
    return _mm512_cvtepi16_epi32(
        _mm256_load_si256((const void *)(scales + 32 * (quad * STRIP_ROWS + row))));
}

/* Q4_K: pairs of 32-byte chunks are two vectors of low and two of high nibbles; so vector 0
 * holds groups 0 and 2, vector 1 groups 1 and 3, and the same again for groups 4 to 7. */
INLINE void q4_k_order(__m512i a[4])
{
    __m512i b[4] = {a[0], a[1], a[2], a[3]};

    a[0] = _mm512_shuffle_i64x2(b[0], b[1], 0x44);
    a[1] = _mm512_shuffle_i64x2(b[0], b[1], 0xee);
    a[2] = _mm512_shuffle_i64x2(b[2], b[3], 0x44);
    a[3] = _mm512_shuffle_i64x2(b[2], b[3], 0xee);
}

INLINE void q4_k_codes(__m512i q[4], const uint8_t *block)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i v = _mm512_loadu_si512(block + offsetof(BlockQ4_K, q));
    __m512i w = _mm512_loadu_si512(block + offsetof(BlockQ4_K, q) + 64);

    q[0] = _mm512_and_si512(v, nibble);
    q[1] = _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble);
    q[2] = _mm512_and_si512(w, nibble);
    q[3] = _mm512_and_si512(_mm512_srli_epi16(w, 4), nibble);
}

/* d, dmin and twelve bytes of packed scales and minima of 16 blocks at once: transposed so
 * that a lane is a block, then taken apart as q4_k_unpack_scales() does. */
INLINE void q4_k_heads(KHeads *heads, uint8_t *scales, const uint8_t *const block[TILE_BLOCKS])
{
    const __m512i six = _mm512_set1_epi32(0x3f3f3f3f), four = _mm512_set1_epi32(0x0f0f0f0f);
    const __m512i top = _mm512_set1_epi32(0x30303030);
    __m512i part[4];

    load_transposed(part, block);
    __m512i s0 = part[1], s1 = part[2], s2 = part[3];
    __m512i scales0 = _mm512_and_si512(s0, six), mins0 = _mm512_and_si512(s1, six);
    __m512i scales1 = _mm512_or_si512(
        _mm512_and_si512(s2, four), _mm512_and_si512(_mm512_srli_epi32(s0, 2), top));
    __m512i mins1 = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(s2, 4), four),
        _mm512_and_si512(_mm512_srli_epi32(s1, 2), top));

    // Eight bytes a block. unpack puts rows 0 and 1 of each quad into one vector.
    __m512i rows01 = _mm512_unpacklo_epi32(scales0, scales1);
    __m512i rows23 = _mm512_unpackhi_epi32(scales0, scales1);
    _mm512_store_si512(scales, rows01);
    _mm512_store_si512(scales + 64, rows23);

    split_pairs(&heads->mins[0], mins0);
    split_pairs(&heads->mins[2], mins1);
    heads->dw = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(part[0]));
    heads->dmin = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(part[0], 16)));
}

/* Words of four sums each: after the packs, lanes 0 and 1 hold groups 0 and 1 (4 and 5),
 * lanes 2 and 3 groups 2 and 3 (6 and 7). A sum of four products is at most 7620. */
INLINE __m512i q4_k_scale(const __m512i p[4], const uint8_t *scales, uint32_t quad, uint32_t row)
{
    const __m128i pick01 = _mm_set_epi8(-1, 1, -1, 1, -1, 1, -1, 1, -1, 0, -1, 0, -1, 0, -1, 0);
    const __m128i pick23 = _mm_set_epi8(-1, 3, -1, 3, -1, 3, -1, 3, -1, 2, -1, 2, -1, 2, -1, 2);
    const __m512i pick =
        _mm512_inserti64x4(_mm512_broadcast_i32x4(pick01), _mm256_broadcastsi128_si256(pick23), 1);
    __m512i eight = _mm512_set1_epi64(load_i64(scales + row / 2 * 64 + quad * 16 + row % 2 * 8));
    __m512i low = _mm512_packs_epi32(p[0], p[1]), high = _mm512_packs_epi32(p[2], p[3]);
    __m512i sum =
        _mm512_dpwssd_epi32(_mm512_setzero_si512(), low, _mm512_shuffle_epi8(eight, pick));
    return _mm512_dpwssd_epi32(
        sum, high, _mm512_shuffle_epi8(eight, _mm512_add_epi8(pick, _mm512_set1_epi16(4))));
}

INLINE __m512i q4_k_scales(const uint8_t *scales, uint32_t quad, uint32_t row)
{
    const uint8_t *eight = scales + row / 2 * 64 + quad * 16 + row % 2 * 8;
    return _mm512_cvtepu8_epi32(_mm_set_epi64x(0, load_i64(eight)));
}

static const KType q4_k = {
    sizeof(BlockQ4_K), 0, 8, 4, q4_k_heads, q4_k_order, q4_k_codes, q4_k_scale, q4_k_scales};

/* Q6_K: a half of 128 elements is a vector of low and one of high nibbles, in natural order;
 * its 32 bytes of high bits serve four times, at four shifts. */
INLINE void q6_k_codes(__m512i codes[4], const uint8_t *block)
{
    const __m512i nibble = _mm512_set1_epi8(15), two = _mm512_set1_epi8(0x30);

    UNROLL
    for (uint32_t h = 0; h < 2; h++) {
        __m512i low = _mm512_loadu_si512(block + offsetof(BlockQ6_K, ql) + 64 * h);
        __m512i high = load_twice(block + offsetof(BlockQ6_K, qh) + 32 * h);
        __m512i high0 = _mm512_and_si512(_mm512_sllv_epi16(high, by_half(4, 2)), two);
        __m512i high1 = _mm512_and_si512(_mm512_srlv_epi16(high, by_half(0, 2)), two);
        codes[2 * h] = _mm512_or_si512(_mm512_and_si512(low, nibble), high0);
        codes[2 * h + 1] =
            _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(low, 4), nibble), high1);
    }
}

INLINE void q6_k_heads(KHeads *heads, uint8_t *scales, const uint8_t *const block[TILE_BLOCKS])
{
    heads->dw = load_f16s(block, offsetof(BlockQ6_K, d));
    UNROLL
    for (uint32_t i = 0; i < TILE_BLOCKS; i++)
        _mm256_store_si256((void *)(scales + 32 * i),
            _mm256_cvtepi8_epi16(load_128(block[i] + offsetof(BlockQ6_K, scales))));
}

static const KType q6_k = {
    sizeof(BlockQ6_K), 32, 16, 0, q6_k_heads, natural_order, q6_k_codes, word_scale, word_scales};

/* Q5_K: as Q4_K, with the fifth bits of group g in bit g of 32 bytes. */
INLINE void q5_k_codes(__m512i codes[4], const uint8_t *block)
{
    const __m512i nibble = _mm512_set1_epi8(15), fifth = _mm512_set1_epi8(16);
    __m512i v = _mm512_loadu_si512(block + offsetof(BlockQ5_K, q));
    __m512i w = _mm512_loadu_si512(block + offsetof(BlockQ5_K, q) + 64);
    __m512i high = load_twice(block + offsetof(BlockQ5_K, qh));
    __m512i bits[4] = {_mm512_sllv_epi16(high, by_half(4, 2)),
        _mm512_sllv_epi16(high, by_half(3, 1)), _mm512_srlv_epi16(high, by_half(0, 2)),
        _mm512_srlv_epi16(high, by_half(1, 3))};

    codes[0] = _mm512_and_si512(v, nibble);
    codes[1] = _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble);
    codes[2] = _mm512_and_si512(w, nibble);
    codes[3] = _mm512_and_si512(_mm512_srli_epi16(w, 4), nibble);
    UNROLL
    for (uint32_t j = 0; j < 4; j++)
        codes[j] = _mm512_or_si512(codes[j], _mm512_and_si512(bits[j], fifth));
}

static const KType q5_k = {
    sizeof(BlockQ5_K), 0, 8, 4, q4_k_heads, q4_k_order, q5_k_codes, q4_k_scale, q4_k_scales};

/* Two bits each, in natural order: a half of 128 elements is 32 bytes at four shifts. */
INLINE void two_bit_codes(__m512i codes[4], const uint8_t *q)
{
    const __m512i two = _mm512_set1_epi8(3);

    UNROLL
    for (uint32_t h = 0; h < 2; h++) {
        __m512i v = load_twice(q + 32 * h);
        codes[2 * h] = _mm512_and_si512(_mm512_srlv_epi16(v, by_half(0, 2)), two);
        codes[2 * h + 1] = _mm512_and_si512(_mm512_srlv_epi16(v, by_half(4, 6)), two);
    }
}

INLINE void q2_k_codes(__m512i codes[4], const uint8_t *block)
{
    two_bit_codes(codes, block + offsetof(BlockQ2_K, q));
}

/* 16 bytes of scales (low nibbles) and minima (high nibbles). */
INLINE void q2_k_heads(KHeads *heads, uint8_t *scales, const uint8_t *const block[TILE_BLOCKS])
{
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i four[4]; // bytes 4p to 4p + 3 of each block

    UNROLL
    for (uint32_t i = 0; i < TILE_BLOCKS; i++) {
        __m128i low = _mm_and_si128(load_128(block[i]), _mm_set1_epi8(15));
        _mm256_store_si256((void *)(scales + 32 * i), _mm256_cvtepu8_epi16(low));
    }
    load_transposed(four, block);
    UNROLL
    for (uint32_t p = 0; p < 4; p++)
        split_pairs(&heads->mins[2 * p], _mm512_and_si512(_mm512_srli_epi16(four[p], 4), nibble));
    heads->dw = load_f16s(block, offsetof(BlockQ2_K, d));
    heads->dmin = load_f16s(block, offsetof(BlockQ2_K, dmin));
}

static const KType q2_k = {
    sizeof(BlockQ2_K), 0, 16, 8, q2_k_heads, natural_order, q2_k_codes, word_scale, word_scales};

/* Q3_K: two low bits as in Q2_K; the third of element i is bit i / 32 of hmask[i % 32]. */
INLINE void q3_k_codes(__m512i codes[4], const uint8_t *block)
{
    const __m512i third = _mm512_set1_epi8(4);
    __m512i high = load_twice(block + offsetof(BlockQ3_K, hmask));
    __m512i bits[4] = {_mm512_sllv_epi16(high, by_half(2, 1)),
        _mm512_srlv_epi16(high, by_half(0, 1)), _mm512_srlv_epi16(high, by_half(2, 3)),
        _mm512_srlv_epi16(high, by_half(4, 5))};

    two_bit_codes(codes, block + offsetof(BlockQ3_K, q));
    UNROLL
    for (uint32_t j = 0; j < 4; j++)
        codes[j] = _mm512_or_si512(codes[j], _mm512_and_si512(bits[j], third));
}

/* Eight bytes of low nibbles, of scales 0 to 7 and 8 to 15; four bytes of two high bits. */
INLINE __m128i q3_k_unpack_words(const uint8_t *packed)
{
    __m128i nibbles = _mm_loadl_epi64((const void *)packed);
    __m128i low =
        _mm_and_si128(_mm_unpacklo_epi64(nibbles, _mm_srli_epi16(nibbles, 4)), _mm_set1_epi8(15));
    __m128i spread =
        _mm_srlv_epi32(_mm_set1_epi32(load_i32(packed + 8)), _mm_set_epi32(6, 4, 2, 0));
    __m128i high = _mm_slli_epi16(_mm_and_si128(spread, _mm_set1_epi8(3)), 4);
    return _mm_sub_epi8(_mm_or_si128(low, high), _mm_set1_epi8(32));
}

INLINE void q3_k_heads(KHeads *heads, uint8_t *scales, const uint8_t *const block[TILE_BLOCKS])
{
    heads->dw = load_f16s(block, offsetof(BlockQ3_K, d));
    UNROLL
    for (uint32_t i = 0; i < TILE_BLOCKS; i++)
        _mm256_store_si256((void *)(scales + 32 * i),
            _mm256_cvtepi8_epi16(q3_k_unpack_words(block[i] + offsetof(BlockQ3_K, scales))));
}

static const KType q3_k = {
    sizeof(BlockQ3_K), 4, 16, 0, q3_k_heads, natural_order, q3_k_codes, word_scale, word_scales};

/* IQ4_XS: the code book raised by 128; 16 bytes are the 32 nibbles of a group, low ones first. */
INLINE void iq4_xs_codes(__m512i codes[4], const uint8_t *block)
{
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_xor_si128(load_128(iq4_values), _mm_set1_epi8(-128)));
    const __m512i shift =
        _mm512_broadcast_i64x4(_mm256_set_epi64x(0x0004000400040004, 0x0004000400040004, 0, 0));
    const __m512i pair = _mm512_set_epi64(3, 2, 3, 2, 1, 0, 1, 0);

    UNROLL
    for (uint32_t j = 0; j < 4; j++) {
        __m512i v = _mm512_castsi256_si512(
            _mm256_loadu_si256((const void *)(block + offsetof(BlockIQ4_XS, q) + 32 * j)));
        __m512i both = _mm512_srlv_epi16(_mm512_permutexvar_epi64(pair, v), shift);
        codes[j] = _mm512_shuffle_epi8(table, _mm512_and_si512(both, _mm512_set1_epi8(15)));
    }
}

/* Eight scales as int32. */
INLINE void iq4_xs_heads(KHeads *heads, uint8_t *scales, const uint8_t *const block[TILE_BLOCKS])
{
    const __m256i by_four = _mm256_set_epi32(28, 24, 20, 16, 12, 8, 4, 0);
    const __m256i by_two = _mm256_set_epi32(14, 12, 10, 8, 6, 4, 2, 0);

    heads->dw = load_f16s(block, offsetof(BlockIQ4_XS, d));
    UNROLL
    for (uint32_t i = 0; i < TILE_BLOCKS; i++) {
        __m256i low = _mm256_set1_epi32(load_i32(block[i] + offsetof(BlockIQ4_XS, scales_l)));
        __m256i high = _mm256_set1_epi32(load_i16(block[i] + offsetof(BlockIQ4_XS, scales_h)));
        low = _mm256_and_si256(_mm256_srlv_epi32(low, by_four), _mm256_set1_epi32(15));
        high = _mm256_and_si256(_mm256_srlv_epi32(high, by_two), _mm256_set1_epi32(3));
        __m256i six = _mm256_or_si256(low, _mm256_slli_epi32(high, 4));
        _mm256_store_si256((void *)(scales + 32 * i), _mm256_sub_epi32(six, _mm256_set1_epi32(32)));
    }
}

INLINE __m512i iq4_xs_scales(const uint8_t *scales, uint32_t quad, uint32_t row)
{
    const __m256i *eight = (const void *)(scales + 32 * (quad * STRIP_ROWS + row));
    return _mm512_castsi256_si512(_mm256_load_si256(eight));
}

/* A sum of four products may be 64516, more than an int16 holds. */
INLINE __m512i iq4_xs_scale(const __m512i p[4], const uint8_t *scales, uint32_t quad, uint32_t row)
{
    const __m512i one = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi32(1), 1);
    __m512i eight = iq4_xs_scales(scales, quad, row), sum = _mm512_setzero_si512();

    UNROLL
    for (uint32_t j = 0; j < 4; j++) {
        __m512i group = _mm512_add_epi32(one, _mm512_set1_epi32(2 * (int32_t)j));
        sum =
            _mm512_add_epi32(sum, _mm512_mullo_epi32(p[j], _mm512_permutexvar_epi32(group, eight)));
    }
    return sum;
}

static const KType iq4_xs = {sizeof(BlockIQ4_XS), 128, 8, 0, iq4_xs_heads, natural_order,
    iq4_xs_codes, iq4_xs_scale, iq4_xs_scales};

INLINE void k_few(KType type, float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
    uint32_t n_out, const Acts *acts)
{
    uint32_t t = 0;

    for (; t + ROWS_MAX <= acts->n_rows; t += ROWS_MAX)
        k_rows(type, ROWS_MAX, y, y_stride, w, row_bytes, n_out, acts, t);
    if (t < acts->n_rows) k_rows(type, 1, y, y_stride, w, row_bytes, n_out, acts, t);
}

/* The two ways are kept apart, so that few rows do not pay for the large frame of many. */
#define X(name)                                                                                    \
    static __attribute__((noinline)) void name##_many(float *y, size_t y_stride, const uint8_t *w, \
        size_t row_bytes, uint32_t n_out, const Acts *acts)                                        \
    {                                                                                              \
        k_panels(name, y, y_stride, w, row_bytes, n_out, acts);                                    \
    }                                                                                              \
    void matmul_##name##_avx512(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,     \
        uint32_t n_out, const Acts *acts)                                                          \
    {                                                                                              \
        if (acts_in_panels(acts->kind, acts->n_rows))                                              \
            name##_many(y, y_stride, w, row_bytes, n_out, acts);                                   \
        else                                                                                       \
            k_few(name, y, y_stride, w, row_bytes, n_out, acts);                                   \
    }
X(q2_k) X(q3_k) X(q4_k) X(q5_k) X(q6_k) X(iq4_xs)
#undef X

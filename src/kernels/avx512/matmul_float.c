/* Float weights for AVX-512 (canonical arithmetic, section 5): the 16 virtual lanes of an
 * output are one register. Four weight rows and up to six activation rows go together.
 *
 * Bound: one activation row by memory; many by two fma a cycle, 24 of them for 4 weight
 * vectors, which are widened once, and 6 activation vectors. */
#include "kernels/avx512/avx512.h"
#include "kernels/avx512/matmul.h"

#define LANES        16
#define GROUP_ROWS   6   // activation rows that go together
#define GROUP_STRIPS 4   // strips that use a piece of the activations while it is in L1
#define PIECE_COLS   512 // columns of such a piece

typedef struct FloatType {
    size_t element_bytes;
    __m512 (*widen)(const uint8_t *w);
    __m512 (*widen_some)(const uint8_t *w, uint32_t n); // the first n, n < 16; the rest +0
} FloatType;

INLINE __m512 f32_widen(const uint8_t *w)
{
    return _mm512_loadu_ps(w);
}

INLINE __m512 f32_widen_some(const uint8_t *w, uint32_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), w);
}

INLINE __m512 f16_widen(const uint8_t *w)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)w));
}

INLINE __m512 f16_widen_some(const uint8_t *w, uint32_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), w));
}

INLINE __m512 bf16_widen(const uint8_t *w)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)w));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

INLINE __m512 bf16_widen_some(const uint8_t *w, uint32_t n)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), w));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static const FloatType f32 = {4, f32_widen, f32_widen_some};
static const FloatType f16 = {2, f16_widen, f16_widen_some};
static const FloatType bf16 = {2, bf16_widen, bf16_widen_some};

/* tree16 of four outputs at once. */
INLINE __m128 lanes_totals(__m512 a, __m512 b, __m512 c, __m512 d)
{
    const __m512i firsts = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0);
    __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
    __m512 four =
        _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    __m512 two = _mm512_add_ps(four, _mm512_permute_ps(four, 0x4e));
    __m512 one = _mm512_add_ps(two, _mm512_permute_ps(two, 0xb1));
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, one));
}

/* Columns first .. end - 1 of a strip and n_rows activation rows x[t]. */
INLINE void float_piece(FloatType type, uint32_t n_rows, __m512 acc[GROUP_ROWS][STRIP_ROWS],
    const uint8_t *const row[STRIP_ROWS], const float *const x[GROUP_ROWS], uint32_t first,
    uint32_t end, const uint8_t *ahead)
{
    __m512 sum[GROUP_ROWS][STRIP_ROWS];
    uint32_t k = first;

    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) {
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) sum[t][i] = acc[t][i];
    }
    for (; end - k >= LANES; k += LANES) {
        __m512 w[STRIP_ROWS];
        prefetch(ahead + STRIP_ROWS * k * type.element_bytes,
            STRIP_ROWS * LANES * (uint32_t)type.element_bytes);
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++)
            w[i] = type.widen(row[i] + k * type.element_bytes);
        UNROLL
        for (uint32_t t = 0; t < n_rows; t++) {
            UNROLL
            for (uint32_t i = 0; i < STRIP_ROWS; i++)
                sum[t][i] = _mm512_fmadd_ps(w[i], _mm512_loadu_ps(x[t] + k), sum[t][i]);
        }
    }
    if (k < end) { // lanes without an element stay as they are
        __mmask16 present = (__mmask16)((1u << (end - k)) - 1);
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) {
            __m512 w = type.widen_some(row[i] + k * type.element_bytes, end - k);
            UNROLL
            for (uint32_t t = 0; t < n_rows; t++)
                sum[t][i] = _mm512_mask3_fmadd_ps(
                    w, _mm512_maskz_loadu_ps(present, x[t] + k), sum[t][i], present);
        }
    }
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) {
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) acc[t][i] = sum[t][i];
    }
}

/* Up to GROUP_STRIPS strips from `first_row` on, activation rows first_t .. + n_rows. */
INLINE void float_group(FloatType type, uint32_t n_rows, const Output *out, const uint8_t *w,
    size_t row_bytes, uint32_t first_row, const Acts *acts, uint32_t first_t, uint32_t piece_cols)
{
    uint32_t n_strips = (out->n_out - first_row - 1) / STRIP_ROWS + 1;
    size_t ahead_bytes = prefetch_distance(STRIP_ROWS * row_bytes);
    __m512 acc[GROUP_STRIPS][GROUP_ROWS][STRIP_ROWS];
    const float *x[GROUP_ROWS];

    if (n_strips > GROUP_STRIPS) n_strips = GROUP_STRIPS;
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) x[t] = acts_record(acts, first_t + t).x;
    for (uint32_t s = 0; s < n_strips; s++)
        for (uint32_t t = 0; t < n_rows; t++)
            for (uint32_t i = 0; i < STRIP_ROWS; i++) acc[s][t][i] = _mm512_setzero_ps();
    for (uint32_t k = 0; k < acts->n_cols; k += piece_cols) {
        uint32_t end = acts->n_cols - k < piece_cols ? acts->n_cols : k + piece_cols;
        for (uint32_t s = 0; s < n_strips; s++) {
            uint32_t top = first_row + s * STRIP_ROWS;
            const uint8_t *row[STRIP_ROWS];
            UNROLL
            for (uint32_t i = 0; i < STRIP_ROWS; i++)
                row[i] = w + clamp_index(top + i, out->n_out) * row_bytes;
            float_piece(type, n_rows, acc[s], row, x, k, end, w + top * row_bytes + ahead_bytes);
        }
    }
    for (uint32_t s = 0; s < n_strips; s++) {
        uint32_t top = first_row + s * STRIP_ROWS;
        for (uint32_t t = 0; t < n_rows; t++)
            store_rows(out->y + (first_t + t) * out->y_stride + top,
                lanes_totals(acc[s][t][0], acc[s][t][1], acc[s][t][2], acc[s][t][3]),
                out->n_out - top);
    }
}

INLINE void float_matmul(FloatType type, float *y, size_t y_stride, const uint8_t *w,
    size_t row_bytes, uint32_t n_out, const Acts *acts)
{
    Output out = {y, y_stride, n_out, acts->n_rows};
    // Few activation rows are all in L1: then the weights are read in the order of addresses.
    uint32_t cols = acts->n_rows < GROUP_ROWS ? acts->n_cols : PIECE_COLS;

    for (uint32_t row = 0; row < n_out; row += GROUP_STRIPS * STRIP_ROWS) {
        uint32_t t = 0;
        for (; t + GROUP_ROWS <= acts->n_rows; t += GROUP_ROWS)
            float_group(type, GROUP_ROWS, &out, w, row_bytes, row, acts, t, cols);
        for (; t + 2 <= acts->n_rows; t += 2)
            float_group(type, 2, &out, w, row_bytes, row, acts, t, cols);
        if (t < acts->n_rows) float_group(type, 1, &out, w, row_bytes, row, acts, t, cols);
    }
}

#define X(name)                                                                                \
    void matmul_##name##_avx512(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes, \
        uint32_t n_out, const Acts *acts)                                                      \
    {                                                                                          \
        float_matmul(name, y, y_stride, w, row_bytes, n_out, acts);                            \
    }
X(f32) X(f16) X(bf16)
#undef X

/* Float weights for AVX2 (canonical arithmetic, section 5): the 16 virtual lanes of an output
 * are two registers. Four weight rows meet one activation row, or two meet three.
 *
 * Bound: one activation row by memory; many by two fma a cycle, 12 of them for 4 weight
 * vectors, which are widened once, and 6 activation vectors. */
#include "kernels/avx2/avx2.h"
#include "kernels/avx2/matmul.h"

#define LANES      16
#define GROUP_ROWS 3   // activation rows that go together
#define TILES      16  // tiles of weight rows that use a piece of the activations while in L1
#define TILE_ONE   4   // weight rows of a tile for one activation row
#define TILE_MORE  2   // and for more
#define PIECE_COLS 512 // columns of such a piece

typedef struct FloatType {
    size_t element_bytes;
    __m256 (*widen)(const uint8_t *w); // eight
} FloatType;

INLINE __m256 f32_widen(const uint8_t *w)
{
    return _mm256_castsi256_ps(load_256(w));
}

INLINE __m256 f16_widen(const uint8_t *w)
{
    return _mm256_cvtph_ps(load_128(w));
}

INLINE __m256 bf16_widen(const uint8_t *w)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_128(w)), 16));
}

static const FloatType f32 = {4, f32_widen};
static const FloatType f16 = {2, f16_widen};
static const FloatType bf16 = {2, bf16_widen};

/* The 16 lanes of one output: 0-7, 8-15. */
typedef struct Lanes {
    __m256 half[2];
} Lanes;

INLINE __m256 lanes_fold(const Lanes *lanes)
{
    return _mm256_add_ps(lanes->half[0], lanes->half[1]);
}

/* tree16 of four outputs at once. */
INLINE __m128 lanes_totals(const Lanes v[4])
{
    __m256 a = lanes_fold(&v[0]), b = lanes_fold(&v[1]), c = lanes_fold(&v[2]);
    __m256 d = lanes_fold(&v[3]);
    __m256 ab =
        _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
    __m256 cd =
        _mm256_add_ps(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31));
    // Lane 0 has four lanes each of a and c, lane 1 of b and d.
    __m256 two = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    __m256 one = _mm256_add_ps(two, _mm256_permute_ps(two, 0xb1));
    __m128 low = _mm256_castps256_ps128(one), high = _mm256_extractf128_ps(one, 1);
    return _mm_unpacklo_ps(_mm_shuffle_ps(low, low, 0x08), _mm_shuffle_ps(high, high, 0x08));
}

/* One tile: columns first .. end - 1 of n_out weight rows and n_rows activation rows x[t].
 * acc: [activation row][weight row] */
INLINE void float_piece(FloatType type, uint32_t n_rows, uint32_t n_out,
    Lanes acc[GROUP_ROWS][TILE_ONE], const uint8_t *const row[TILE_ONE],
    const float *const x[GROUP_ROWS], uint32_t first, uint32_t end, const uint8_t *ahead)
{
    Lanes sum[GROUP_ROWS][TILE_ONE];
    uint32_t k = first;

    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) {
        UNROLL
        for (uint32_t i = 0; i < n_out; i++) sum[t][i] = acc[t][i];
    }
    for (; end - k >= LANES; k += LANES) {
        prefetch(
            ahead + n_out * k * type.element_bytes, n_out * LANES * (uint32_t)type.element_bytes);
        UNROLL
        for (uint32_t h = 0; h < 2; h++) {
            __m256 w[TILE_ONE];
            UNROLL
            for (uint32_t i = 0; i < n_out; i++)
                w[i] = type.widen(row[i] + (k + 8 * h) * type.element_bytes);
            UNROLL
            for (uint32_t t = 0; t < n_rows; t++) {
                __m256 a = _mm256_loadu_ps(x[t] + k + 8 * h);
                UNROLL
                for (uint32_t i = 0; i < n_out; i++)
                    sum[t][i].half[h] = _mm256_fmadd_ps(w[i], a, sum[t][i].half[h]);
            }
        }
    }
    // Lanes without an element stay as they are; 64 bytes past the last may be read.
    UNROLL
    for (uint32_t h = 0; h < 2; h++) {
        if (k + 8 * h >= end) break;
        uint32_t n = end - k - 8 * h;
        __m256 present = _mm256_castsi256_ps(first_lanes(n < 8 ? n : 8));
        UNROLL
        for (uint32_t i = 0; i < n_out; i++) {
            __m256 w = type.widen(row[i] + (k + 8 * h) * type.element_bytes);
            UNROLL
            for (uint32_t t = 0; t < n_rows; t++) {
                __m256 old = sum[t][i].half[h];
                __m256 more = _mm256_fmadd_ps(w, _mm256_loadu_ps(x[t] + k + 8 * h), old);
                sum[t][i].half[h] = _mm256_blendv_ps(old, more, present);
            }
        }
    }
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) {
        UNROLL
        for (uint32_t i = 0; i < n_out; i++) acc[t][i] = sum[t][i];
    }
}

/* Up to TILES tiles from weight row `top` on, activation rows first_t .. + n_rows. */
INLINE void float_group(FloatType type, uint32_t n_rows, const Output *out, const Weights *weights,
    uint32_t top, const Acts *acts, uint32_t first_t, uint32_t piece_cols)
{
    const uint32_t tile_rows = n_rows == 1 ? TILE_ONE : TILE_MORE;
    uint32_t n_tiles = (out->n_out - top - 1) / tile_rows + 1;
    Lanes acc[TILES][GROUP_ROWS][TILE_ONE] = {0};
    const float *x[GROUP_ROWS];

    if (n_tiles > TILES) n_tiles = TILES;
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) x[t] = acts_record(acts, first_t + t).x;
    for (uint32_t k = 0; k < acts->n_cols; k += piece_cols) {
        uint32_t end = acts->n_cols - k < piece_cols ? acts->n_cols : k + piece_cols;
        for (uint32_t s = 0; s < n_tiles; s++) {
            const uint8_t *first = weights->w + (top + s * tile_rows) * weights->row_bytes;
            const uint8_t *row[TILE_ONE];
            for (uint32_t i = 0; i < tile_rows; i++) {
                uint32_t last = out->n_out - 1 - (top + s * tile_rows);
                row[i] = first + (i < last ? i : last) * weights->row_bytes;
            }
            float_piece(
                type, n_rows, tile_rows, acc[s], row, x, k, end, first + weights->ahead_bytes);
        }
    }
    for (uint32_t s = 0; s < n_tiles; s++)
        for (uint32_t t = 0; t < n_rows; t++) {
            float total[TILE_ONE];
            uint32_t at = top + s * tile_rows;
            uint32_t n = out->n_out - at < tile_rows ? out->n_out - at : tile_rows;
            _mm_storeu_ps(total, lanes_totals(acc[s][t]));
            memcpy(out->y + (first_t + t) * out->y_stride + at, total, n * sizeof total[0]);
        }
}

INLINE void float_matmul(FloatType type, float *y, size_t y_stride, const uint8_t *w,
    size_t row_bytes, uint32_t n_out, const Acts *acts)
{
    Output out = {y, y_stride, n_out, acts->n_rows};
    Weights weights = weights_begin(w, row_bytes, n_out);
    // A single group reads the weights once, in the order of addresses.
    uint32_t cols = acts->n_rows <= GROUP_ROWS ? acts->n_cols : PIECE_COLS;
    uint32_t n_down = TILES * (acts->n_rows == 1 ? TILE_ONE : TILE_MORE);

    for (uint32_t row = 0; row < n_out; row += n_down)
        for (uint32_t t = 0; t < acts->n_rows; t += GROUP_ROWS) switch (acts->n_rows - t) {
            case 1: float_group(type, 1, &out, &weights, row, acts, t, cols); break;
            case 2: float_group(type, 2, &out, &weights, row, acts, t, cols); break;
            default: float_group(type, 3, &out, &weights, row, acts, t, cols); break;
            }
}

#define X(name)                                                                              \
    void matmul_##name##_avx2(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes, \
        uint32_t n_out, const Acts *acts)                                                    \
    {                                                                                        \
        float_matmul(name, y, y_stride, w, row_bytes, n_out, acts);                          \
    }
X(f32) X(f16) X(bf16)
#undef X

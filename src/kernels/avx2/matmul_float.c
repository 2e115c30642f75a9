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

/* One half of the 16 lanes of each output of a tile: [activation row][weight row]. */
typedef struct Half {
    __m256 v[GROUP_ROWS][TILE_ONE];
} Half;

/* Where the lanes of a tile stand: 0-7, 8-15. */
typedef struct Tile {
    Half low, high;
} Tile;

/* tree16 of the four outputs of one activation row. */
INLINE __m128 lanes_totals(const __m256 low[TILE_ONE], const __m256 high[TILE_ONE])
{
    __m256 a = _mm256_add_ps(low[0], high[0]), b = _mm256_add_ps(low[1], high[1]);
    __m256 c = _mm256_add_ps(low[2], high[2]), d = _mm256_add_ps(low[3], high[3]);
    __m256 ab =
        _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
    __m256 cd =
        _mm256_add_ps(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31));
    // One half has four lanes each of a and c, the other of b and d.
    __m256 two = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    __m256 one = _mm256_add_ps(two, _mm256_permute_ps(two, 0xb1));
    __m128 ac = _mm256_castps256_ps128(one), bd = _mm256_extractf128_ps(one, 1);
    return _mm_unpacklo_ps(_mm_shuffle_ps(ac, ac, 0x08), _mm_shuffle_ps(bd, bd, 0x08));
}

/* The outputs of a tile that exist: the compilers leave no trace of the rest. Loops end at
 * constants, since clang unrolls a function before it is inlined. */
INLINE bool in_tile(uint32_t n_rows, uint32_t n_out, uint32_t t, uint32_t i)
{
    return t < n_rows && i < n_out;
}

INLINE void half_copy(uint32_t n_rows, uint32_t n_out, Half *to, const Half *from)
{
    UNROLL
    for (uint32_t t = 0; t < GROUP_ROWS; t++) {
        UNROLL
        for (uint32_t i = 0; i < TILE_ONE; i++)
            if (in_tile(n_rows, n_out, t, i)) to->v[t][i] = from->v[t][i];
    }
}

/* Eight columns from k on of n_out weight rows and n_rows activation rows. */
INLINE void float_step(FloatType type, uint32_t n_rows, uint32_t n_out, Half *sum,
    const uint8_t *const row[TILE_ONE], const float *const x[GROUP_ROWS], uint32_t k)
{
    __m256 w[TILE_ONE];

    UNROLL
    for (uint32_t i = 0; i < TILE_ONE; i++)
        if (i < n_out) w[i] = type.widen(row[i] + k * type.element_bytes);
    UNROLL
    for (uint32_t t = 0; t < GROUP_ROWS; t++) {
        if (t >= n_rows) continue;
        __m256i a = keep(load_256(x[t] + k));
        UNROLL
        for (uint32_t i = 0; i < TILE_ONE; i++)
            if (i < n_out)
                sum->v[t][i] = _mm256_fmadd_ps(w[i], _mm256_castsi256_ps(a), sum->v[t][i]);
    }
}

/* The same for the last n columns, n at most 8. Lanes without an element stay as they are;
 * what follows a row may be read (kernels.h). */
INLINE void float_last(FloatType type, uint32_t n_rows, uint32_t n_out, Half *sum,
    const uint8_t *const row[TILE_ONE], const float *const x[GROUP_ROWS], uint32_t k, uint32_t n)
{
    __m256 present = _mm256_castsi256_ps(first_lanes(n < 8 ? n : 8));
    Half old;

    half_copy(n_rows, n_out, &old, sum);
    float_step(type, n_rows, n_out, sum, row, x, k);
    UNROLL
    for (uint32_t t = 0; t < GROUP_ROWS; t++) {
        UNROLL
        for (uint32_t i = 0; i < TILE_ONE; i++)
            if (in_tile(n_rows, n_out, t, i))
                sum->v[t][i] = _mm256_blendv_ps(old.v[t][i], sum->v[t][i], present);
    }
}

/* Columns first .. end - 1 of a tile. */
INLINE void float_piece(FloatType type, uint32_t n_rows, uint32_t n_out, Tile *tile,
    const uint8_t *const row[TILE_ONE], const float *const x[GROUP_ROWS], uint32_t first,
    uint32_t end, const uint8_t *ahead)
{
    uint32_t k = first;
    Half low, high;

    half_copy(n_rows, n_out, &low, &tile->low);
    half_copy(n_rows, n_out, &high, &tile->high);
    for (; end - k >= LANES; k += LANES) {
        if (n_rows == 1)
            prefetch(ahead + n_out * k * type.element_bytes,
                n_out * LANES * (uint32_t)type.element_bytes);
        float_step(type, n_rows, n_out, &low, row, x, k);
        float_step(type, n_rows, n_out, &high, row, x, k + 8);
    }
    if (k < end) float_last(type, n_rows, n_out, &low, row, x, k, end - k);
    if (k + 8 < end) float_last(type, n_rows, n_out, &high, row, x, k + 8, end - k - 8);
    half_copy(n_rows, n_out, &tile->low, &low);
    half_copy(n_rows, n_out, &tile->high, &high);
}

/* Up to TILES tiles from weight row `top` on, activation rows first_t .. + n_rows. */
INLINE void float_group(FloatType type, uint32_t n_rows, const Output *out, const Weights *weights,
    uint32_t top, const Acts *acts, uint32_t first_t, uint32_t piece_cols)
{
    const uint32_t tile_rows = n_rows == 1 ? TILE_ONE : TILE_MORE;
    uint32_t n_tiles = (out->n_out - top - 1) / tile_rows + 1;
    const float *x[GROUP_ROWS];
    Tile tiles[TILES] = {0};

    if (n_tiles > TILES) n_tiles = TILES;
    for (uint32_t t = 0; t < n_rows; t++) x[t] = acts_record(acts, first_t + t).x;
    for (uint32_t k = 0; k < acts->n_cols; k += piece_cols) {
        uint32_t end = acts->n_cols - k < piece_cols ? acts->n_cols : k + piece_cols;
        for (uint32_t s = 0; s < n_tiles; s++) {
            uint32_t at = top + s * tile_rows;
            const uint8_t *first = weights->w + at * weights->row_bytes;
            const uint8_t *row[TILE_ONE];
            for (uint32_t i = 0; i < tile_rows; i++)
                row[i] = first + (at + i < out->n_out ? i : 0) * weights->row_bytes;
            float_piece(
                type, n_rows, tile_rows, &tiles[s], row, x, k, end, first + weights->ahead_bytes);
        }
    }
    for (uint32_t s = 0; s < n_tiles; s++)
        for (uint32_t t = 0; t < n_rows; t++) {
            uint32_t at = top + s * tile_rows;
            uint32_t n = out->n_out - at < tile_rows ? out->n_out - at : tile_rows;
            float total[TILE_ONE];
            _mm_storeu_ps(total, lanes_totals(tiles[s].low.v[t], tiles[s].high.v[t]));
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

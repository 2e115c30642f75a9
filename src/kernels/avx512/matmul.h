/* What the AVX-512 matmul files share: sums across lanes, and the walk over weight rows.
 *
 * The float chain of an output may not be cut (canonical arithmetic, section 4), so lanes
 * are weight rows. Four adjacent rows, a strip, go together: few enough streams for the
 * hardware, and memory is read nearly in order. A quad is one block of each row of a
 * strip; four quads fill a vector register of 32-bit numbers, as [quad][row]. */
#ifndef HYPURA_KERNELS_AVX512_MATMUL_H
#define HYPURA_KERNELS_AVX512_MATMUL_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Arrays of vectors are registers only where their loops are unrolled, and neither compiler
 * does that at -O2 by itself. Under a sanitizer it would take minutes for nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define UNROLL
#elif defined(__clang__)
#    define UNROLL _Pragma("unroll")
#else
#    define UNROLL _Pragma("GCC unroll 16")
#endif

/* Activation rows that go together where they lie row by row. More would need no less
 * unpacking per row: it is a quarter of the work with two. */
#define ROWS_MAX 2

#define STRIP_ROWS  4
#define TILE_QUADS  4
#define TILE_BLOCKS 16

/* Memory is fetched in the order of addresses, at least this far ahead. On Zen 5 (EPYC 9005
 * guest) 2 KiB reach 70 %, 4 KiB 80 %, 8 KiB 90 % of the bandwidth of a plain read loop. */
#define PREFETCH_BYTES_MIN 8192

/* n_bytes, but at least the distance that hides the latency of memory. */
INLINE size_t prefetch_distance(size_t n_bytes)
{
    return n_bytes < PREFETCH_BYTES_MIN ? PREFETCH_BYTES_MIN : n_bytes;
}

/* Lane l of the result: the sums of lane l of a, b, c and d. */
INLINE __m512i sum_in_lanes(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

/* Lane l of the result: the sum of the four lanes of v[l]. */
INLINE __m512i sum_of_lanes(const __m512i v[4])
{
    __m512i ab = _mm512_add_epi32(
        _mm512_shuffle_i32x4(v[0], v[1], 0x88), _mm512_shuffle_i32x4(v[0], v[1], 0xdd));
    __m512i cd = _mm512_add_epi32(
        _mm512_shuffle_i32x4(v[2], v[3], 0x88), _mm512_shuffle_i32x4(v[2], v[3], 0xdd));
    return _mm512_add_epi32(_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xdd));
}

INLINE __m128i load_128(const void *p)
{
    return _mm_loadu_si128(p);
}

/* Four 16-byte pieces, one a lane. */
INLINE __m512i load_lanes(const void *a, const void *b, const void *c, const void *d)
{
    __m512i v = _mm512_castsi128_si512(load_128(a));
    v = _mm512_inserti32x4(v, load_128(b), 1);
    v = _mm512_inserti32x4(v, load_128(c), 2);
    return _mm512_inserti32x4(v, load_128(d), 3);
}

INLINE int32_t load_i32(const void *p)
{
    int32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

INLINE int16_t load_i16(const void *p)
{
    int16_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

INLINE int64_t load_i64(const void *p)
{
    int64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

/* A tile is 16 blocks, four quads: either four strips of one column, for short rows, or one
 * strip of four columns. Both read memory nearly in order. */
typedef struct Tiling {
    const uint8_t *w;
    size_t row_bytes, block_bytes, ahead_bytes;
    uint32_t n_out, n_blocks;
    uint32_t n_strips, n_columns; // of a tile; the product is TILE_QUADS
    __m512i rows[2], columns[2];  // where each block of a tile is from the first, [quad][row]
} Tiling;

typedef struct Tile {
    uint32_t row, column; // of its first block
    const uint8_t *ahead; // what to prefetch meanwhile: 16 blocks' worth
    uint32_t columns[TILE_QUADS];
    _Alignas(64) const uint8_t *block[TILE_BLOCKS]; // [quad][row]
} Tile;

/* The f16 at an offset in each of 16 blocks. */
INLINE __m512 load_f16s(const uint8_t *const block[TILE_BLOCKS], size_t offset)
{
    int16_t half[TILE_BLOCKS];

    UNROLL
    for (uint32_t i = 0; i < TILE_BLOCKS; i++) half[i] = load_i16(block[i] + offset);
    return _mm512_cvtph_ps(
        _mm256_set_epi16(half[15], half[14], half[13], half[12], half[11], half[10], half[9],
            half[8], half[7], half[6], half[5], half[4], half[3], half[2], half[1], half[0]));
}

/* One strip of four columns. */
INLINE Tiling tiling_wide(
    const uint8_t *w, size_t row_bytes, size_t block_bytes, uint32_t n_out, uint32_t n_blocks)
{
    const __m512i by_four = _mm512_set_epi64(1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i in_four = _mm512_set_epi64(3, 2, 1, 0, 3, 2, 1, 0);

    return (Tiling){w, row_bytes, block_bytes, STRIP_ROWS * row_bytes, n_out, n_blocks, 1,
        TILE_QUADS, {in_four, in_four}, {by_four, _mm512_add_epi64(by_four, _mm512_set1_epi64(2))}};
}

/* The shape that suits the rows. */
INLINE Tiling tiling_begin(
    const uint8_t *w, size_t row_bytes, size_t block_bytes, uint32_t n_out, uint32_t n_blocks)
{
    Tiling tiling = tiling_wide(w, row_bytes, block_bytes, n_out, n_blocks);

    if (n_blocks < TILE_QUADS) {
        tiling.n_strips = TILE_QUADS;
        tiling.n_columns = 1;
        tiling.rows[0] = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
        tiling.rows[1] = _mm512_set_epi64(15, 14, 13, 12, 11, 10, 9, 8);
        tiling.columns[0] = tiling.columns[1] = _mm512_setzero_si512();
    }
    tiling.ahead_bytes = prefetch_distance(tiling.ahead_bytes);
    return tiling;
}

INLINE uint32_t clamp_index(uint32_t index, uint32_t n)
{
    return index < n ? index : n - 1;
}

/* Past the edges of the matrix stand the last row and the last column again. */
INLINE void tile_set(const Tiling *tiling, Tile *tile, uint32_t row, uint32_t column)
{
    const __m512i last_row = _mm512_set1_epi64(tiling->n_out - 1);
    const __m512i last_column = _mm512_set1_epi64(tiling->n_blocks - 1);

    tile->row = row;
    tile->column = column;
    tile->ahead = tiling->w + row * tiling->row_bytes
                  + column * tiling->n_strips * STRIP_ROWS * tiling->block_bytes
                  + tiling->ahead_bytes;
    UNROLL
    for (uint32_t l = 0; l < TILE_QUADS; l++)
        tile->columns[l] = clamp_index(column + (l & (tiling->n_columns - 1)), tiling->n_blocks);
    UNROLL
    for (uint32_t h = 0; h < 2; h++) {
        __m512i r = _mm512_add_epi64(_mm512_set1_epi64(row), tiling->rows[h]);
        __m512i c = _mm512_add_epi64(_mm512_set1_epi64(column), tiling->columns[h]);
        __m512i row_offset = _mm512_mul_epu32(
            _mm512_min_epu64(r, last_row), _mm512_set1_epi64((long long)tiling->row_bytes));
        __m512i offset = _mm512_mul_epu32(
            _mm512_min_epu64(c, last_column), _mm512_set1_epi64((long long)tiling->block_bytes));
        __m512i base = _mm512_set1_epi64((long long)(uintptr_t)tiling->w);
        _mm512_store_si512(
            tile->block + 8 * h, _mm512_add_epi64(base, _mm512_add_epi64(row_offset, offset)));
    }
}

/* The tile after `tile`: along the row, then down. False: there is none. */
INLINE bool tile_next(const Tiling *tiling, const Tile *tile, Tile *next)
{
    uint32_t row = tile->row, column = tile->column + tiling->n_columns;

    if (column >= tiling->n_blocks) {
        column = 0;
        row += tiling->n_strips * STRIP_ROWS;
    }
    if (row >= tiling->n_out) return false;
    tile_set(tiling, next, row, column);
    return true;
}

/* Beyond the end of a mapping a prefetch does nothing. */
INLINE void prefetch(const uint8_t *p, uint32_t n_bytes)
{
    UNROLL
    for (uint32_t line = 0; line < n_bytes; line += 64)
        _mm_prefetch((const char *)p + line, _MM_HINT_T0);
}

INLINE void store_rows(float *y, __m128 values, uint32_t n)
{
    _mm_mask_storeu_ps(y, n >= STRIP_ROWS ? 0xf : (__mmask8)((1u << n) - 1), values);
}

/* Where results go: y[t * y_stride + row], t < n_rows. */
typedef struct Output {
    float *y;
    size_t y_stride;
    uint32_t n_out, n_rows;
} Output;

/* Four vectors of 16 lanes to 16 vectors of four, or back: b[t % 4][t / 4] is lane t. */
typedef struct Turned {
    _Alignas(64) float b[4][4][STRIP_ROWS];
} Turned;

/* Stores acc[i], lane t: weight row `row` + i, activation row `first` + t. */
INLINE void output_store(
    const Output *out, const __m512 acc[STRIP_ROWS], uint32_t row, uint32_t first)
{
    __m512d ab0 = _mm512_castps_pd(_mm512_unpacklo_ps(acc[0], acc[1]));
    __m512d ab1 = _mm512_castps_pd(_mm512_unpackhi_ps(acc[0], acc[1]));
    __m512d cd0 = _mm512_castps_pd(_mm512_unpacklo_ps(acc[2], acc[3]));
    __m512d cd1 = _mm512_castps_pd(_mm512_unpackhi_ps(acc[2], acc[3]));
    uint32_t n = out->n_rows - first < 16 ? out->n_rows - first : 16;
    Turned turned;

    _mm512_store_pd(turned.b[0], _mm512_unpacklo_pd(ab0, cd0));
    _mm512_store_pd(turned.b[1], _mm512_unpackhi_pd(ab0, cd0));
    _mm512_store_pd(turned.b[2], _mm512_unpacklo_pd(ab1, cd1));
    _mm512_store_pd(turned.b[3], _mm512_unpackhi_pd(ab1, cd1));
    for (uint32_t t = 0; t < n; t++)
        store_rows(out->y + (first + t) * out->y_stride + row, _mm_load_ps(turned.b[t % 4][t / 4]),
            out->n_out - row);
}

/* The opposite of output_store(). */
INLINE void output_load(const Output *out, __m512 acc[STRIP_ROWS], uint32_t row, uint32_t first)
{
    uint32_t n = out->n_rows - first < 16 ? out->n_rows - first : 16;
    uint32_t n_in = out->n_out - row;
    __mmask8 mask = n_in >= STRIP_ROWS ? 0xf : (__mmask8)((1u << n_in) - 1);
    Turned turned = {0};

    for (uint32_t t = 0; t < n; t++)
        _mm_store_ps(turned.b[t % 4][t / 4],
            _mm_maskz_loadu_ps(mask, out->y + (first + t) * out->y_stride + row));
    // b[t % 4] has lanes t / 4 of rows 0 to 3: the same turn again.
    __m512 r0 = _mm512_load_ps(turned.b[0]), r1 = _mm512_load_ps(turned.b[1]);
    __m512 r2 = _mm512_load_ps(turned.b[2]), r3 = _mm512_load_ps(turned.b[3]);
    __m512d ab0 = _mm512_castps_pd(_mm512_unpacklo_ps(r0, r1));
    __m512d ab1 = _mm512_castps_pd(_mm512_unpackhi_ps(r0, r1));
    __m512d cd0 = _mm512_castps_pd(_mm512_unpacklo_ps(r2, r3));
    __m512d cd1 = _mm512_castps_pd(_mm512_unpackhi_ps(r2, r3));
    acc[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab0, cd0));
    acc[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab0, cd0));
    acc[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab1, cd1));
    acc[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab1, cd1));
}

#endif

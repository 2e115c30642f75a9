/* Super-block types for many activation rows: lanes are activation rows, and a weight is a
 * broadcast of four codes. Strips of weight rows are unpacked once, some columns at a time,
 * and meet all panels of 16 rows.
 *
 * The products of a group are added in 16 bits before the scale is applied, which halves the
 * multiplications. With a bias B the sum is that of (q - B) * a: it starts from -B times the
 * sum of the same activations and may wrap on the way, but its end fits; so the bias costs
 * nothing further.
 *
 * Bound: multiplications, two a cycle on Zen 5; per block, row and half panel 64 for the
 * codes, 8 to 16 for the scales, 4 to 8 for minima. */
#ifndef HYPURA_KERNELS_AVX2_MATMUL_K_PANELS_H
#define HYPURA_KERNELS_AVX2_MATMUL_K_PANELS_H

#include "kernels/avx2/matmul_k.h"

#define PANEL_STRIPS  2 // weight strips that use a piece of the activations while it is in L1
#define PANEL_COLUMNS 2 // blocks of a row that are unpacked together
#define PANELS_FEW    4 // 4 KiB each per super-block: 256 KiB at 4096 columns
#define TILE_ROWS     4 // weight rows whose sums fit the registers

/* Some blocks of each row of a strip, unpacked. Small integers stand as int16, twice. */
typedef struct KStrip {
    uint32_t row;
    _Alignas(32) uint8_t codes[PANEL_COLUMNS][STRIP_ROWS][K_ELEMENTS];
    _Alignas(32) int32_t scales[PANEL_COLUMNS][STRIP_ROWS][16];
    _Alignas(32) int32_t mins[PANEL_COLUMNS][8][STRIP_ROWS]; // pairs
    _Alignas(32) float dw[PANEL_COLUMNS][STRIP_ROWS];
    _Alignas(32) float dmin[PANEL_COLUMNS][STRIP_ROWS];
} KStrip;

/* What the sums of the groups start from. */
typedef struct KStart {
    Pair group[16];
} KStart;

/* The scales in order, each twice. */
INLINE void k_store_scales(KType type, int32_t out[16], __m256i scales)
{
    const __m256i sort = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i low = _mm256_unpacklo_epi16(scales, scales);
    __m256i high = _mm256_unpackhi_epi16(scales, scales);

    if (type.n_groups == 8) {
        store_256(out, _mm256_blend_epi32(low, high, 0xf0));
        return;
    }
    store_256(out, _mm256_permutevar8x32_epi32(low, sort));
    store_256(out + 8, _mm256_permutevar8x32_epi32(high, sort));
}

INLINE void k_unpack_column(KType type, KStrip *strip, const Strip *rows, size_t column, uint32_t l)
{
    const uint8_t *ahead = rows->ahead + column * STRIP_ROWS * type.block_bytes;
    const uint8_t *block[STRIP_ROWS];
    KHeads heads;

    for (uint32_t i = 0; i < STRIP_ROWS; i++) block[i] = rows->row[i] + column * type.block_bytes;
    type.heads(&heads, block);
    _mm256_store_ps(strip->dw[l], heads.dw);
    if (type.n_minima > 0) _mm256_store_ps(strip->dmin[l], heads.dmin);
    UNROLL
    for (uint32_t p = 0; p < type.n_minima / 2; p++) store_256(strip->mins[l][p], heads.mins[p]);
    for (uint32_t i = 0; i < STRIP_ROWS; i++) {
        __m256i codes[K_VECTORS];
        prefetch(ahead + i * type.block_bytes, type.block_bytes);
        k_store_scales(type, strip->scales[l][i], type.scales(&heads, i, block[i]));
        type.unpack(codes, block[i]);
        UNROLL
        for (uint32_t j = 0; j < K_VECTORS; j++) store_256(strip->codes[l][i] + 32 * j, codes[j]);
    }
}

/* q: a block of a panel, [k/4][16 rows][4]. */
INLINE void k_panel_start(KType type, KStart *start, const int8_t *q)
{
    const __m256i bias = _mm256_set1_epi8((char)type.bias);

    for (uint32_t g = 0; g < type.n_groups; g++) {
        Pair sum = pair_zero();
        for (uint32_t k = 0; k < K_ELEMENTS / type.n_groups; k += 4, q += 4 * ACTS_PANEL_ROWS) {
            Pair a = pair_load(2, q);
            sum.low = _mm256_sub_epi16(sum.low, _mm256_maddubs_epi16(bias, a.low));
            sum.high = _mm256_sub_epi16(sum.high, _mm256_maddubs_epi16(bias, a.high));
        }
        start->group[g] = sum;
    }
}

/* isum of block `l` of TILE_ROWS rows of a strip against a block of a panel. */
INLINE void k_panel_isums(KType type, uint32_t n_halves, Pair isum[TILE_ROWS], const KStrip *strip,
    uint32_t l, uint32_t first, const int8_t *q, const KStart *start)
{
    const uint32_t n_parts = K_ELEMENTS / 4 / type.n_groups / type.n_chained;
    const uint8_t *codes = strip->codes[l][first];

    UNROLL
    for (uint32_t i = 0; i < TILE_ROWS; i++) isum[i] = pair_zero();
    for (uint32_t n = 0; n < type.n_groups * n_parts; n++) {
        Pair p[TILE_ROWS];
        UNROLL
        for (uint32_t i = 0; i < TILE_ROWS; i++)
            p[i] = type.bias > 0 ? start->group[n] : pair_zero();
        UNROLL
        for (uint32_t c = 0; c < type.n_chained; c++) {
            Pair a = pair_load(n_halves, q + 4 * c * ACTS_PANEL_ROWS);
            UNROLL
            for (uint32_t i = 0; i < TILE_ROWS; i++) {
                __m256i w = _mm256_set1_epi32(load_i32(codes + i * K_ELEMENTS + 4 * c));
                p[i].low = keep(_mm256_add_epi16(p[i].low, k_multiply(type, w, a.low)));
                if (n_halves == 1) continue;
                p[i].high = keep(_mm256_add_epi16(p[i].high, k_multiply(type, w, a.high)));
            }
        }
        codes += 4 * type.n_chained;
        q += 4 * type.n_chained * ACTS_PANEL_ROWS;
        UNROLL
        for (uint32_t i = 0; i < TILE_ROWS; i++) {
            __m256i scale = _mm256_set1_epi32(strip->scales[l][first + i][n / n_parts]);
            isum[i].low = _mm256_add_epi32(isum[i].low, _mm256_madd_epi16(p[i].low, scale));
            if (n_halves == 1) continue;
            isum[i].high = _mm256_add_epi32(isum[i].high, _mm256_madd_epi16(p[i].high, scale));
        }
    }
}

/* msum of row `i` of a strip and half a panel; sums: [pair][16 rows][2]. */
INLINE __m256i k_panel_msum(
    KType type, const KStrip *strip, uint32_t l, uint32_t i, const int16_t *sums)
{
    __m256i msum = _mm256_setzero_si256();

    UNROLL
    for (uint32_t p = 0; p < type.n_minima / 2; p++)
        msum = _mm256_add_epi32(msum, _mm256_madd_epi16(_mm256_set1_epi32(strip->mins[l][p][i]),
                                          load_256(sums + p * 2 * ACTS_PANEL_ROWS)));
    return msum;
}

/* One step of the chains of TILE_ROWS rows of a strip and half a panel. */
INLINE void k_panel_chain(KType type, __m256 *acc, const Pair isum[TILE_ROWS], uint32_t half,
    const KStrip *strip, uint32_t l, uint32_t first, const ActsRecord *record, size_t column)
{
    __m256 da = _mm256_load_ps(record->d + column * ACTS_PANEL_ROWS + half * PANEL_LANES);
    const int16_t *sums = (type.n_groups == 8 ? record->bs32 : record->bs16)
                          + column * type.n_groups * ACTS_PANEL_ROWS + half * 2 * PANEL_LANES;

    UNROLL
    for (uint32_t i = 0; i < TILE_ROWS; i++) {
        __m256 dw = _mm256_set1_ps(strip->dw[l][first + i]);
        acc[i] = _mm256_fmadd_ps(_mm256_mul_ps(dw, da),
            _mm256_cvtepi32_ps(half == 0 ? isum[i].low : isum[i].high), acc[i]);
        if (type.n_minima == 0) continue;
        __m256i msum = k_panel_msum(type, strip, l, first + i, sums);
        __m256 dmin = _mm256_set1_ps(strip->dmin[l][first + i]);
        acc[i] = _mm256_fnmadd_ps(_mm256_mul_ps(dmin, da), _mm256_cvtepi32_ps(msum), acc[i]);
    }
}

/* Columns first .. end - 1 of some strips. */
typedef struct KPiece {
    uint32_t first, end, n_strips;
    KStrip strips[PANEL_STRIPS];
} KPiece;

/* A piece against one panel, or the first half of it. The chains come from y and go back
 * there, which is exact. */
INLINE void k_panel_tile(KType type, uint32_t n_halves, const KPiece *piece, const Output *out,
    const Acts *acts, uint32_t panel)
{
    __m256 acc[PANEL_STRIPS][2][STRIP_ROWS] = {0};
    ActsRecord record = acts_record(acts, panel);
    KStart start;

    for (uint32_t s = 0; piece->first > 0 && s < piece->n_strips; s++)
        for (uint32_t j = 0; j < n_halves; j++)
            output_load(
                out, acc[s][j], piece->strips[s].row, panel * ACTS_PANEL_ROWS + j * PANEL_LANES);
    for (uint32_t column = piece->first; column < piece->end; column++) {
        const int8_t *q = record.q + (size_t)column * K_ELEMENTS * ACTS_PANEL_ROWS;
        uint32_t l = column - piece->first;
        if (type.bias > 0) k_panel_start(type, &start, q);
        for (uint32_t i = 0; i < piece->n_strips * STRIP_ROWS; i += TILE_ROWS) {
            uint32_t s = i / STRIP_ROWS, row = i % STRIP_ROWS;
            const KStrip *strip = &piece->strips[s];
            Pair isum[TILE_ROWS];
            k_panel_isums(type, n_halves, isum, strip, l, row, q, &start);
            k_panel_chain(type, acc[s][0] + row, isum, 0, strip, l, row, &record, column);
            if (n_halves == 1) continue;
            k_panel_chain(type, acc[s][1] + row, isum, 1, strip, l, row, &record, column);
        }
    }
    for (uint32_t s = 0; s < piece->n_strips; s++)
        for (uint32_t j = 0; j < n_halves; j++)
            output_store(
                out, acc[s][j], piece->strips[s].row, panel * ACTS_PANEL_ROWS + j * PANEL_LANES);
}

/* Some columns of some strips, from `row` and `column` on, against all panels. */
INLINE void k_panel_piece(KType type, const Weights *weights, const Output *out, const Acts *acts,
    uint32_t row, uint32_t column)
{
    uint32_t n_columns = acts->n_cols / K_ELEMENTS, panel = 0;
    KPiece piece = {.first = column};

    piece.end = n_columns - column < PANEL_COLUMNS ? n_columns : column + PANEL_COLUMNS;
    for (; piece.n_strips < PANEL_STRIPS && row < out->n_out; row += STRIP_ROWS) {
        KStrip *strip = &piece.strips[piece.n_strips++];
        Strip rows = weights_strip(weights, row);
        strip->row = row;
        for (uint32_t c = piece.first; c < piece.end; c++)
            k_unpack_column(type, strip, &rows, c, c - piece.first);
    }
    for (; panel * ACTS_PANEL_ROWS + PANEL_LANES < out->n_rows; panel++)
        k_panel_tile(type, 2, &piece, out, acts, panel);
    if (panel * ACTS_PANEL_ROWS < out->n_rows) k_panel_tile(type, 1, &piece, out, acts, panel);
}

INLINE void k_panels(KType type, float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
    uint32_t n_out, const Acts *acts)
{
    uint32_t n_panels = (acts->n_rows - 1) / ACTS_PANEL_ROWS + 1;
    Output out = {y, y_stride, n_out, acts->n_rows};
    Weights weights = weights_begin(w, row_bytes, n_out);

    // Few panels stay in L2: row after row then, as memory likes it. Many are read again for
    // each strip: columns go outside, so that a piece of all panels stays.
    uint32_t n_downs = (n_out - 1) / (PANEL_STRIPS * STRIP_ROWS) + 1;
    uint32_t n_acrosses = (acts->n_cols / K_ELEMENTS - 1) / PANEL_COLUMNS + 1;
    bool rows_first = n_panels <= PANELS_FEW;

    for (uint32_t n = 0; n < n_downs * n_acrosses; n++) {
        uint32_t down = rows_first ? n / n_acrosses : n % n_downs;
        uint32_t across = rows_first ? n % n_acrosses : n / n_downs;
        k_panel_piece(
            type, &weights, &out, acts, down * PANEL_STRIPS * STRIP_ROWS, across * PANEL_COLUMNS);
    }
}

#endif

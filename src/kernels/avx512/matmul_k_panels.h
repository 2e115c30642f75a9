/* Super-block types for many activation rows: lanes are activation rows, and a weight is a
 * broadcast. Strips of weight rows are unpacked once, four blocks at a time, and meet all
 * panels of 16 rows.
 *
 *   codes as signed bytes c = q - bias, activations as unsigned a + 128, one dpbusd each:
 *   isum = sum_g scale_g * (sum over group g of c * (a + 128)) - 128 * sum_g scale_g * (sum c)
 *
 * The last term belongs to the weights alone; isum starts from it. Sums may wrap on the way:
 * the end is exact modulo 2^32 and fits (canonical arithmetic, section 6).
 *
 * Bound: two 64-byte dpbusd (or vpmulld) a cycle; per block, row and panel 64 + 8 of them,
 * 4 for the minimum and 4 for the chain: 80 % of the integer peak. */
#ifndef HYPURA_KERNELS_AVX512_MATMUL_K_PANELS_H
#define HYPURA_KERNELS_AVX512_MATMUL_K_PANELS_H

#include "kernels/avx512/matmul_k.h"

#define PANEL_STRIPS 2 // weight strips that use a piece of the activations while it is in L1
#define PANELS       2 // activation panels that share a broadcast
#define PANELS_FEW   4 // 1 KiB each per super-block: 64 KiB at 4096 columns

/* Four blocks of each row of a strip, unpacked. */
typedef struct KStrip {
    uint32_t row, column;
    _Alignas(64) int8_t codes[STRIP_ROWS][TILE_QUADS][K_ELEMENTS];
    _Alignas(64) int32_t scales[TILE_QUADS][STRIP_ROWS][16];
    _Alignas(64) int32_t mins[8][TILE_QUADS][STRIP_ROWS]; // int16 pairs
    _Alignas(64) int32_t start[TILE_QUADS][STRIP_ROWS];
    _Alignas(64) float dw[TILE_QUADS][STRIP_ROWS];
    _Alignas(64) float dmin[TILE_QUADS][STRIP_ROWS];
} KStrip;

/* Takes one block apart; returns, in any lanes, the sum of scale * code. */
INLINE __m512i k_unpack_block(
    KType type, KStrip *strip, const uint8_t *block, const uint8_t *scales, uint32_t l, uint32_t i)
{
    const __m512i ones = _mm512_set1_epi8(1), bias = _mm512_set1_epi8((char)type.bias);
    __m512i codes[4], p[4];

    type.unpack(codes, block);
    UNROLL
    for (uint32_t j = 0; j < 4; j++) {
        codes[j] = _mm512_sub_epi8(codes[j], bias);
        p[j] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, codes[j]);
    }
    __m512i sum = type.scale(p, scales, l, i);
    type.order(codes);
    UNROLL
    for (uint32_t j = 0; j < 4; j++) _mm512_store_si512(strip->codes[i][l] + 64 * j, codes[j]);
    _mm512_store_si512(strip->scales[l][i], type.scales(scales, l, i));
    return sum;
}

INLINE void k_unpack_strip(KType type, KStrip *strip, const Tile *tile)
{
    _Alignas(64) uint8_t scales[K_SCALE_BYTES];
    __m512i sums[TILE_QUADS];
    KHeads heads;

    type.heads(&heads, scales, tile->block);
    _mm512_store_ps(strip->dw, heads.dw);
    if (type.n_min_pairs > 0) _mm512_store_ps(strip->dmin, heads.dmin);
    UNROLL
    for (uint32_t p = 0; p < type.n_min_pairs; p++)
        _mm512_store_si512(strip->mins[p], heads.mins[p]);
    for (uint32_t l = 0; l < TILE_QUADS; l++) {
        __m512i sum[STRIP_ROWS];
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) {
            prefetch(tile->ahead + (l * STRIP_ROWS + i) * type.block_bytes, type.block_bytes);
            sum[i] = k_unpack_block(type, strip, tile->block[l * STRIP_ROWS + i], scales, l, i);
        }
        sums[l] = sum_in_lanes(sum[0], sum[1], sum[2], sum[3]);
    }
    // 128 * sum, subtracted
    __m512i sum = _mm512_slli_epi32(sum_of_lanes(sums), 7);
    _mm512_store_si512(strip->start, _mm512_sub_epi32(_mm512_setzero_si512(), sum));
}

/* isum[row][panel] of block `l` of a strip against a block of one or two panels.
 * q: [panel] [k/4][16 rows][4] */
INLINE void k_panel_isums(KType type, uint32_t n_panels, __m512i isum[STRIP_ROWS][PANELS],
    const KStrip *strip, uint32_t l, const int8_t *const q[PANELS])
{
    const __m512i flip = _mm512_set1_epi8(-128);
    const uint32_t n_quarters = K_ELEMENTS / type.n_groups / 4; // groups of four elements

    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++) {
        UNROLL
        for (uint32_t j = 0; j < n_panels; j++) isum[i][j] = _mm512_set1_epi32(strip->start[l][i]);
    }
    for (uint32_t g = 0; g < type.n_groups; g++) {
        __m512i p[STRIP_ROWS][PANELS];
        UNROLL
        for (uint32_t c = 0; c < n_quarters; c++) {
            uint32_t k = (g * n_quarters + c) * 4;
            __m512i a[PANELS];
            UNROLL
            for (uint32_t j = 0; j < n_panels; j++)
                a[j] = _mm512_xor_si512(_mm512_load_si512(q[j] + k * ACTS_PANEL_ROWS), flip);
            UNROLL
            for (uint32_t i = 0; i < STRIP_ROWS; i++) {
                __m512i w = _mm512_set1_epi32(load_i32(strip->codes[i][l] + k));
                UNROLL
                for (uint32_t j = 0; j < n_panels; j++)
                    p[i][j] =
                        _mm512_dpbusd_epi32(c == 0 ? _mm512_setzero_si512() : p[i][j], a[j], w);
            }
        }
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) {
            __m512i scale = _mm512_set1_epi32(strip->scales[l][i][g]);
            UNROLL
            for (uint32_t j = 0; j < n_panels; j++)
                isum[i][j] = _mm512_add_epi32(isum[i][j], _mm512_mullo_epi32(p[i][j], scale));
        }
    }
}

/* One step of the chains of a strip and a panel. acc: [row], lanes are activation rows. */
INLINE void k_panel_chain(KType type, __m512 acc[STRIP_ROWS], __m512i isum[STRIP_ROWS][PANELS],
    uint32_t panel, const KStrip *strip, uint32_t l, const ActsRecord *record)
{
    uint32_t column = strip->column + l;
    __m512 da = _mm512_load_ps(record->d + column * ACTS_PANEL_ROWS);
    const int16_t *sums = (type.n_groups == 8 ? record->bs32 : record->bs16)
                          + column * type.n_groups * ACTS_PANEL_ROWS;

    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++) {
        __m512 dw = _mm512_set1_ps(strip->dw[l][i]);
        acc[i] = _mm512_fmadd_ps(_mm512_mul_ps(dw, da), _mm512_cvtepi32_ps(isum[i][panel]), acc[i]);
        if (type.n_min_pairs == 0) continue;
        __m512i msum = _mm512_setzero_si512();
        UNROLL
        for (uint32_t p = 0; p < type.n_min_pairs; p++)
            msum = _mm512_dpwssd_epi32(msum, _mm512_set1_epi32(strip->mins[p][l][i]),
                _mm512_load_si512(sums + p * 2 * ACTS_PANEL_ROWS));
        __m512 dmin = _mm512_set1_ps(strip->dmin[l][i]);
        acc[i] = _mm512_fnmadd_ps(_mm512_mul_ps(dmin, da), _mm512_cvtepi32_ps(msum), acc[i]);
    }
}

/* Up to four blocks of n_strips strips against n_panels panels, starting at `panel`. The
 * chains come from y and go back there, which is exact. */
INLINE void k_panel_tile(KType type, uint32_t n_panels, const KStrip *strips, uint32_t n_strips,
    uint32_t n_columns, const Output *out, const Acts *acts, uint32_t panel)
{
    __m512 acc[PANEL_STRIPS][PANELS][STRIP_ROWS];
    ActsRecord records[PANELS];

    UNROLL
    for (uint32_t j = 0; j < n_panels; j++) {
        records[j] = acts_record(acts, panel + j);
        for (uint32_t s = 0; s < n_strips; s++) {
            if (strips[s].column > 0) {
                output_load(out, acc[s][j], strips[s].row, (panel + j) * ACTS_PANEL_ROWS);
                continue;
            }
            for (uint32_t i = 0; i < STRIP_ROWS; i++) acc[s][j][i] = _mm512_setzero_ps();
        }
    }
    for (uint32_t l = 0; l < n_columns; l++) {
        const int8_t *q[PANELS];
        UNROLL
        for (uint32_t j = 0; j < n_panels; j++)
            q[j] = records[j].q + (size_t)(strips[0].column + l) * K_ELEMENTS * ACTS_PANEL_ROWS;
        for (uint32_t s = 0; s < n_strips; s++) {
            __m512i isum[STRIP_ROWS][PANELS];
            k_panel_isums(type, n_panels, isum, &strips[s], l, q);
            UNROLL
            for (uint32_t j = 0; j < n_panels; j++)
                k_panel_chain(type, acc[s][j], isum, j, &strips[s], l, &records[j]);
        }
    }
    UNROLL
    for (uint32_t j = 0; j < n_panels; j++)
        for (uint32_t s = 0; s < n_strips; s++)
            output_store(out, acc[s][j], strips[s].row, (panel + j) * ACTS_PANEL_ROWS);
}

/* Four columns of two strips from `row` and `column` on, against all panels. */
INLINE void k_panel_piece(KType type, const Tiling *tiling, const Output *out, const Acts *acts,
    uint32_t row, uint32_t column)
{
    uint32_t n_panels = (acts->n_rows - 1) / ACTS_PANEL_ROWS + 1, panel = 0, n_strips = 0;
    KStrip strips[PANEL_STRIPS];

    for (; n_strips < PANEL_STRIPS && row < tiling->n_out; n_strips++, row += STRIP_ROWS) {
        KStrip *strip = &strips[n_strips];
        Tile tile;
        strip->row = row;
        strip->column = column;
        tile_set(tiling, &tile, row, column);
        k_unpack_strip(type, strip, &tile);
    }
    uint32_t n_columns =
        tiling->n_blocks - column < TILE_QUADS ? tiling->n_blocks - column : TILE_QUADS;
    for (; panel + PANELS <= n_panels; panel += PANELS)
        k_panel_tile(type, PANELS, strips, n_strips, n_columns, out, acts, panel);
    if (panel < n_panels) k_panel_tile(type, 1, strips, n_strips, n_columns, out, acts, panel);
}

INLINE void k_panels(KType type, float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
    uint32_t n_out, const Acts *acts)
{
    uint32_t n_blocks = acts->n_cols / K_ELEMENTS;
    uint32_t n_panels = (acts->n_rows - 1) / ACTS_PANEL_ROWS + 1;
    Output out = {y, y_stride, n_out, acts->n_rows};
    Tiling tiling = tiling_wide(w, row_bytes, type.block_bytes, n_out, n_blocks);

    // Few panels stay in L2: row after row then, as memory likes it. Many are read again for
    // each strip: columns go outside, so that a piece of all panels stays.
    uint32_t n_downs = (n_out - 1) / (PANEL_STRIPS * STRIP_ROWS) + 1;
    uint32_t n_acrosses = (n_blocks - 1) / TILE_QUADS + 1;
    bool rows_first = n_panels <= PANELS_FEW;

    for (uint32_t n = 0; n < n_downs * n_acrosses; n++) {
        uint32_t down = rows_first ? n / n_acrosses : n % n_downs;
        uint32_t across = rows_first ? n % n_acrosses : n / n_downs;
        k_panel_piece(
            type, &tiling, &out, acts, down * PANEL_STRIPS * STRIP_ROWS, across * TILE_QUADS);
    }
}

#endif

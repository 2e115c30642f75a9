/* Types with 32-element blocks for many activation rows: lanes are activation rows, and a
 * weight is a broadcast of four codes, as in matmul_k_panels.h. Every block is a step of the
 * chains.
 *
 * Bound: multiplications, two a cycle on Zen 5; per block, row and half panel 8 for codes, 1
 * or 2 (signed: 8) to widen them, 3 for the chain. */
#ifndef HYPURA_KERNELS_AVX2_MATMUL_Q_PANELS_H
#define HYPURA_KERNELS_AVX2_MATMUL_Q_PANELS_H

#include "kernels/avx2/matmul_q.h"

#define Q_QUADS      8  // codes that are broadcast together, in a block
#define PIECE_BLOCKS 16 // blocks of a row that are unpacked together, for panels
#define PANEL_STRIPS 2  // weight strips that use a piece of the activations while it is in L1
#define PANELS_FEW   4  // 80 KiB each at 4096 columns
#define TILE_ROWS    4  // weight rows whose sums fit the registers

/* Some blocks of each row of a strip, unpacked. */
typedef struct QStrip {
    uint32_t row;
    _Alignas(32) uint8_t codes[PIECE_BLOCKS][STRIP_ROWS][Q_ELEMENTS];
    _Alignas(32) float dw[PIECE_BLOCKS][STRIP_ROWS];
    _Alignas(32) float mw[PIECE_BLOCKS][STRIP_ROWS];
} QStrip;

INLINE void q_unpack_column(QType type, QStrip *strip, const Strip *rows, size_t column, uint32_t l)
{
    const uint8_t *block[STRIP_ROWS];

    prefetch(rows->ahead + column * STRIP_ROWS * type.block_bytes, STRIP_ROWS * type.block_bytes);
    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++) {
        block[i] = rows->row[i] + column * type.block_bytes;
        store_256(strip->codes[l][i], type.codes(block[i]));
    }
    _mm256_store_ps(strip->dw[l], type.scales(block));
    if (type.mins) _mm256_store_ps(strip->mw[l], type.mins(block));
}

/* isum, but for the bias, of TILE_ROWS rows and a block of a panel.
 * codes: [row][32]; q: [k/4][16 rows][4] */
INLINE void q_panel_isums(
    QType type, uint32_t n_halves, Pair isum[TILE_ROWS], const uint8_t *codes, const int8_t *q)
{
    const __m256i ones = _mm256_set1_epi16(1);

    UNROLL
    for (uint32_t n = 0; n < Q_QUADS; n += type.n_chained) {
        Pair p[TILE_ROWS];
        UNROLL
        for (uint32_t c = 0; c < type.n_chained; c++) {
            Pair a = pair_load(n_halves, q + (n + c) * 4 * ACTS_PANEL_ROWS);
            UNROLL
            for (uint32_t i = 0; i < TILE_ROWS; i++) {
                __m256i w = _mm256_set1_epi32(load_i32(codes + i * Q_ELEMENTS + (n + c) * 4));
                __m256i low = q_multiply(type, w, a.low);
                p[i].low = c == 0 ? low : keep(_mm256_add_epi16(p[i].low, low));
                if (n_halves == 1) continue;
                __m256i high = q_multiply(type, w, a.high);
                p[i].high = c == 0 ? high : keep(_mm256_add_epi16(p[i].high, high));
            }
        }
        UNROLL
        for (uint32_t i = 0; i < TILE_ROWS; i++) {
            __m256i low = _mm256_madd_epi16(p[i].low, ones);
            isum[i].low = n == 0 ? low : keep(_mm256_add_epi32(isum[i].low, low));
            if (n_halves == 1) continue;
            __m256i high = _mm256_madd_epi16(p[i].high, ones);
            isum[i].high = n == 0 ? high : keep(_mm256_add_epi32(isum[i].high, high));
        }
    }
}

/* One step of the chains of TILE_ROWS rows of a strip and half a panel. */
INLINE void q_panel_chain(QType type, __m256 *acc, const Pair isum[TILE_ROWS], uint32_t half,
    const QStrip *strip, uint32_t l, uint32_t first, const ActsRecord *record, size_t column)
{
    size_t lane = column * ACTS_PANEL_ROWS + half * PANEL_LANES;
    __m256 da = _mm256_load_ps(record->d + lane);
    __m256i sums = load_256(record->sums + lane);
    __m256i excess = _mm256_mullo_epi32(sums, _mm256_set1_epi32(type.bias));
    __m256 msum = _mm256_cvtepi32_ps(sums);

    UNROLL
    for (uint32_t i = 0; i < TILE_ROWS; i++) {
        __m256 dw = _mm256_set1_ps(strip->dw[l][first + i]);
        __m256i value = half == 0 ? isum[i].low : isum[i].high;
        if (type.bias > 0) value = _mm256_sub_epi32(value, excess);
        acc[i] = _mm256_fmadd_ps(_mm256_mul_ps(dw, da), _mm256_cvtepi32_ps(value), acc[i]);
        if (!type.mins) continue;
        __m256 mw = _mm256_set1_ps(strip->mw[l][first + i]);
        acc[i] = _mm256_fmadd_ps(_mm256_mul_ps(mw, da), msum, acc[i]);
    }
}

/* Columns first .. end - 1 of some strips. */
typedef struct QPiece {
    uint32_t first, end, n_strips;
    QStrip strips[PANEL_STRIPS];
} QPiece;

/* A piece against one panel, or the first half of it. The chains come from y and go back
 * there, which is exact. */
INLINE void q_panel_tile(QType type, uint32_t n_halves, const QPiece *piece, const Output *out,
    const Acts *acts, uint32_t panel)
{
    __m256 acc[PANEL_STRIPS][2][STRIP_ROWS] = {0};
    ActsRecord record = acts_record(acts, panel);

    for (uint32_t s = 0; piece->first > 0 && s < piece->n_strips; s++)
        for (uint32_t j = 0; j < n_halves; j++)
            output_load(
                out, acc[s][j], piece->strips[s].row, panel * ACTS_PANEL_ROWS + j * PANEL_LANES);
    for (uint32_t column = piece->first; column < piece->end; column++) {
        const int8_t *q = record.q + (size_t)column * Q_ELEMENTS * ACTS_PANEL_ROWS;
        uint32_t l = column - piece->first;
        for (uint32_t i = 0; i < piece->n_strips * STRIP_ROWS; i += TILE_ROWS) {
            uint32_t s = i / STRIP_ROWS, row = i % STRIP_ROWS;
            const QStrip *strip = &piece->strips[s];
            Pair isum[TILE_ROWS];
            q_panel_isums(type, n_halves, isum, strip->codes[l][row], q);
            q_panel_chain(type, acc[s][0] + row, isum, 0, strip, l, row, &record, column);
            if (n_halves == 1) continue;
            q_panel_chain(type, acc[s][1] + row, isum, 1, strip, l, row, &record, column);
        }
    }
    for (uint32_t s = 0; s < piece->n_strips; s++)
        for (uint32_t j = 0; j < n_halves; j++)
            output_store(
                out, acc[s][j], piece->strips[s].row, panel * ACTS_PANEL_ROWS + j * PANEL_LANES);
}

/* Some columns of some strips, from `row` and `column` on, against all panels. */
INLINE void q_panel_piece(QType type, const Weights *weights, const Output *out, const Acts *acts,
    uint32_t row, uint32_t column)
{
    uint32_t n_columns = acts->n_cols / Q_ELEMENTS, panel = 0;
    QPiece piece = {.first = column};

    piece.end = n_columns - column < PIECE_BLOCKS ? n_columns : column + PIECE_BLOCKS;
    for (; piece.n_strips < PANEL_STRIPS && row < out->n_out; row += STRIP_ROWS) {
        QStrip *strip = &piece.strips[piece.n_strips++];
        Strip rows = weights_strip(weights, row);
        strip->row = row;
        for (uint32_t c = piece.first; c < piece.end; c++)
            q_unpack_column(type, strip, &rows, c, c - piece.first);
    }
    for (; panel * ACTS_PANEL_ROWS + PANEL_LANES < out->n_rows; panel++)
        q_panel_tile(type, 2, &piece, out, acts, panel);
    if (panel * ACTS_PANEL_ROWS < out->n_rows) q_panel_tile(type, 1, &piece, out, acts, panel);
}

/* As k_panels(). */
INLINE void q_panels(QType type, float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
    uint32_t n_out, const Acts *acts)
{
    uint32_t n_panels = (acts->n_rows - 1) / ACTS_PANEL_ROWS + 1;
    Output out = {y, y_stride, n_out, acts->n_rows};
    Weights weights = weights_begin(w, row_bytes, n_out);
    uint32_t n_downs = (n_out - 1) / (PANEL_STRIPS * STRIP_ROWS) + 1;
    uint32_t n_acrosses = (acts->n_cols / Q_ELEMENTS - 1) / PIECE_BLOCKS + 1;
    bool rows_first = n_panels <= PANELS_FEW;

    for (uint32_t n = 0; n < n_downs * n_acrosses; n++) {
        uint32_t down = rows_first ? n / n_acrosses : n % n_downs;
        uint32_t across = rows_first ? n % n_acrosses : n / n_downs;
        q_panel_piece(
            type, &weights, &out, acts, down * PANEL_STRIPS * STRIP_ROWS, across * PIECE_BLOCKS);
    }
}

#endif

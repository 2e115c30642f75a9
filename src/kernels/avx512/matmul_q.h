/* Types with 32-element blocks: few activation rows with weight rows as lanes, and many,
 * where lanes are activation rows (as in matmul_k.h and matmul_k_panels.h).
 *
 * Bound of few rows: 34 bytes of Q8_0 cost about five vector operations and one step of a
 * chain of fma, 4 cycles for the four rows of a strip: 34 bytes a cycle. Bound of many: two
 * dpbusd or float operations a cycle; 8 and 2 of them per block, row and panel. */
#ifndef HYPURA_KERNELS_AVX512_MATMUL_Q_H
#define HYPURA_KERNELS_AVX512_MATMUL_Q_H

#include "kernels/acts.h"
#include "kernels/avx512/matmul.h"

#define Q_ELEMENTS   32
#define Q_COLUMNS    TILE_QUADS // blocks of a row that are summed together
#define PIECE_BLOCKS 32         // blocks of a row that are unpacked together, for panels
#define PANEL_STRIPS 2          // weight strips that use a piece of the activations in L1
#define PANELS       2          // activation panels that share a broadcast
#define PANELS_FEW   4          // 64 KiB at 4096 columns

/* What a type is made of. */
typedef struct QType {
    uint32_t block_bytes;
    int32_t bias; // subtracted from each code
    bool has_minimum;
    /* The unsigned codes of two blocks, in natural order. */
    __m512i (*codes)(const uint8_t *a, const uint8_t *b);
    /* The scales and minima of 16 blocks. */
    __m512 (*scales)(const uint8_t *const block[TILE_BLOCKS]);
    __m512 (*mins)(const uint8_t *const block[TILE_BLOCKS]);
} QType;

/* Four weight rows. Those that the matrix no longer has are the last one again. */
typedef struct QStrip {
    const uint8_t *row[STRIP_ROWS];
} QStrip;

INLINE QStrip q_strip(const uint8_t *w, size_t row_bytes, uint32_t n_out, uint32_t row)
{
    QStrip strip = {{0}};

    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++)
        strip.row[i] = w + clamp_index(row + i, n_out) * row_bytes;
    return strip;
}

/* Blocks `column` to `column` + 3 of a strip, [column][row]; the last one again past n_blocks. */
INLINE void q_blocks(const uint8_t *block[TILE_BLOCKS], const QStrip *strip, uint32_t block_bytes,
    uint32_t column, uint32_t n_blocks)
{
    UNROLL
    for (uint32_t c = 0; c < Q_COLUMNS; c++) {
        size_t offset = (size_t)clamp_index(column + c, n_blocks) * block_bytes;
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) block[c * 4 + i] = strip->row[i] + offset;
    }
}

/* What dpbusd starts from: the bias times the sum of the same four activations, subtracted. */
INLINE __m512i q_start(QType type, __m512i a)
{
    __m512i zero = _mm512_setzero_si512();

    if (type.bias == 0) return zero;
    return _mm512_sub_epi32(zero, _mm512_dpbusd_epi32(zero, _mm512_set1_epi8((char)type.bias), a));
}

/* isum of four columns of a strip and one activation row, [column][row].
 * codes: [row][columns 0 and 1, columns 2 and 3] */
INLINE __m512i q_isums(QType type, __m512i codes[STRIP_ROWS][2], const int8_t *q)
{
    __m512i sum[2];

    UNROLL
    for (uint32_t h = 0; h < 2; h++) {
        __m512i a = _mm512_load_si512(q + 64 * h), start = q_start(type, a);
        sum[h] = sum_in_lanes(_mm512_dpbusd_epi32(start, codes[0][h], a),
            _mm512_dpbusd_epi32(start, codes[1][h], a), _mm512_dpbusd_epi32(start, codes[2][h], a),
            _mm512_dpbusd_epi32(start, codes[3][h], a));
    }
    return _mm512_add_epi32(
        _mm512_shuffle_i32x4(sum[0], sum[1], 0x88), _mm512_shuffle_i32x4(sum[0], sum[1], 0xdd));
}

/* n steps of the chains of a strip, from `column` on. */
INLINE __m128 q_chain(QType type, __m128 acc, float dw[Q_COLUMNS][STRIP_ROWS],
    float mw[Q_COLUMNS][STRIP_ROWS], __m512i isums, const ActsRecord *record, uint32_t column,
    uint32_t n)
{
    _Alignas(64) float isum[Q_COLUMNS][STRIP_ROWS];

    _mm512_store_ps(isum, _mm512_cvtepi32_ps(isums));
    UNROLL
    for (uint32_t c = 0; c < Q_COLUMNS; c++) {
        if (c >= n) break;
        __m128 da = _mm_set1_ps(record->d[column + c]);
        acc = _mm_fmadd_ps(_mm_mul_ps(_mm_load_ps(dw[c]), da), _mm_load_ps(isum[c]), acc);
        if (!type.has_minimum) continue;
        __m128 msum = _mm_cvtepi32_ps(_mm_set1_epi32(record->sums[column + c]));
        acc = _mm_fmadd_ps(_mm_mul_ps(_mm_load_ps(mw[c]), da), msum, acc);
    }
    return acc;
}

/* Activation rows first .. first + n_rows - 1. */
INLINE void q_rows(QType type, uint32_t n_rows, float *y, size_t y_stride, const uint8_t *w,
    size_t row_bytes, uint32_t n_out, const Acts *acts, uint32_t first)
{
    uint32_t n_blocks = acts->n_cols / Q_ELEMENTS;
    size_t ahead_bytes = prefetch_distance(STRIP_ROWS * row_bytes);
    ActsRecord records[ROWS_MAX];

    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) records[t] = acts_record(acts, first + t);
    for (uint32_t row = 0; row < n_out; row += STRIP_ROWS) {
        QStrip strip = q_strip(w, row_bytes, n_out, row);
        const uint8_t *ahead = w + row * row_bytes + ahead_bytes;
        __m128 acc[ROWS_MAX];

        UNROLL
        for (uint32_t t = 0; t < n_rows; t++) acc[t] = _mm_setzero_ps();
        for (uint32_t column = 0; column < n_blocks; column += Q_COLUMNS) {
            _Alignas(64) float dw[Q_COLUMNS][STRIP_ROWS], mw[Q_COLUMNS][STRIP_ROWS] = {{0}};
            const uint8_t *block[TILE_BLOCKS];
            __m512i codes[STRIP_ROWS][2];

            prefetch(ahead, TILE_BLOCKS * type.block_bytes);
            ahead += TILE_BLOCKS * type.block_bytes;
            q_blocks(block, &strip, type.block_bytes, column, n_blocks);
            _mm512_store_ps(dw, type.scales(block));
            if (type.has_minimum) _mm512_store_ps(mw, type.mins(block));
            UNROLL
            for (uint32_t i = 0; i < STRIP_ROWS; i++) {
                codes[i][0] = type.codes(block[i], block[4 + i]);
                codes[i][1] = type.codes(block[8 + i], block[12 + i]);
            }
            UNROLL
            for (uint32_t t = 0; t < n_rows; t++) {
                __m512i isums = q_isums(type, codes, records[t].q + (size_t)column * Q_ELEMENTS);
                acc[t] =
                    q_chain(type, acc[t], dw, mw, isums, &records[t], column, n_blocks - column);
            }
        }
        UNROLL
        for (uint32_t t = 0; t < n_rows; t++)
            store_rows(y + (first + t) * y_stride + row, acc[t], n_out - row);
    }
}

/* PIECE_BLOCKS blocks of each row of a strip, unpacked: codes as signed bytes c = q - bias.
 * Activations become a + 128, so isum starts from -128 * sum of c. */
typedef struct QPiece {
    uint32_t row, column, n_columns;
    _Alignas(64) int8_t codes[STRIP_ROWS][PIECE_BLOCKS][Q_ELEMENTS];
    _Alignas(64) int32_t start[PIECE_BLOCKS][STRIP_ROWS];
    _Alignas(64) float dw[PIECE_BLOCKS][STRIP_ROWS];
    _Alignas(64) float mw[PIECE_BLOCKS][STRIP_ROWS];
} QPiece;

/* Four columns of a piece, from its column `c` on. */
INLINE void q_unpack(QType type, QPiece *piece, const uint8_t *const block[TILE_BLOCKS], uint32_t c)
{
    const __m512i ones = _mm512_set1_epi8(1), bias = _mm512_set1_epi8((char)type.bias);
    __m512i p[2][STRIP_ROWS], sum[2];

    _mm512_store_ps(piece->dw[c], type.scales(block));
    if (type.has_minimum) _mm512_store_ps(piece->mw[c], type.mins(block));
    UNROLL
    for (uint32_t h = 0; h < 2; h++) {
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) {
            __m512i codes =
                _mm512_sub_epi8(type.codes(block[8 * h + i], block[8 * h + 4 + i]), bias);
            _mm512_store_si512(piece->codes[i][c + 2 * h], codes);
            p[h][i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, codes);
        }
        sum[h] = sum_in_lanes(p[h][0], p[h][1], p[h][2], p[h][3]);
    }
    __m512i total = _mm512_add_epi32(
        _mm512_shuffle_i32x4(sum[0], sum[1], 0x88), _mm512_shuffle_i32x4(sum[0], sum[1], 0xdd));
    _mm512_store_si512(
        piece->start[c], _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(total, 7)));
}

/* One block of a strip against n_panels panels: a step of all their chains. */
INLINE void q_panel_step(QType type, uint32_t n_panels, __m512 acc[PANELS][STRIP_ROWS],
    const QPiece *piece, uint32_t c, const ActsRecord records[PANELS])
{
    const __m512i flip = _mm512_set1_epi8(-128);
    size_t column = piece->column + c;
    __m512i isum[STRIP_ROWS][PANELS];

    UNROLL
    for (uint32_t i = 0; i < STRIP_ROWS; i++) {
        UNROLL
        for (uint32_t j = 0; j < n_panels; j++) isum[i][j] = _mm512_set1_epi32(piece->start[c][i]);
    }
    UNROLL
    for (uint32_t k = 0; k < Q_ELEMENTS; k += 4) {
        __m512i a[PANELS];
        UNROLL
        for (uint32_t j = 0; j < n_panels; j++)
            a[j] = _mm512_xor_si512(flip,
                _mm512_load_si512(records[j].q + (column * Q_ELEMENTS + k) * ACTS_PANEL_ROWS));
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) {
            __m512i codes = _mm512_set1_epi32(load_i32(piece->codes[i][c] + k));
            UNROLL
            for (uint32_t j = 0; j < n_panels; j++)
                isum[i][j] = _mm512_dpbusd_epi32(isum[i][j], a[j], codes);
        }
    }
    UNROLL
    for (uint32_t j = 0; j < n_panels; j++) {
        __m512 da = _mm512_load_ps(records[j].d + column * ACTS_PANEL_ROWS);
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) {
            __m512 dw = _mm512_set1_ps(piece->dw[c][i]);
            acc[j][i] =
                _mm512_fmadd_ps(_mm512_mul_ps(dw, da), _mm512_cvtepi32_ps(isum[i][j]), acc[j][i]);
            if (!type.has_minimum) continue;
            __m512 msum =
                _mm512_cvtepi32_ps(_mm512_load_si512(records[j].sums + column * ACTS_PANEL_ROWS));
            __m512 mw = _mm512_set1_ps(piece->mw[c][i]);
            acc[j][i] = _mm512_fmadd_ps(_mm512_mul_ps(mw, da), msum, acc[j][i]);
        }
    }
}

/* A piece against n_panels panels, starting at `panel`. The chains come from y and go back
 * there, which is exact. */
INLINE void q_panel_tile(QType type, uint32_t n_panels, const QPiece *piece, const Output *out,
    const Acts *acts, uint32_t panel)
{
    __m512 acc[PANELS][STRIP_ROWS];
    ActsRecord records[PANELS];

    UNROLL
    for (uint32_t j = 0; j < n_panels; j++) {
        records[j] = acts_record(acts, panel + j);
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) acc[j][i] = _mm512_setzero_ps();
        if (piece->column > 0) output_load(out, acc[j], piece->row, (panel + j) * ACTS_PANEL_ROWS);
    }
    for (uint32_t c = 0; c < piece->n_columns; c++)
        q_panel_step(type, n_panels, acc, piece, c, records);
    UNROLL
    for (uint32_t j = 0; j < n_panels; j++)
        output_store(out, acc[j], piece->row, (panel + j) * ACTS_PANEL_ROWS);
}

/* Up to PIECE_BLOCKS columns of two strips, against all panels. */
INLINE void q_panel_piece(QType type, const uint8_t *w, size_t row_bytes, const Output *out,
    const Acts *acts, uint32_t row, uint32_t column)
{
    uint32_t n_panels = (acts->n_rows - 1) / ACTS_PANEL_ROWS + 1, panel = 0, n_strips = 0;
    uint32_t n_blocks = acts->n_cols / Q_ELEMENTS;
    QPiece pieces[PANEL_STRIPS];

    for (; n_strips < PANEL_STRIPS && row < out->n_out; n_strips++, row += STRIP_ROWS) {
        QStrip strip = q_strip(w, row_bytes, out->n_out, row);
        const uint8_t *ahead = w + row * row_bytes + (size_t)column * STRIP_ROWS * type.block_bytes
                               + PANEL_STRIPS * STRIP_ROWS * row_bytes;
        QPiece *piece = &pieces[n_strips];
        piece->row = row;
        piece->column = column;
        piece->n_columns = n_blocks - column < PIECE_BLOCKS ? n_blocks - column : PIECE_BLOCKS;
        for (uint32_t c = 0; c < piece->n_columns; c += Q_COLUMNS) {
            const uint8_t *block[TILE_BLOCKS];
            prefetch(ahead, TILE_BLOCKS * type.block_bytes);
            ahead += TILE_BLOCKS * type.block_bytes;
            q_blocks(block, &strip, type.block_bytes, column + c, n_blocks);
            q_unpack(type, piece, block, c);
        }
    }
    for (; panel + PANELS <= n_panels; panel += PANELS)
        for (uint32_t s = 0; s < n_strips; s++)
            q_panel_tile(type, PANELS, &pieces[s], out, acts, panel);
    for (uint32_t s = 0; s < n_strips && panel < n_panels; s++)
        q_panel_tile(type, 1, &pieces[s], out, acts, panel);
}

INLINE void q_panels(QType type, float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,
    uint32_t n_out, const Acts *acts)
{
    uint32_t n_blocks = acts->n_cols / Q_ELEMENTS;
    uint32_t n_downs = (n_out - 1) / (PANEL_STRIPS * STRIP_ROWS) + 1;
    uint32_t n_acrosses = (n_blocks - 1) / PIECE_BLOCKS + 1;
    bool rows_first = acts->n_rows <= PANELS_FEW * ACTS_PANEL_ROWS; // as in k_panels()
    Output out = {y, y_stride, n_out, acts->n_rows};

    for (uint32_t n = 0; n < n_downs * n_acrosses; n++) {
        uint32_t down = rows_first ? n / n_acrosses : n % n_downs;
        uint32_t across = rows_first ? n % n_acrosses : n / n_downs;
        q_panel_piece(type, w, row_bytes, &out, acts, down * PANEL_STRIPS * STRIP_ROWS,
            across * PIECE_BLOCKS);
    }
}

#endif

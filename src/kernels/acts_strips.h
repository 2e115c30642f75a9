/* From rows of floats to panels of codes: the part that is the same whatever registers there are.
 * What differs comes as three functions, which every caller names, so that they are inlined.
 *
 * A panel is made row by row in strips of 256 columns, which are then transposed as words of
 * four bytes. */
#ifndef HYPURA_KERNELS_ACTS_STRIPS_H
#define HYPURA_KERNELS_ACTS_STRIPS_H

#include <string.h>

#include "kernels/acts.h"

#define STRIP        256
#define STRIP_INLINE static inline __attribute__((always_inline))

/* Each in the registers of one instruction set. */
typedef struct StripFunctions {
    // 32 floats: codes and their sum; gives the scale
    float (*quantise_32)(const float *x, int8_t *q, int32_t *sum);
    // 256 floats: codes, sums of 16 and of 32; gives the scale
    float (*quantise_256)(const float *x, int8_t *q, int16_t *bs16, int16_t *bs32);
    // out[word][16 rows] from 16 rows of n_words, in_bytes apart
    void (*transpose_words)(void *out, const void *in, size_t in_bytes, size_t n_words);
} StripFunctions;

/* Zeroes the padding of an array that has n_bytes in use. */
STRIP_INLINE void pad(void *array, uint64_t n_bytes)
{
    memset((uint8_t *)array + n_bytes, 0, acts_array_bytes(n_bytes, 1) - n_bytes);
}

STRIP_INLINE void fill_row(
    const StripFunctions *functions, const Acts *acts, ActsRecord record, const float *x)
{
    size_t n = acts->n_cols, block = acts_block_elements(acts->kind), n_blocks = n / block;

    pad(record.q, n);
    pad(record.d, n_blocks * sizeof(float));
    if (acts->kind == ACT_A32) {
        pad(record.sums, n_blocks * sizeof(int32_t));
        for (size_t b = 0; b < n_blocks; b++)
            record.d[b] = functions->quantise_32(x + 32 * b, record.q + 32 * b, record.sums + b);
        return;
    }
    pad(record.bs16, n_blocks * 16 * sizeof(int16_t));
    pad(record.bs32, n_blocks * 8 * sizeof(int16_t));
    for (size_t b = 0; b < n_blocks; b++)
        record.d[b] = functions->quantise_256(
            x + 256 * b, record.q + 256 * b, record.bs16 + 16 * b, record.bs32 + 8 * b);
}

/* Up to 256 columns of the 16 rows of a panel. */
typedef struct Strip {
    int8_t q[ACTS_PANEL_ROWS][STRIP];
    float d[ACTS_PANEL_ROWS][8];
    int32_t sums[ACTS_PANEL_ROWS][8];
    int16_t bs16[ACTS_PANEL_ROWS][16];
    int16_t bs32[ACTS_PANEL_ROWS][8];
} Strip;

/* Quantises n_columns of one row into its place in a strip. */
STRIP_INLINE void strip_row(const StripFunctions *functions, Strip *strip, ActKind kind, size_t row,
    const float *x, size_t n_columns)
{
    if (kind == ACT_A256) {
        strip->d[row][0] =
            functions->quantise_256(x, strip->q[row], strip->bs16[row], strip->bs32[row]);
        return;
    }
    for (size_t b = 0; b < n_columns / 32; b++)
        strip->d[row][b] =
            functions->quantise_32(x + 32 * b, strip->q[row] + 32 * b, &strip->sums[row][b]);
}

STRIP_INLINE void store_strip(const StripFunctions *functions, const Strip *strip, ActKind kind,
    ActsRecord record, size_t k, size_t n)
{
    size_t block = k / acts_block_elements(kind), n_blocks = n / acts_block_elements(kind);

    functions->transpose_words(record.q + k * ACTS_PANEL_ROWS, strip->q, sizeof strip->q[0], n / 4);
    functions->transpose_words(
        record.d + block * ACTS_PANEL_ROWS, strip->d, sizeof strip->d[0], n_blocks);
    if (kind == ACT_A32) {
        functions->transpose_words(
            record.sums + block * ACTS_PANEL_ROWS, strip->sums, sizeof strip->sums[0], n_blocks);
        return;
    }
    functions->transpose_words(
        record.bs16 + block * 16 * ACTS_PANEL_ROWS, strip->bs16, sizeof strip->bs16[0], 8);
    functions->transpose_words(
        record.bs32 + block * 8 * ACTS_PANEL_ROWS, strip->bs32, sizeof strip->bs32[0], 4);
}

/* One unit of `acts`: a row, or the rows of a panel. */
STRIP_INLINE void strips_fill(const StripFunctions *functions, Acts *acts, const float *x,
    size_t x_stride, const uint32_t *index, uint32_t unit)
{
    ActsRecord record = acts_record(acts, unit);
    const float *rows[ACTS_PANEL_ROWS];

    if (!acts_in_panels(acts->kind, acts->n_rows)) {
        const float *row = x + (index ? index[unit] : unit) * x_stride;
        if (acts->kind != ACT_F32) {
            fill_row(functions, acts, record, row);
            return;
        }
        pad(record.x, acts->n_cols * sizeof(float));
        memcpy(record.x, row, acts->n_cols * sizeof(float));
        return;
    }

    Strip strip = {0}; // rows beyond n_rows stay zero
    uint32_t first = unit * ACTS_PANEL_ROWS;
    uint32_t n = acts->n_rows - first < ACTS_PANEL_ROWS ? acts->n_rows - first : ACTS_PANEL_ROWS;
    for (uint32_t i = 0; i < n; i++)
        rows[i] = x + (index ? index[first + i] : first + i) * x_stride;
    for (size_t k = 0; k < acts->n_cols; k += STRIP) {
        size_t n_columns = acts->n_cols - k < STRIP ? acts->n_cols - k : STRIP;
        for (uint32_t i = 0; i < n; i++)
            strip_row(functions, &strip, acts->kind, i, rows[i] + k, n_columns);
        store_strip(functions, &strip, acts->kind, record, k, n_columns);
    }
}

#endif

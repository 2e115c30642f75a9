/* Activations ready to meet weights: rows quantised once (canonical arithmetic, section 3)
 * in a layout that all instruction sets share. Few rows lie row by row, which suits a
 * weight row that streams past once; from ACTS_PANEL_ROWS_MIN rows on they lie in panels
 * of 16 rows, so that lanes are rows and a weight is a broadcast. The form is a matter of
 * speed alone: both hold the same codes, scales and sums.
 *
 * `data` is a sequence of records of acts_record_bytes() each: one record a row (row form
 * and ACT_F32), or one record a panel. Every array in a record starts at a multiple of 64
 * bytes and its padding is zero. In [ ] below, the last index is the fastest.
 *
 *                ACT_A32                          ACT_A256
 *   row form     q    [k]                         q    [k]
 *                d    [block]                     d    [block]
 *                sums [block] over 32             bs16 [block][16 groups], bs32 [block][8 groups]
 *   panel form   q    [k/4][16 rows][4]           q    [k/4][16 rows][4]
 *                d    [block][16 rows]            d    [block][16 rows]
 *                sums [block][16 rows]            bs16 [block][8 pairs][16 rows][2]
 *                                                 bs32 [block][4 pairs][16 rows][2]
 *
 * Group g of bs16 sums the codes of elements 16g..16g+15 of the block, of bs32 32g..32g+31.
 * In a panel groups 2p and 2p+1 stand side by side, so that one madd or vpdpwssd of a pair
 * with two broadcast int16 factors gives the products of 16 rows. Rows of the last panel
 * beyond n_rows have zero codes, sums and scales.
 *
 * ACT_F32 rows are plain floats, whatever their number: the 16 virtual lanes of section 5 are
 * k mod 16, so a row is in lane order already. An overlay must not let the zero padding take
 * part in a lane: fma(0, 0, -0) is +0. */
#ifndef HYPURA_KERNELS_ACTS_H
#define HYPURA_KERNELS_ACTS_H

#include "base/error.h"

#define ACTS_PANEL_ROWS     16
#define ACTS_PANEL_ROWS_MIN 5 // from here a panel, although padded, is cheaper than single rows
#define ACTS_ALIGNMENT      64

typedef enum ActKind {
    ACT_F32,  // float weights: as they are
    ACT_A32,  // 32-element blocks
    ACT_A256, // 256-element super-blocks
    ACT_KINDS
} ActKind;

typedef struct Acts {
    ActKind kind;
    uint32_t n_rows;
    uint32_t n_cols; // multiple of the block of the kind
    uint8_t *data;   // acts_bytes(), 64-byte aligned; owned by the caller
} Acts;

/* The arrays of one record, in the shapes above; NULL where the kind has none. */
typedef struct ActsRecord {
    float *x;      // ACT_F32: [k]
    int8_t *q;     // -127..127
    float *d;      // 0: a zero block; NaN: a poison block
    int32_t *sums; // ACT_A32, |sum| <= 4064
    int16_t *bs16; // ACT_A256, |sum| <= 2032
    int16_t *bs32; // ACT_A256, |sum| <= 4064
} ActsRecord;

/* Bytes that `data` needs; grows with n_rows, so that scratch is sized for the largest.
 * UINT64_MAX: more than can be addressed. */
uint64_t acts_bytes(ActKind kind, uint32_t n_rows, uint32_t n_cols);

/* How many units acts_fill can be split into: the number of records. */
uint32_t acts_n_units(const Acts *acts);

/* Elements that share a scale; 1 for ACT_F32. */
static inline uint32_t acts_block_elements(ActKind kind)
{
    return kind == ACT_A256 ? 256 : kind == ACT_A32 ? 32 : 1;
}

/* Are the rows in panels? */
static inline bool acts_in_panels(ActKind kind, uint32_t n_rows)
{
    return kind != ACT_F32 && n_rows >= ACTS_PANEL_ROWS_MIN;
}

/* Bytes of n_elements, padded to the alignment of the next array. */
static inline uint64_t acts_array_bytes(uint64_t n_elements, uint64_t element_bytes)
{
    return (n_elements * element_bytes + ACTS_ALIGNMENT - 1) / ACTS_ALIGNMENT * ACTS_ALIGNMENT;
}

/* Bytes of a record; cannot overflow, since n_cols has 32 bits. */
static inline uint64_t acts_record_bytes(ActKind kind, uint32_t n_rows, uint32_t n_cols)
{
    uint64_t n_lanes = acts_in_panels(kind, n_rows) ? ACTS_PANEL_ROWS : 1;
    uint64_t n_blocks = n_cols / acts_block_elements(kind) * n_lanes;

    if (kind == ACT_F32) return acts_array_bytes(n_cols, sizeof(float));
    uint64_t n_bytes = acts_array_bytes(n_cols * n_lanes, 1) + acts_array_bytes(n_blocks, 4);
    if (kind == ACT_A32) return n_bytes + acts_array_bytes(n_blocks, sizeof(int32_t));
    return n_bytes + acts_array_bytes(n_blocks * 16, sizeof(int16_t))
           + acts_array_bytes(n_blocks * 8, sizeof(int16_t));
}

/* Record `unit`: row `unit` of the row form, or rows 16 * unit onwards of the panel form. */
static inline ActsRecord acts_record(const Acts *acts, uint32_t unit)
{
    uint64_t n_lanes = acts_in_panels(acts->kind, acts->n_rows) ? ACTS_PANEL_ROWS : 1;
    uint64_t n_blocks = acts->n_cols / acts_block_elements(acts->kind) * n_lanes;
    uint8_t *q = acts->data + unit * acts_record_bytes(acts->kind, acts->n_rows, acts->n_cols);

    if (acts->kind == ACT_F32) return (ActsRecord){.x = (float *)(void *)q};
    uint8_t *d = q + acts_array_bytes(acts->n_cols * n_lanes, 1);
    uint8_t *sums = d + acts_array_bytes(n_blocks, sizeof(float));
    ActsRecord record = {.q = (int8_t *)q, .d = (float *)(void *)d};
    if (acts->kind == ACT_A32) {
        record.sums = (int32_t *)(void *)sums;
    } else {
        record.bs16 = (int16_t *)(void *)sums;
        record.bs32 = (int16_t *)(void *)(sums + acts_array_bytes(n_blocks * 16, sizeof(int16_t)));
    }
    return record;
}

#endif

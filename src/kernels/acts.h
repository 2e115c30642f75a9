/* Activations ready to meet weights: rows quantised once (canonical arithmetic, section 3)
 * in a layout that all instruction sets share. Few rows lie row by row; from
 * ACTS_PANEL_ROWS_MIN on they lie in panels of 16 rows, so that lanes are rows. */
#ifndef HYPURA_KERNELS_ACTS_H
#define HYPURA_KERNELS_ACTS_H

#include "base/error.h"

typedef enum ActKind {
    ACT_F32,  // float weights: as they are
    ACT_A32,  // 32-element blocks
    ACT_A256, // 256-element super-blocks
    ACT_KINDS
} ActKind;

typedef struct Acts {
    ActKind kind;
    uint32_t n_rows;
    uint32_t n_cols;  // multiple of the block of the kind
    uint8_t *data;    // acts_bytes(), 64-byte aligned; owned by the caller
} Acts;

/* Bytes that `data` needs; grows with n_rows, so that scratch is sized for the largest. */
uint64_t acts_bytes(ActKind kind, uint32_t n_rows, uint32_t n_cols);

/* How many units acts_fill can be split into (one row, or one panel of rows, each). */
uint32_t acts_n_units(const Acts *acts);

#endif

/* Single rows of a matrix: the embeddings of a pass's tokens. They come from the dense
 * blocks that hold the same table, from the resident table, or from the file. */
#ifndef HYPURA_STORE_ROWS_H
#define HYPURA_STORE_ROWS_H

#include "store/dense.h"

#define ROWS_SLOTS_MAX 32

typedef struct Rows {
    const BlockMap *map; // borrowed
    uint32_t alignment;
    Places places;              // of the slots below: passing through, no weights are kept here
    Slot slots[ROWS_SLOTS_MAX]; // a row each, for as long as it takes to copy it
    Extent extents[ROWS_SLOTS_MAX];
    uint32_t n_slots;
    uint8_t *image; // the resident table with what surrounds it in the file; NULL: not resident
    uint64_t image_bytes;
    bool is_image_held; // else its memory is given back for a time (shrink.h)
    Slot *pieces;       // [n_pieces] of it
    Extent *piece_extents;
    uint32_t n_pieces;
} Rows;

/* The resident table, if the plan has one, lies in `cache`. On failure nothing is held. */
CHECKED bool rows_init(
    Rows *rows, const BlockMap *map, const Residency *plan, Places *cache, Error *err);
void rows_destroy(Rows *rows);

/* Asks for what is not there of the resident table. */
void rows_load(Rows *rows, Mover *mover);

/* Forgets the resident table, until rows_load; its memory is then nobody's. Waits for reads under
 * way into it. False: the mover is broken. */
CHECKED bool rows_forget(Rows *rows, Mover *mover, Error *err);

/* The contract of store_rows_read (store.h). */
CHECKED bool rows_read(Rows *rows, const Dense *dense, Mover *mover, const uint32_t *numbers,
    uint32_t n, uint8_t *out, Error *err);

#endif

/* Gives memory of the cache back to the system while a model runs, and takes it again: parts of
 * least value first, as whole huge pages. */
#ifndef HYPURA_STORE_SHRINK_H
#define HYPURA_STORE_SHRINK_H

#include "store/cache.h"
#include "store/rows.h"

/* A run of places in the cache, of which the first part is held. In bytes from its begin. */
typedef struct ShrinkArea {
    uint64_t end;      // of what can be given back: a whole huge page
    uint64_t held_end; // from here on to `end` it is given back
} ShrinkArea;

/* Parts of the store, all borrowed. */
typedef struct Shrink {
    Places *places;
    Dense *dense;
    Rows *rows;
    Cache *cache;
    Mover *mover;
    ShrinkArea dense_area, rows_area;
    ShrinkArea expert_areas[RESIDENCY_CLASSES_MAX];
} Shrink;

/* The parts are laid out and nothing is given back. */
void shrink_init(
    Shrink *shrink, Places *places, Dense *dense, Rows *rows, Cache *cache, Mover *mover);

/* The contract of store_set_cache_limit (store.h). False: the mover is broken, or the ledger has
 * no room for more; what was done until then stays. */
CHECKED bool shrink_to(Shrink *shrink, uint64_t n_bytes, Error *err);

#endif

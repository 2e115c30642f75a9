/* Dense blocks, wherever they are: resident ones in slots of their own that are filled once,
 * the others in the ring. Passes take them in order, in waves. */
#ifndef HYPURA_STORE_DENSE_H
#define HYPURA_STORE_DENSE_H

#include "store/places.h"
#include "store/residency.h"
#include "store/ring.h"
#include "store/store.h"

typedef struct Dense {
    const BlockMap *map; // borrowed
    uint32_t alignment;
    Slot *residents; // [n_residents]
    uint32_t n_residents;
    bool *is_resident;  // [n_dense]
    uint32_t *position; // [n_dense] in `residents`, or in the ring's stream
    uint32_t *stream;   // [n_dense - n_residents]
    Ring ring;
    uint64_t n_passes; // begun; the last of them is under way
    uint64_t demanded_bytes;
} Dense;

/* Residents in `cache`, the ring's slots in `ring`, as the plan says. On failure nothing is
 * held. */
CHECKED bool dense_init(Dense *dense, const BlockMap *map, const Residency *plan, Places *cache,
    Places *ring, Error *err);
void dense_destroy(Dense *dense);

/* Asks for all residents, in the order of a pass, and fills the ring. */
void dense_load(Dense *dense, Mover *mover);

/* The next n passes skip the head. */
void dense_expect_headless(Dense *dense, uint32_t n_passes);
void dense_begin_pass(Dense *dense, bool with_head);
void dense_abort_pass(Dense *dense);

/* Takes what has landed and keeps every free slot of the ring in flight. */
CHECKED bool dense_advance(Dense *dense, Mover *mover, Error *err);

/* The contract of store_dense_next and _done (store.h). */
CHECKED bool dense_next(
    Dense *dense, Mover *mover, uint32_t first, uint32_t n_wanted, DenseWave *wave, Error *err);
void dense_done(Dense *dense, Mover *mover, const DenseWave *wave);

/* A resident block's payload; NULL: not resident, or not yet there. */
const uint8_t *dense_find_resident(const Dense *dense, uint32_t block);

#endif

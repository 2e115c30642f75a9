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
    // [n_residents] with a place each. They lie in the order of `residents`, in which any first
    // ones are spread evenly over the pass: so the last ones can be given back at any number.
    Slot *residents;
    uint32_t n_residents;
    uint32_t n_kept;     // the first ones, which are resident now; the others stream
    uint32_t n_spare;    // the last ones, whose places become a ring where the plan has none;
                         // n_residents: there is no room for one
    bool *is_resident;   // [n_dense]
    uint32_t *position;  // [n_dense] in `residents`, or in the ring's stream
    uint32_t *stream;    // [n_dense] of which the ring's first ones are in use
    uint32_t next_block; // that the pass under way will ask for
    uint64_t ring_slot_bytes;
    uint8_t *places_end; // of the residents
    Ring ring;
    uint64_t n_passes; // begun; the last of them is under way
    uint64_t demanded_bytes;
} Dense;

/* Residents in `cache`, the ring's slots in `ring`, as the plan says. On failure nothing is
 * held. */
CHECKED bool dense_init(Dense *dense, const BlockMap *map, const Residency *plan, Places *cache,
    Places *ring, Error *err);
void dense_destroy(Dense *dense);

/* Asks for all residents that are not there, in the order of a pass, and fills the ring. */
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

/* Keeps the first n residents and streams the others, or takes some up again. Between waves.
 * Waits for reads under way into places that it gives up; afterwards these are nobody's, but for
 * the last n_spare of them. n is between dense_keeps_least and n_residents - n_spare, or
 * n_residents. False: the mover is broken, and the places stay its own. */
CHECKED bool dense_keep(Dense *dense, Mover *mover, uint32_t n, Error *err);
uint32_t dense_keeps_least(const Dense *dense);

/* Where the places of the first n residents end. */
uint8_t *dense_places_end(const Dense *dense, uint32_t n);

/* A resident block's payload; NULL: not resident, or not yet there. */
const uint8_t *dense_find_resident(const Dense *dense, uint32_t block);

#endif

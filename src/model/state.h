/* What a sequence remembers: keys and values, in pages of one key chunk (256 positions) of one
 * layer. Pages come from one pool that is booked whole at load, so that no token can fail for
 * want of memory. */
#ifndef HYPURA_MODEL_STATE_H
#define HYPURA_MODEL_STATE_H

#include "kernels/kv.h"
#include "sys/pages.h"

#define PAGE_NONE UINT32_MAX

/* Equal pages for all sequences. The pool outlives its sequences; one thread uses it. */
typedef struct StatePool {
    KvShape shape;
    uint32_t n_layer;
    uint32_t n_chunks; // of a sequence: context / 256, rounded up
    uint32_t n_pages;
    uint64_t page_bytes;
    Pages pages;
    uint32_t *free_pages; // stack of page numbers, owned
    uint32_t n_free;
    uint32_t n_fresh; // pages from here on were never used: still zero
} StatePool;

/* Bytes that the pool will hold, tables left out. */
uint64_t state_pool_bytes(
    const KvShape *shape, uint32_t n_layer, uint32_t n_ctx, uint32_t n_sequences);

CHECKED bool state_pool_init(StatePool *pool, const KvShape *shape, uint32_t n_layer,
    uint32_t n_ctx, uint32_t n_sequences, Error *err);
void state_pool_destroy(StatePool *pool);

/* The keys and values of one sequence: positions [first_position, end_position) are visible. */
typedef struct SequenceState {
    StatePool *pool;   // borrowed
    uint32_t *page_of; // [n_layer][n_chunks] page numbers or PAGE_NONE, owned
    uint32_t first_position;
    uint32_t end_position;
} SequenceState;

CHECKED bool state_init(SequenceState *state, StatePool *pool, Error *err);
void state_destroy(SequenceState *state);

/* Gives all pages back and starts again at a position. */
void state_reset(SequenceState *state, uint32_t position);

/* Makes pages for [end_position, end_position + n) in every layer. On failure (CONTEXT_FULL,
 * BUDGET) nothing changed. */
CHECKED bool state_reserve(SequenceState *state, uint32_t n, Error *err);

/* The page of a chunk that was reserved. */
uint8_t *state_page(const SequenceState *state, uint32_t layer, uint32_t chunk);

#endif

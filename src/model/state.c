/* Paged keys and values. A page that comes back is zeroed when it is given out again: invisible
 * keys must be finite (canonical arithmetic, section 9). */
#include "model/state.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"

static uint32_t chunks_of(uint32_t n_ctx)
{
    return (n_ctx + KV_PAGE_KEYS - 1) / KV_PAGE_KEYS;
}

static uint64_t padded_page_bytes(const KvShape *shape)
{
    return size_align_up(kv_page_bytes(shape) + 64, 4096); // kernels may read a vector past the end
}

uint64_t state_pool_bytes(
    const KvShape *shape, uint32_t n_layer, uint32_t n_ctx, uint32_t n_sequences)
{
    return padded_page_bytes(shape) * n_layer * chunks_of(n_ctx) * n_sequences;
}

bool state_pool_init(StatePool *pool, const KvShape *shape, uint32_t n_layer, uint32_t n_ctx,
    uint32_t n_sequences, Error *err)
{
    uint64_t n_pages = (uint64_t)n_layer * chunks_of(n_ctx) * n_sequences;

    *pool = (StatePool){.shape = *shape,
        .n_layer = n_layer,
        .n_chunks = chunks_of(n_ctx),
        .page_bytes = padded_page_bytes(shape)};
    if (n_pages >= PAGE_NONE)
        return error_set(
            err, ERROR_TOO_LARGE, "the context needs %llu pages", (unsigned long long)n_pages);
    pool->n_pages = (uint32_t)n_pages;
    if (!pages_map(&pool->pages, MEM_STATE, pool->page_bytes * n_pages, PAGES_ON_DEMAND, err))
        goto fail;
    pool->free_pages = mem_alloc_array(MEM_STATE, n_pages, sizeof(uint32_t), err);
    if (!pool->free_pages) goto fail;
    return true;

fail:
    state_pool_destroy(pool);
    return false;
}

void state_pool_destroy(StatePool *pool)
{
    pages_unmap(&pool->pages, MEM_STATE);
    mem_free(MEM_STATE, pool->free_pages);
    *pool = (StatePool){0};
}

static uint32_t take_page(StatePool *pool)
{
    if (pool->n_free > 0) {
        uint32_t page = pool->free_pages[--pool->n_free];
        memset(pool->pages.data + page * pool->page_bytes, 0, pool->page_bytes);
        return page;
    }
    return pool->n_fresh < pool->n_pages ? pool->n_fresh++ : PAGE_NONE;
}

bool state_init(SequenceState *state, StatePool *pool, Error *err)
{
    size_t n = (size_t)pool->n_layer * pool->n_chunks;

    *state = (SequenceState){.pool = pool};
    state->page_of = mem_alloc_array(MEM_STATE, n, sizeof(uint32_t), err);
    if (!state->page_of) return false;
    for (size_t i = 0; i < n; i++) state->page_of[i] = PAGE_NONE;
    return true;
}

void state_reset(SequenceState *state, uint32_t position)
{
    StatePool *pool = state->pool;
    size_t n = (size_t)pool->n_layer * pool->n_chunks;

    for (size_t i = 0; i < n; i++) {
        if (state->page_of[i] == PAGE_NONE) continue;
        pool->free_pages[pool->n_free++] = state->page_of[i];
        state->page_of[i] = PAGE_NONE;
    }
    state->first_position = state->end_position = position;
}

void state_destroy(SequenceState *state)
{
    if (state->page_of) state_reset(state, 0);
    mem_free(MEM_STATE, state->page_of);
    *state = (SequenceState){0};
}

bool state_reserve(SequenceState *state, uint32_t n, Error *err)
{
    StatePool *pool = state->pool;
    uint64_t end = (uint64_t)state->end_position + n;
    uint32_t first_chunk = state->end_position / KV_PAGE_KEYS;

    if (end > (uint64_t)pool->n_chunks * KV_PAGE_KEYS)
        return error_set(
            err, ERROR_CONTEXT_FULL, "position %llu is past the context", (unsigned long long)end);
    for (uint32_t chunk = first_chunk; chunk < chunks_of((uint32_t)end); chunk++) {
        for (uint32_t layer = 0; layer < pool->n_layer; layer++) {
            uint32_t *slot = &state->page_of[(size_t)layer * pool->n_chunks + chunk];
            if (*slot != PAGE_NONE) continue;
            *slot =
                take_page(pool); // pages of an unfinished reserve stay with the sequence: harmless
            if (*slot == PAGE_NONE)
                return error_set(err, ERROR_BUDGET,
                    "no page is left for keys and values: more sequences are open than "
                    "the model was opened for");
        }
    }
    return true;
}

uint8_t *state_page(const SequenceState *state, uint32_t layer, uint32_t chunk)
{
    uint32_t page = state->page_of[(size_t)layer * state->pool->n_chunks + chunk];
    assert(page != PAGE_NONE);
    return state->pool->pages.data + page * state->pool->page_bytes;
}

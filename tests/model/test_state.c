/* Paged keys and values: pages belong to one sequence at a time, come back, and are clean when
 * given out again. */
#include "model/state.h"

#include "harness.h"

static const KvShape shape = {.type = KV_F16, .n_head_kv = 2, .d_k = 16, .d_v = 8};

TEST(a_sequence_gets_a_page_for_each_layer_and_chunk)
{
    Error err = {0};
    StatePool pool;
    SequenceState state;
    CHECK(state_pool_init(&pool, &shape, 3, 600, 1, &err));
    CHECK(pool.n_pages == 9 && pool.n_chunks == 3);
    CHECK(state_init(&state, &pool, &err));

    CHECK(state_reserve(&state, 1, &err));
    CHECK(pool.n_fresh == 3);
    state.end_position = 256;
    CHECK(state_reserve(&state, 257, &err));
    CHECK(pool.n_fresh == 9);
    for (uint32_t layer = 0; layer < 3; layer++)
        for (uint32_t chunk = 0; chunk < 3; chunk++)
            for (uint32_t other = 0; other < layer * 3 + chunk; other++)
                CHECK(state_page(&state, layer, chunk) != state_page(&state, other / 3, other % 3));
    state_destroy(&state);
    CHECK(pool.n_free == 9);
    state_pool_destroy(&pool);
    CHECK(ledger_total() == 0);
}

TEST(a_returned_page_is_clean_when_given_out_again)
{
    Error err = {0};
    StatePool pool;
    SequenceState state;
    CHECK(state_pool_init(&pool, &shape, 1, 256, 1, &err));
    CHECK(state_init(&state, &pool, &err) && state_reserve(&state, 1, &err));
    memset(state_page(&state, 0, 0), 0xff, pool.page_bytes); // NaN patterns
    state_reset(&state, 0);
    CHECK(state_reserve(&state, 1, &err));
    const uint8_t *page = state_page(&state, 0, 0);
    size_t n_dirty = 0;
    for (size_t i = 0; i < pool.page_bytes; i++) n_dirty += page[i] != 0;
    CHECK(n_dirty == 0);
    state_destroy(&state);
    state_pool_destroy(&pool);
}

TEST(past_the_context_and_past_the_pool_is_refused)
{
    Error err = {0};
    StatePool pool;
    SequenceState first, second;
    CHECK(state_pool_init(&pool, &shape, 2, 256, 1, &err));
    CHECK(state_init(&first, &pool, &err) && state_init(&second, &pool, &err));
    CHECK(!state_reserve(&first, 257, &err));
    CHECK_ERROR(err, ERROR_CONTEXT_FULL);
    CHECK(state_reserve(&first, 256, &err));
    CHECK(!state_reserve(&second, 1, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    state_destroy(&first);
    CHECK(state_reserve(&second, 1, &err));
    state_destroy(&second);
    state_pool_destroy(&pool);
    CHECK(ledger_total() == 0);
}

/* tests/base/test_arena.c - many allocations, one release. */
#include "harness.h"

#include "base/arena.h"
#include "base/fault.h"
#include "base/rng.h"

#define N_PIECES 2000

TEST(arena_pieces_do_not_overlap_and_are_zeroed)
{
    Arena arena = {0};
    static unsigned char *pieces[N_PIECES];
    static size_t lengths[N_PIECES];
    Rng rng = rng_seeded(harness_seed());

    arena_init(&arena, MEM_TEXT);
    for (size_t i = 0; i < N_PIECES; i++) {
        size_t span_bytes = i % 50 == 0 ? 100000 : 300; // some larger than a chunk
        lengths[i] = rng_below(&rng, span_bytes);
        pieces[i] = arena_alloc(&arena, lengths[i], NULL);
        if (!CHECK(pieces[i])) return;
        CHECK((uintptr_t)pieces[i] % 16 == 0);
        for (size_t k = 0; k < lengths[i]; k++)
            if (pieces[i][k] != 0 && !CHECK(pieces[i][k] == 0)) return;
        memset(pieces[i], (int)(i & 0xff), lengths[i]);
    }
    for (size_t i = 0; i < N_PIECES; i++)
        for (size_t k = 0; k < lengths[i]; k++)
            if (pieces[i][k] != (i & 0xff) && !CHECK(pieces[i][k] == (i & 0xff))) return;
    CHECK(ledger_held(MEM_TEXT) > 0);
    CHECK(ledger_held(MEM_TEXT) == ledger_total());
    arena_destroy(&arena);
    CHECK(ledger_total() == 0);
}

TEST(arena_zeroed_is_empty_and_destroyed_twice_is_harmless)
{
    Arena arena = {0};

    arena_destroy(&arena);
    CHECK(arena_alloc(&arena, 1, NULL));
    CHECK(ledger_held(MEM_TRUNK) > 0);
    arena_destroy(&arena);
    arena_destroy(&arena);
    CHECK(ledger_total() == 0);
}

TEST(arena_copies_text_with_its_end)
{
    Arena arena = {0};
    char *copy = arena_copy_text(&arena, (StringView){"abcdef", 3}, NULL);
    char *empty = arena_copy_text(&arena, (StringView){0}, NULL);

    CHECK(copy && strcmp(copy, "abc") == 0);
    CHECK(empty && *empty == '\0');
    arena_destroy(&arena);
}

TEST(arena_refuses_sizes_that_wrap)
{
    Arena arena = {0};
    Error err = {0};

    CHECK(!arena_alloc(&arena, SIZE_MAX, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    CHECK(!arena_alloc(&arena, SIZE_MAX - 14, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    CHECK(!arena_alloc(&arena, SIZE_MAX - 15, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    CHECK(!arena_alloc_array(&arena, SIZE_MAX / 2, 3, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    CHECK(ledger_total() == 0);
}

TEST(arena_survives_a_failed_allocation)
{
    Arena arena = {0};
    Error err = {0};
    char *first = arena_copy_text(&arena, view_of("stays"), NULL);

    fault_arm(FAULT_ALLOC, 1, false);
    CHECK(!arena_alloc(&arena, 1000000, &err));
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(arena_alloc(&arena, 1000000, &err)); // the fault was for one call
    CHECK(first && strcmp(first, "stays") == 0);
    fault_arm(FAULT_ALLOC, 0, false);
    arena_destroy(&arena);
    CHECK(ledger_total() == 0);
}

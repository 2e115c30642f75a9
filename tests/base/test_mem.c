/* tests/base/test_mem.c - allocation that is booked, zeroed, and can fail on purpose. */
#include "harness.h"

#include "base/fault.h"
#include "base/mem.h"

static bool is_zero(const unsigned char *data, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        if (data[i] != 0) return false;
    return true;
}

TEST(mem_alloc_gives_zeroed_aligned_memory)
{
    static const size_t lengths[] = {0, 1, 15, 16, 17, 4096, 1000000};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        unsigned char *data = mem_alloc(MEM_STATE, lengths[i], NULL);
        if (!CHECK(data)) continue;
        CHECK((uintptr_t)data % 16 == 0);
        CHECK(is_zero(data, lengths[i]));
        CHECK(ledger_held(MEM_STATE) >= lengths[i]);
        mem_free(MEM_STATE, data);
        CHECK(ledger_total() == 0);
    }
    mem_free(MEM_STATE, NULL);
}

TEST(mem_resize_keeps_the_old_and_zeroes_the_new)
{
    unsigned char *data = mem_resize(MEM_TEXT, NULL, 3, NULL);

    if (!CHECK(data)) return;
    memcpy(data, "abc", 3);
    unsigned char *grown = mem_resize(MEM_TEXT, data, 5000, NULL);
    if (!CHECK(grown)) return;
    CHECK_BITS("abc", grown, 3);
    CHECK(is_zero(grown + 3, 4997));
    uint64_t held_grown = ledger_held(MEM_TEXT);
    memset(grown, 'x', 5000);
    unsigned char *shrunk = mem_resize(MEM_TEXT, grown, 2, NULL);
    if (!CHECK(shrunk)) return;
    CHECK_BITS("xx", shrunk, 2);
    CHECK(ledger_held(MEM_TEXT) == held_grown - 4998);
    unsigned char *again = mem_resize(MEM_TEXT, shrunk, 100, NULL);
    if (!CHECK(again)) return;
    CHECK(is_zero(again + 2, 98)); // not what was there before it shrank
    mem_free(MEM_TEXT, again);
    CHECK(ledger_total() == 0);
}

TEST(mem_alloc_array_refuses_a_product_that_wraps)
{
    Error err = {0};

    CHECK(!mem_alloc_array(MEM_OTHER, SIZE_MAX / 4, 8, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    CHECK(!mem_alloc(MEM_OTHER, SIZE_MAX, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    CHECK(ledger_total() == 0);
}

TEST(mem_asks_the_ledger_first)
{
    Error err = {0};

    ledger_set_limit(4096);
    CHECK(!mem_alloc(MEM_CACHE, 4096, &err)); // the header counts
    CHECK_ERROR(err, ERROR_BUDGET);
    void *data = mem_alloc(MEM_CACHE, 4080, &err);
    CHECK(data);
    CHECK(!mem_resize(MEM_CACHE, data, 4081, &err));
    CHECK(ledger_total() == 4096);
    mem_free(MEM_CACHE, data);
    CHECK(ledger_total() == 0);
    ledger_set_limit(0);
}

TEST(mem_failure_names_the_kind_and_books_nothing)
{
    Error err = {0};

    fault_arm(FAULT_ALLOC, 1, false);
    CHECK(!mem_alloc(MEM_SERVER, 10, &err));
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(strstr(err.message, "server"));
    CHECK(ledger_total() == 0);
    CHECK(fault_count(FAULT_ALLOC) == 1);

    fault_arm(FAULT_ALLOC, 2, false);
    unsigned char *data = mem_alloc(MEM_SERVER, 4, &err);
    if (!CHECK(data)) return;
    memcpy(data, "keep", 4);
    uint64_t held = ledger_total();
    CHECK(!mem_resize(MEM_SERVER, data, 1000, &err));
    CHECK_BITS("keep", data, 4); // still valid
    CHECK(ledger_total() == held);
    fault_arm(FAULT_ALLOC, 1, false);
    CHECK(!mem_resize(MEM_SERVER, data, 1, &err));
    CHECK(ledger_total() == held);
    fault_arm(FAULT_ALLOC, 0, false);
    mem_free(MEM_SERVER, data);
    CHECK(ledger_total() == 0);
}

TEST(mem_copy_text_ends_with_nul)
{
    char *copy = mem_copy_text(MEM_TEXT, (StringView){"word|rest", 4}, NULL);
    char *empty = mem_copy_text(MEM_TEXT, (StringView){0}, NULL);

    CHECK(copy && strcmp(copy, "word") == 0);
    CHECK(empty && *empty == '\0');
    mem_free(MEM_TEXT, copy);
    mem_free(MEM_TEXT, empty);
    CHECK(ledger_total() == 0);
}

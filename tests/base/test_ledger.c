/* tests/base/test_ledger.c - who holds how much, and when the answer is no. */
#include "harness.h"

#include <pthread.h>

#include "base/ledger.h"

TEST(ledger_counts_by_kind_and_in_total)
{
    ledger_set_limit(0);
    CHECK(ledger_total() == 0);
    CHECK(ledger_book(MEM_TRUNK, 100, NULL));
    CHECK(ledger_book(MEM_CACHE, 50, NULL));
    CHECK(ledger_held(MEM_TRUNK) == 100);
    CHECK(ledger_held(MEM_CACHE) == 50);
    CHECK(ledger_total() == 150);
    ledger_release(MEM_TRUNK, 40);
    CHECK(ledger_held(MEM_TRUNK) == 60);
    CHECK(ledger_total() == 110);
    CHECK(ledger_peak() == 150);
    ledger_release(MEM_TRUNK, 60);
    ledger_release(MEM_CACHE, 50);
    CHECK(ledger_total() == 0);
    CHECK(ledger_peak() == 150);
}

TEST(ledger_refuses_what_passes_the_limit)
{
    Error err = {0};

    ledger_set_limit(1024);
    CHECK(ledger_limit() == 1024);
    CHECK(ledger_book(MEM_STATE, 1000, &err));
    CHECK(ledger_book(MEM_STATE, 24, &err)); // the limit itself is allowed
    CHECK(!ledger_book(MEM_RING, 1, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    CHECK(strstr(err.message, "ring"));
    CHECK(strstr(err.message, "1.0 KiB"));
    CHECK(ledger_held(MEM_RING) == 0);
    CHECK(ledger_total() == 1024);
    ledger_release(MEM_STATE, 1024);
    ledger_set_limit(0);
}

TEST(ledger_refuses_a_sum_above_64_bits)
{
    Error err = {0};

    CHECK(ledger_book(MEM_OTHER, 1, &err));
    CHECK(!ledger_book(MEM_OTHER, UINT64_MAX, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    CHECK(ledger_held(MEM_OTHER) == 1);
    ledger_release(MEM_OTHER, 1);
}

TEST(ledger_kinds_have_names)
{
    for (MemKind a = 0; a < MEM_KINDS; a++)
        for (MemKind b = 0; b < MEM_KINDS; b++)
            CHECK((strcmp(mem_kind_name(a), mem_kind_name(b)) == 0) == (a == b));
}

typedef struct Booker {
    uint64_t n_booked, n_over; // times that it got its bytes; that the sum passed the limit
} Booker;

/* Books and releases under a limit that two threads cannot both fill. */
static void *book_often(void *context)
{
    Booker *booker = context;

    for (int i = 0; i < 20000; i++) {
        if (!ledger_book(MEM_SCRATCH, 600, NULL)) continue;
        booker->n_booked++;
        booker->n_over += ledger_total() > 1000;
        ledger_release(MEM_SCRATCH, 600);
    }
    return NULL;
}

TEST(ledger_keeps_its_sums_between_threads)
{
    pthread_t threads[4];
    Booker bookers[COUNT(threads)] = {0};
    uint64_t n_booked = 0;

    ledger_set_limit(1000);
    for (size_t i = 0; i < COUNT(threads); i++)
        if (!CHECK(pthread_create(&threads[i], NULL, book_often, &bookers[i]) == 0)) return;
    for (size_t i = 0; i < COUNT(threads); i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(bookers[i].n_over == 0);
        n_booked += bookers[i].n_booked; // one may get nothing while another sleeps on its bytes
    }
    CHECK(n_booked > 0);
    CHECK(ledger_total() == 0);
    CHECK(ledger_held(MEM_SCRATCH) == 0);
    ledger_set_limit(0);
}

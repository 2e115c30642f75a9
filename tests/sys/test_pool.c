/* tests/sys/test_pool.c - the compute threads (sys/pool.h) */
#include "sys/pool.h"

#include <float.h>

#include "base/fault.h"
#include "base/ledger.h"
#include "sys/child.h"

#define N_UNITS 1000u

static const uint32_t sizes[] = {1, 2, 3, 8};

static void count_self(void *context, uint32_t worker)
{
    uint32_t *n_calls = context; // one element per worker: no worker touches another's

    n_calls[worker]++;
}

TEST(pool_runs_a_task_once_on_every_worker)
{
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint32_t n_calls[8] = {0};
        Error err = {0};
        uint64_t held = ledger_total();
        Pool *pool = pool_create(sizes[i], &err);
        CHECK(pool != NULL);
        if (!pool) return;
        CHECK(pool_n_workers(pool) == sizes[i]);
        for (uint32_t round = 1; round <= 200; round++) {
            pool_run(pool, count_self, n_calls);
            for (uint32_t w = 0; w < sizes[i]; w++) CHECK(n_calls[w] == round);
        }
        pool_free(pool);
        CHECK(ledger_total() == held);
    }
}

typedef struct Units {
    uint32_t n_calls[N_UNITS];
    uint64_t square[N_UNITS];
} Units;

static void square_unit(void *context, uint32_t worker, uint32_t unit)
{
    Units *units = context;

    (void)worker;
    units->n_calls[unit]++;
    units->square[unit] = (uint64_t)unit * unit;
}

TEST(pool_for_runs_every_unit_once)
{
    static const uint32_t n_units[] = {0, 1, 2, 7, N_UNITS};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        Error err = {0};
        Pool *pool = pool_create(sizes[i], &err);
        CHECK(pool != NULL);
        if (!pool) return;
        for (size_t k = 0; k < COUNT(n_units); k++) {
            static Units units;
            units = (Units){0};
            pool_for(pool, n_units[k], square_unit, &units);
            for (uint32_t u = 0; u < N_UNITS; u++) {
                CHECK(units.n_calls[u] == (u < n_units[k] ? 1 : 0));
                CHECK(units.square[u] == (u < n_units[k] ? (uint64_t)u * u : 0));
            }
        }
        pool_free(pool);
    }
}

/* Takes longer than anybody spins, so that the others fall asleep. */
static void linger(void)
{
    for (volatile uint32_t i = 0; i < 300000; i++) continue;
}

static void first_worker_is_late(void *context, uint32_t worker)
{
    if (worker == 0) linger();
    count_self(context, worker);
}

static void last_worker_is_late(void *context, uint32_t worker)
{
    if (worker == 1) linger();
    count_self(context, worker);
}

/* Whatever the timing, the counts must be right; the pauses make both sides sleep. */
TEST(pool_wakes_workers_and_caller_from_sleep)
{
    uint32_t n_calls[3] = {0};
    Error err = {0};
    Pool *pool = pool_create(3, &err);

    CHECK(pool != NULL);
    if (!pool) return;
    for (uint32_t round = 0; round < 30; round++) {
        pool_run(pool, round % 2 ? first_worker_is_late : last_worker_is_late, n_calls);
        linger();
        pool_run(pool, count_self, n_calls);
    }
    for (uint32_t w = 0; w < 3; w++) CHECK(n_calls[w] == 60);
    pool_free(pool);
}

static void run_eight_workers_on_one_processor(const void *argument)
{
    uint32_t n_calls[8] = {0};
    Error err = {0};

    (void)argument;
    use_one_processor();
    Pool *pool = pool_create(8, &err);
    CHECK(pool != NULL);
    if (!pool) return;
    for (uint32_t round = 0; round < 100; round++) pool_run(pool, count_self, n_calls);
    for (uint32_t w = 0; w < 8; w++) CHECK(n_calls[w] == 100);
    pool_free(pool);
}

TEST(pool_works_with_fewer_processors_than_workers)
{
    CHECK(child_status(run_eight_workers_on_one_processor, NULL) == 0);
}

static void halve_smallest(void *context, uint32_t worker)
{
    volatile float smallest = FLT_MIN;
    float *halves = context;

    halves[worker] = smallest / 2;
}

TEST(pool_workers_and_caller_keep_denormals)
{
    float halves[3] = {0};
    Error err = {0};

#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(0x9fc0); // flushes to zero; threads would inherit it
#endif
    Pool *pool = pool_create(3, &err);
    CHECK(pool != NULL);
    if (!pool) return;
    pool_run(pool, halve_smallest, halves);
    for (uint32_t w = 0; w < 3; w++) CHECK(halves[w] > 0);
    pool_free(pool);
}

TEST(pool_create_survives_each_failed_allocation)
{
    uint64_t held = ledger_total();
    uint64_t n_failures = 0;

    for (uint64_t nth = 1; nth < 10; nth++) {
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        Pool *pool = pool_create(3, &err);
        CHECK(fault_count(FAULT_ALLOC) > 0);
        fault_arm(FAULT_ALLOC, 0, false);
        if (pool) {
            pool_free(pool);
            break;
        }
        n_failures++;
        CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(ledger_total() == held);
    }
    CHECK(n_failures > 0);
    CHECK(n_failures < 9);
}

static void allow_three_threads(const void *argument)
{
    struct rlimit limit = {.rlim_cur = 3, .rlim_max = 3};
    uint64_t held = ledger_total();
    Error err = {0};

    (void)argument;
    if (getuid() == 0) CHECK(setuid(65534) == 0); // root has no such limit
    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    Pool *pool = pool_create(8, &err);
    CHECK(pool == NULL);
    CHECK_ERROR(err, ERROR_THREAD);
    CHECK(strstr(err.message, "of 8") != NULL);
    CHECK(ledger_total() == held);
}

TEST(pool_create_fails_cleanly_when_a_thread_cannot_start)
{
    CHECK(child_status(allow_three_threads, NULL) == 0);
}

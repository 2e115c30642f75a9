/* Handing work to threads and having it back costs about a microsecond, hundreds of times
 * per token; asleep and awake again is fifty. So both sides spin for a moment before they
 * sleep, and only for a moment: a thread that spins on another one's processor stops it.
 *
 * A round: the caller writes the task, counts `n_running` up and raises `round`. Workers
 * wait for `round` to differ from the last one they saw, run the task, and count
 * `n_running` down; the last one wakes the caller if it sleeps. Nobody changes the task
 * while a round runs, so nothing else needs a lock.
 *
 * Sleepers: each side first says that it sleeps, then looks again (the futex compares),
 * while the other first changes the word, then looks for sleepers. Both pairs are
 * sequentially consistent, so at least one of them sees the other. */
#include "sys/pool.h"

#include <assert.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sys/cpu.h"
#include "sys/thread.h"

#define STACK_BYTES      ((size_t)1 << 20) // kernels keep unpacked blocks on the stack
#define SPIN_NS          30000             // about what a sleep and a wake-up cost together
#define SPINS_PER_LOOK   64                // pauses between looks at the clock
#define CACHE_LINE_BYTES 64

typedef struct Worker {
    Pool *pool;
    uint32_t index;
    pthread_t thread;
} Worker;

struct Pool {
    // Written by the caller between rounds; read by workers after they saw `round` change.
    PoolTask *task;
    void *context;
    bool is_ending;
    bool is_running; // the caller's own: no round within a round
    uint32_t n_workers;
    uint32_t n_started; // threads to join; workers[0] is the caller and has none
    uint64_t spin_ns;   // 0: there are fewer processors than workers
    Worker *workers;    // [n_workers]

    // Futex words and the flags that go with them, apart so that spinning disturbs nobody.
    uint8_t apart_1[CACHE_LINE_BYTES];
    _Atomic uint32_t round;
    _Atomic uint32_t n_asleep; // workers in or on their way into futex_wait(round)
    uint8_t apart_2[CACHE_LINE_BYTES];
    _Atomic uint32_t n_running;
    _Atomic uint32_t caller_asleep;
    uint8_t apart_3[CACHE_LINE_BYTES];
    _Atomic uint32_t next_unit; // pool_for
    uint8_t apart_4[CACHE_LINE_BYTES];
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    // Interrupted, woken for nothing, or changed already: all callers look again.
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("yield");
#endif
}

typedef enum Until { UNTIL_EQUAL, UNTIL_DIFFERENT } Until;

static inline bool word_is(_Atomic uint32_t *word, Until until, uint32_t value)
{
    // Acquires what the other side released with its change of the word.
    bool equal = atomic_load_explicit(word, memory_order_acquire) == value;
    return equal == (until == UNTIL_EQUAL);
}

/* Looks at the word for up to spin_ns. True: it is as wanted. */
static bool spin(_Atomic uint32_t *word, Until until, uint32_t value, uint64_t spin_ns)
{
    if (word_is(word, until, value)) return true;
    if (spin_ns == 0) return false;

    uint64_t begin_ns = clock_now_ns();
    do {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            cpu_pause();
            if (word_is(word, until, value)) return true;
        }
    } while (clock_now_ns() - begin_ns < spin_ns);
    return false;
}

static void wait_for_round(Pool *pool, uint32_t seen)
{
    if (spin(&pool->round, UNTIL_DIFFERENT, seen, pool->spin_ns)) return;

    atomic_fetch_add_explicit(&pool->n_asleep, 1, memory_order_seq_cst); // pairs with begin_round
    while (atomic_load_explicit(&pool->round, memory_order_seq_cst) == seen)
        futex_wait(&pool->round, seen);
    atomic_fetch_sub_explicit(&pool->n_asleep, 1, memory_order_relaxed);
}

static void begin_round(Pool *pool)
{
    // Released with `round`, which every worker reads before it counts down.
    atomic_store_explicit(&pool->n_running, pool->n_started, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->round, 1, memory_order_seq_cst); // pairs with wait_for_round
    if (atomic_load_explicit(&pool->n_asleep, memory_order_seq_cst) > 0)
        futex_wake_all(&pool->round);
}

static void finish_part(Pool *pool)
{
    // Releases what this worker wrote to the caller; pairs with wait_for_workers.
    if (atomic_fetch_sub_explicit(&pool->n_running, 1, memory_order_seq_cst) > 1) return;
    if (atomic_load_explicit(&pool->caller_asleep, memory_order_seq_cst))
        futex_wake_all(&pool->n_running);
}

static void wait_for_workers(Pool *pool)
{
    uint32_t n;

    if (spin(&pool->n_running, UNTIL_EQUAL, 0, pool->spin_ns)) return;

    atomic_store_explicit(&pool->caller_asleep, 1, memory_order_seq_cst); // pairs with finish_part
    while ((n = atomic_load_explicit(&pool->n_running, memory_order_seq_cst)) > 0)
        futex_wait(&pool->n_running, n);
    atomic_store_explicit(&pool->caller_asleep, 0, memory_order_relaxed);
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    Pool *pool = worker->pool;

    cpu_set_float_environment();
    for (uint32_t round = 0;; round++) {
        wait_for_round(pool, round);
        if (pool->is_ending) return NULL;
        pool->task(pool->context, worker->index);
        finish_part(pool);
    }
}

static bool start_workers(Pool *pool, Error *err)
{
    for (uint32_t i = 1; i < pool->n_workers; i++) {
        Worker *worker = &pool->workers[i];
        *worker = (Worker){.pool = pool, .index = i};
        if (!thread_start(&worker->thread, worker_main, worker, STACK_BYTES, err))
            return error_at(err, "worker %u of %u", i + 1, pool->n_workers);
        pool->n_started++;
    }
    return true;
}

Pool *pool_create(uint32_t n_workers, Error *err)
{
    assert(n_workers >= 1);
    assert(n_workers <= POOL_WORKERS_MAX);

    Pool *pool = mem_alloc(MEM_OTHER, sizeof(*pool), err);
    if (!pool) return NULL;
    pool->n_workers = n_workers;
    pool->spin_ns = n_workers <= cpu_usable_threads() ? SPIN_NS : 0;
    pool->workers = mem_alloc_array(MEM_OTHER, n_workers, sizeof(Worker), err);
    if (!pool->workers || !start_workers(pool, err)) {
        pool_free(pool);
        return NULL;
    }
    cpu_set_float_environment();
    return pool;
}

void pool_free(Pool *pool)
{
    if (!pool) return;
    assert(!pool->is_running);
    pool->is_ending = true;
    begin_round(pool);
    for (uint32_t i = 1; i <= pool->n_started; i++) pthread_join(pool->workers[i].thread, NULL);
    mem_free(MEM_OTHER, pool->workers);
    mem_free(MEM_OTHER, pool);
}

uint32_t pool_n_workers(const Pool *pool)
{
    return pool->n_workers;
}

void pool_run(Pool *pool, PoolTask *task, void *context)
{
    assert(!pool->is_running);
    pool->is_running = true;
    pool->task = task;
    pool->context = context;
    if (pool->n_workers > 1) begin_round(pool);
    task(context, 0);
    if (pool->n_workers > 1) wait_for_workers(pool);
    pool->is_running = false;
}

typedef struct UnitRound {
    Pool *pool;
    PoolUnitTask *task;
    void *context;
    uint32_t n_units;
} UnitRound;

static void run_units(void *context, uint32_t worker)
{
    const UnitRound *units = context;

    for (;;) {
        // Only the number matters; the round's start and end order everything else.
        uint32_t unit = atomic_fetch_add_explicit(&units->pool->next_unit, 1, memory_order_relaxed);
        if (unit >= units->n_units) return;
        units->task(units->context, worker, unit);
    }
}

void pool_for(Pool *pool, uint32_t n_units, PoolUnitTask *task, void *context)
{
    UnitRound units = {.pool = pool, .task = task, .context = context, .n_units = n_units};

    assert(n_units <= UINT32_MAX - POOL_WORKERS_MAX); // each worker counts once too often
    if (n_units == 0) return;
    atomic_store_explicit(&pool->next_unit, 0, memory_order_relaxed);
    if (n_units == 1) {
        run_units(&units, 0); // not worth waking anybody
    } else {
        pool_run(pool, run_units, &units);
    }
}

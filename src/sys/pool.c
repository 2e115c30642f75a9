/* Handing work to threads and having it back costs about a microsecond, hundreds of times
 * per token; asleep and awake again is fifty. So both sides spin for a moment before they
 * sleep, and only for a moment: a thread that spins on another one's processor stops it.
 *
 * A round: the caller writes the job, opens `gate` and raises `round`. Workers wait for
 * `round` to differ from the last one they saw, and enter through the gate while it is open.
 * When the units are used up the caller closes the gate and waits until nobody is inside. A
 * worker that was not awake in time, or whose processor does something else, is not waited
 * for: it finds the gate closed. (On two busy processors a round that waited for every worker
 * took a time slice of the other program.) pool_run alone waits until all have been inside.
 *
 * The job is written only while the gate is closed and nobody inside, and read only inside.
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

/* What a round is about. */
typedef struct Job {
    uint32_t number;         // of the round: nobody does a round twice
    PoolTask *task;          // pool_run: once on every worker
    PoolUnitTask *unit_task; // pool_for, else NULL
    void *context;
    uint32_t n_units;
} Job;

#define GATE_OPEN   1u // bit 0 of `gate`; the rest counts who is inside
#define GATE_INSIDE 2u

struct Pool {
    Job job;
    bool is_running; // the caller's own: no round within a round
    uint32_t n_workers;
    uint32_t n_started; // threads to join; workers[0] is the caller and has none
    uint64_t spin_ns;   // 0: there are fewer processors than workers
    Worker *workers;    // [n_workers]

    // Futex words and the flags that go with them, apart so that spinning disturbs nobody.
    uint8_t apart_1[CACHE_LINE_BYTES];
    _Atomic uint32_t round;
    _Atomic uint32_t n_asleep; // workers in or on their way into futex_wait(round)
    _Atomic bool is_ending;
    uint8_t apart_2[CACHE_LINE_BYTES];
    _Atomic uint32_t gate;
    _Atomic uint32_t n_missing; // pool_run: workers that have not done the round
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

static uint32_t wait_for_round(Pool *pool, uint32_t seen)
{
    if (!spin(&pool->round, UNTIL_DIFFERENT, seen, pool->spin_ns)) {
        atomic_fetch_add_explicit(&pool->n_asleep, 1, memory_order_seq_cst); // pairs with raise
        while (atomic_load_explicit(&pool->round, memory_order_seq_cst) == seen)
            futex_wait(&pool->round, seen);
        atomic_fetch_sub_explicit(&pool->n_asleep, 1, memory_order_relaxed);
    }
    return atomic_load_explicit(&pool->round, memory_order_relaxed);
}

static void raise_round(Pool *pool)
{
    atomic_fetch_add_explicit(&pool->round, 1, memory_order_seq_cst); // pairs with wait_for_round
    if (atomic_load_explicit(&pool->n_asleep, memory_order_seq_cst) > 0)
        futex_wake_all(&pool->round);
}

/* True: inside, and what the caller wrote for this round can be read. */
static bool enter_gate(Pool *pool)
{
    uint32_t gate = atomic_load_explicit(&pool->gate, memory_order_relaxed);

    while (gate & GATE_OPEN) // acquires what open_gate released
        if (atomic_compare_exchange_weak_explicit(
                &pool->gate, &gate, gate + GATE_INSIDE, memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

static void wake_caller(Pool *pool, _Atomic uint32_t *word)
{
    if (atomic_load_explicit(&pool->caller_asleep, memory_order_seq_cst)) futex_wake_all(word);
}

static void leave_gate(Pool *pool)
{
    // Releases what this worker wrote to the caller; pairs with wait_until_zero.
    uint32_t gate = atomic_fetch_sub_explicit(&pool->gate, GATE_INSIDE, memory_order_seq_cst);
    if (gate == GATE_INSIDE) wake_caller(pool, &pool->gate); // closed, and the last to leave
}

/* The caller's wait for `gate` or `n_missing`. */
static void wait_until_zero(Pool *pool, _Atomic uint32_t *word)
{
    uint32_t value;

    if (spin(word, UNTIL_EQUAL, 0, pool->spin_ns)) return;
    atomic_store_explicit(&pool->caller_asleep, 1, memory_order_seq_cst); // pairs with wake_caller
    while ((value = atomic_load_explicit(word, memory_order_seq_cst)) > 0) futex_wait(word, value);
    atomic_store_explicit(&pool->caller_asleep, 0, memory_order_relaxed);
}

static void run_units(Pool *pool, const Job *job, uint32_t worker)
{
    for (;;) {
        // Only the number matters; the gate orders everything else.
        uint32_t unit = atomic_fetch_add_explicit(&pool->next_unit, 1, memory_order_relaxed);
        if (unit >= job->n_units) return;
        job->unit_task(job->context, worker, unit);
    }
}

/* One worker's part of the round whose gate it is inside of. */
static void take_part(Pool *pool, uint32_t worker)
{
    const Job *job = &pool->job;

    if (job->unit_task) {
        run_units(pool, job, worker);
        return;
    }
    job->task(job->context, worker);
    // Released again by leave_gate, which the caller waits for after this.
    if (atomic_fetch_sub_explicit(&pool->n_missing, 1, memory_order_seq_cst) == 1)
        wake_caller(pool, &pool->n_missing);
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    Pool *pool = worker->pool;
    uint32_t seen = 0, done = 0;

    cpu_set_float_environment();
    for (;;) {
        seen = wait_for_round(pool, seen);
        if (atomic_load_explicit(&pool->is_ending, memory_order_relaxed)) return NULL;
        if (!enter_gate(pool)) continue;
        if (pool->job.number != done) {
            done = pool->job.number;
            take_part(pool, worker->index);
        }
        leave_gate(pool);
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
    atomic_store_explicit(&pool->is_ending, true, memory_order_relaxed); // released by the round
    raise_round(pool);
    for (uint32_t i = 1; i <= pool->n_started; i++) pthread_join(pool->workers[i].thread, NULL);
    mem_free(MEM_OTHER, pool->workers);
    mem_free(MEM_OTHER, pool);
}

uint32_t pool_n_workers(const Pool *pool)
{
    return pool->n_workers;
}

static void open_gate(Pool *pool, Job job)
{
    assert(!pool->is_running);
    pool->is_running = true;
    job.number = pool->job.number + 1;
    pool->job = job;
    atomic_store_explicit(&pool->gate, GATE_OPEN, memory_order_release); // pairs with enter_gate
    raise_round(pool);
}

static void close_gate(Pool *pool)
{
    atomic_fetch_and_explicit(&pool->gate, ~GATE_OPEN, memory_order_seq_cst);
    wait_until_zero(pool, &pool->gate);
    pool->is_running = false;
}

void pool_run(Pool *pool, PoolTask *task, void *context)
{
    atomic_store_explicit(&pool->n_missing, pool->n_started, memory_order_relaxed);
    open_gate(pool, (Job){.task = task, .context = context});
    task(context, 0);
    wait_until_zero(pool, &pool->n_missing);
    close_gate(pool);
}

void pool_for(Pool *pool, uint32_t n_units, PoolUnitTask *task, void *context)
{
    Job job = {.unit_task = task, .context = context, .n_units = n_units};

    assert(n_units <= UINT32_MAX - POOL_WORKERS_MAX); // each worker counts once too often
    if (n_units == 0) return;
    atomic_store_explicit(&pool->next_unit, 0, memory_order_relaxed); // released by the gate
    if (n_units == 1 || pool->n_started == 0) {                       // not worth waking anybody
        run_units(pool, &job, 0);
        return;
    }
    open_gate(pool, job);
    run_units(pool, &pool->job, 0);
    close_gate(pool);
}

/* Reads by a few threads that block in pread: what io_uring does, for kernels that refuse
 * it, at the same rate and about twice the processor time. Requests wait in one bounded
 * queue, results in another; neither can overflow, since read.c never lets more than
 * `depth` be in flight. A whole request is one call, and what it returns is the result. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/internal.h"
#include "sys/thread.h"

#define READ_THREADS_MAX 4 // more gained nothing on the drives measured
#define STACK_BYTES      ((size_t)256 << 10)

typedef struct ReadThreads {
    // Constant while threads run.
    const int *fds; // borrowed
    bool is_direct;
    uint32_t depth;
    uint32_t n_threads;
    pthread_t threads[READ_THREADS_MAX];

    // lock guards: all below
    pthread_mutex_t lock;
    pthread_cond_t queued; // a request, or the end
    pthread_cond_t done;   // a completion
    bool is_ending;
    ReadRequest *queue; // [depth] ring
    uint32_t queue_head, n_queued;
    ReadCompletion *results; // [depth] ring
    uint32_t results_head, n_results;
    uint32_t n_in_flight; // queued, being read, or in results
} ReadThreads;

static ReadCompletion read_one(const ReadThreads *threads, const ReadRequest *request)
{
    int fd = threads->fds[request->file];
    ssize_t n = pread(fd, request->data, request->n_bytes, (off_t)request->offset_bytes);
    ReadCompletion completion = {.tag = request->tag, .result = n >= 0 ? n : -errno};

    if (!threads->is_direct) file_drop_cached(fd, request->offset_bytes, request->n_bytes);
    return completion;
}

static bool take_request(ReadThreads *threads, ReadRequest *out)
{
    pthread_mutex_lock(&threads->lock);
    // What is queued is read even at the end: its memory waits for a completion.
    while (threads->n_queued == 0 && !threads->is_ending)
        pthread_cond_wait(&threads->queued, &threads->lock);
    bool taken = threads->n_queued > 0;
    if (taken) {
        *out = threads->queue[threads->queue_head];
        threads->queue_head = (threads->queue_head + 1) % threads->depth;
        threads->n_queued--;
    }
    pthread_mutex_unlock(&threads->lock);
    return taken;
}

static void give_result(ReadThreads *threads, ReadCompletion completion)
{
    pthread_mutex_lock(&threads->lock);
    assert(threads->n_results < threads->depth);
    threads->results[(threads->results_head + threads->n_results) % threads->depth] = completion;
    threads->n_results++;
    pthread_cond_signal(&threads->done);
    pthread_mutex_unlock(&threads->lock);
}

static void *reading_main(void *argument)
{
    ReadThreads *threads = argument;
    ReadRequest request;

    while (take_request(threads, &request)) give_result(threads, read_one(threads, &request));
    return NULL;
}

static void threads_free(void *state)
{
    ReadThreads *threads = state;

    pthread_mutex_lock(&threads->lock);
    threads->is_ending = true;
    pthread_cond_broadcast(&threads->queued);
    pthread_mutex_unlock(&threads->lock);
    for (uint32_t i = 0; i < threads->n_threads; i++) pthread_join(threads->threads[i], NULL);

    pthread_cond_destroy(&threads->done);
    pthread_cond_destroy(&threads->queued);
    pthread_mutex_destroy(&threads->lock);
    mem_free(MEM_OTHER, threads->queue);
    mem_free(MEM_OTHER, threads->results);
    mem_free(MEM_OTHER, threads);
}

static void *threads_create(const ReadPlan *plan, int *refusal, Error *err)
{
    uint32_t depth = plan->options->depth;
    uint32_t n_wanted = depth < READ_THREADS_MAX ? depth : READ_THREADS_MAX;

    *refusal = 0; // there is nothing simpler to fall back to
    ReadThreads *threads = mem_alloc(MEM_OTHER, sizeof(*threads), err);
    if (!threads) return NULL;
    threads->fds = plan->fds;
    threads->is_direct = plan->is_direct;
    threads->depth = depth;
    // On Linux these three never fail with default attributes.
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->queued, NULL);
    pthread_cond_init(&threads->done, NULL);

    threads->queue = mem_alloc_array(MEM_OTHER, depth, sizeof(ReadRequest), err);
    if (!threads->queue) goto fail;
    threads->results = mem_alloc_array(MEM_OTHER, depth, sizeof(ReadCompletion), err);
    if (!threads->results) goto fail;
    for (uint32_t i = 0; i < n_wanted; i++) {
        if (!thread_start(&threads->threads[i], reading_main, threads, STACK_BYTES, err)) goto fail;
        threads->n_threads++;
    }
    return threads;

fail:
    threads_free(threads);
    return NULL;
}

static bool threads_submit(void *state, const ReadRequest *requests, uint32_t n, Error *err)
{
    ReadThreads *threads = state;

    (void)err; // a queue can't break
    pthread_mutex_lock(&threads->lock);
    assert(threads->n_in_flight + n <= threads->depth);
    for (uint32_t i = 0; i < n; i++) {
        threads->queue[(threads->queue_head + threads->n_queued) % threads->depth] = requests[i];
        threads->n_queued++;
    }
    threads->n_in_flight += n;
    pthread_cond_broadcast(&threads->queued);
    pthread_mutex_unlock(&threads->lock);
    return true;
}

static bool threads_reap(
    void *state, ReadWait wait, ReadCompletion *out, uint32_t n_max, uint32_t *n, Error *err)
{
    ReadThreads *threads = state;

    (void)err;
    pthread_mutex_lock(&threads->lock);
    while (wait == READ_WAIT && threads->n_results == 0 && threads->n_in_flight > 0)
        pthread_cond_wait(&threads->done, &threads->lock);
    while (*n < n_max && threads->n_results > 0) {
        out[(*n)++] = threads->results[threads->results_head];
        threads->results_head = (threads->results_head + 1) % threads->depth;
        threads->n_results--;
        threads->n_in_flight--;
    }
    pthread_mutex_unlock(&threads->lock);
    return true;
}

/* Written by the reader's own thread alone, so it needs no lock to look. */
static uint32_t threads_in_flight(const void *state)
{
    const ReadThreads *threads = state;

    return threads->n_in_flight;
}

const ReadBackendTable read_threads = {
    .name = "threads",
    .create = threads_create,
    .free = threads_free,
    .submit = threads_submit,
    .reap = threads_reap,
    .in_flight = threads_in_flight,
};

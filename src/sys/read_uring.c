/* Reads through io_uring (Axboe 2019, "Efficient IO with io_uring"; io_uring_setup(2)).
 *
 * The ring can do one thing: read from the files it was made with. They are registered, so
 * are the buffers where the memory lock limit allows, and restrictions forbid everything
 * else before the ring is enabled; a system call filter alone does not see what a ring does.
 *
 * No IORING_SETUP_SINGLE_ISSUER: users of the library may evaluate from one thread now and
 * from another later, with reads in flight. COOP_TASKRUN spares the compute threads the
 * interrupts that the stricter mode spares them. No SQPOLL, no IOPOLL: both burn a core. */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/internal.h"

#define BUFFER_BYTES_MAX ((uint64_t)1 << 30) // the kernel's limit for one registered buffer
#define BUFFERS_MAX      16384
#define TRIES_MAX        1000    // of a call that the kernel puts off
#define PAUSE_NS         1000000 // between two of them
#define IO_WORKERS_MAX   4       // kernel threads for reads through the page cache

/* A request in flight; user_data of its entry is the index. */
typedef struct Flight {
    uint64_t tag;
    uint64_t offset_bytes;
    uint32_t n_bytes;
    uint32_t file;
    bool is_in_flight;
} Flight;

typedef struct Uring {
    struct io_uring ring;
    bool has_ring;
    const int *fds; // borrowed
    bool is_direct;
    uint32_t depth;
    struct iovec *buffers; // [n_buffers] as registered
    uint32_t n_buffers;    // 0: none are
    Flight *flights;       // [depth]
    uint32_t *idle;        // [depth] indices of free flights, a stack
    uint32_t n_idle;
} Uring;

static bool refuse(int error, const char *step, int *refusal, Error *err)
{
    *refusal = error;
    return error_set(err, ERROR_RING, "io_uring: %s: %s", step, strerror(error));
}

/* Tries the best set of flags first; an older kernel answers EINVAL to what it lacks. */
static bool make_ring(Uring *uring, int *refusal, Error *err)
{
    static const uint32_t flag_sets[] = {
        // 5.19
        IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL
            | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP, // 5.10
    };
    int failed = -EINVAL;

    for (size_t i = 0; i < COUNT(flag_sets) && failed == -EINVAL; i++) {
        struct io_uring_params params = {.flags = flag_sets[i]};
        failed = io_uring_queue_init_params(uring->depth, &uring->ring, &params);
    }
    if (failed != 0) return refuse(-failed, "setup", refusal, err);
    uring->has_ring = true;
    return true;
}

/* Cuts the buffers into pieces that the kernel accepts. False: too many, or no memory. */
static bool list_buffers(Uring *uring, const Pages *buffers, uint32_t n_buffers)
{
    uint64_t n_pieces = 0;

    for (uint32_t i = 0; i < n_buffers; i++)
        n_pieces += (buffers[i].n_bytes + BUFFER_BYTES_MAX - 1) / BUFFER_BYTES_MAX;
    if (n_pieces == 0 || n_pieces > BUFFERS_MAX) return false;
    uring->buffers = mem_alloc_array(MEM_OTHER, (size_t)n_pieces, sizeof(struct iovec), NULL);
    if (!uring->buffers) return false;

    for (uint32_t i = 0; i < n_buffers; i++) {
        for (uint64_t begin = 0; begin < buffers[i].n_bytes; begin += BUFFER_BYTES_MAX) {
            uint64_t rest = buffers[i].n_bytes - begin;
            uring->buffers[uring->n_buffers++] = (struct iovec){.iov_base = buffers[i].data + begin,
                .iov_len = (size_t)(rest < BUFFER_BYTES_MAX ? rest : BUFFER_BYTES_MAX)};
        }
    }
    return true;
}

/* Pinned once instead of at every read. Without it all works, at some more processor time. */
static void register_buffers(Uring *uring, const Pages *buffers, uint32_t n_buffers)
{
    if (!list_buffers(uring, buffers, n_buffers)) return;
    if (io_uring_register_buffers(&uring->ring, uring->buffers, uring->n_buffers) == 0) return;
    uring->n_buffers = 0; // most often ENOMEM: RLIMIT_MEMLOCK
}

/* liburing 2.3 declares functions for these two steps and its shared library lacks them. */
static int register_with(Uring *uring, unsigned opcode, const void *argument, unsigned n)
{
    long result = syscall(SYS_io_uring_register, uring->ring.ring_fd, opcode, argument, n);

    return result < 0 ? errno : 0;
}

/* From its enabling on the ring can read registered files, cancel that, and nothing else. */
static bool restrict_and_enable(Uring *uring, int *refusal, Error *err)
{
    struct io_uring_restriction rules[] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ_FIXED},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_ASYNC_CANCEL},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE},
    };

    int failed = register_with(uring, IORING_REGISTER_RESTRICTIONS, rules, COUNT(rules));
    if (failed != 0) return refuse(failed, "restrictions", refusal, err);
    failed = register_with(uring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (failed != 0) return refuse(failed, "enable", refusal, err);
    return true;
}

/* One real read: a kernel may have rings and yet refuse to enter them, or lack the operation. */
static bool try_read(Uring *uring, const ReadPlan *plan, int *refusal, Error *err)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    struct io_uring_cqe *cqe;

    assert(sqe);
    io_uring_prep_read(sqe, 0, plan->probe->data, plan->alignment, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    int n_submitted = io_uring_submit(&uring->ring);
    if (n_submitted < 0) return refuse(-n_submitted, "enter", refusal, err);
    int failed;
    do failed = io_uring_wait_cqe(&uring->ring, &cqe);
    while (failed == -EINTR);
    if (failed != 0) return refuse(-failed, "wait", refusal, err);

    int result = cqe->res;
    io_uring_cqe_seen(&uring->ring, cqe);
    if (!plan->is_direct) file_drop_cached(plan->fds[0], 0, plan->alignment);
    if (result < 0) return refuse(-result, "read", refusal, err);
    return true;
}

static bool set_up(Uring *uring, const ReadPlan *plan, int *refusal, Error *err)
{
    const ReaderOptions *options = plan->options;
    unsigned workers[2] = {IO_WORKERS_MAX, IO_WORKERS_MAX};

    if (!make_ring(uring, refusal, err)) return false;
    int failed = io_uring_register_files(&uring->ring, plan->fds, options->n_files);
    if (failed != 0) return refuse(-failed, "files", refusal, err);
    register_buffers(uring, options->buffers, options->n_buffers);
    if (!plan->is_direct) (void)io_uring_register_iowq_max_workers(&uring->ring, workers);
    if (!restrict_and_enable(uring, refusal, err)) return false;
    return try_read(uring, plan, refusal, err);
}

static uint32_t uring_in_flight(const void *state)
{
    const Uring *uring = state;

    return uring->depth - uring->n_idle;
}

static bool broke(int error, const char *step, Error *err)
{
    return error_set(err, ERROR_RING, "io_uring: %s: %s", step, strerror(error));
}

/* Is this answer of the kernel only "not now"? After a short pause, and not for ever. */
static bool is_put_off(int failed, uint32_t *n_tries)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};

    if (failed == -EINTR) return true;
    if ((failed != -EAGAIN && failed != -EBUSY) || ++*n_tries == TRIES_MAX) return false;
    (void)nanosleep(&pause, NULL);
    return true;
}

static bool wait_for_one(Uring *uring, Error *err)
{
    struct io_uring_cqe *cqe;
    uint32_t n_tries = 0;
    int failed;

    do failed = io_uring_wait_cqe(&uring->ring, &cqe);
    while (failed != 0 && is_put_off(failed, &n_tries));
    return failed == 0 || broke(-failed, "wait", err);
}

/* The completion of an entry; its flight becomes free. */
static ReadCompletion take(Uring *uring, const struct io_uring_cqe *cqe)
{
    assert(cqe->user_data < uring->depth);
    Flight *flight = &uring->flights[cqe->user_data];
    assert(flight->is_in_flight);

    flight->is_in_flight = false;
    uring->idle[uring->n_idle++] = (uint32_t)cqe->user_data; // below depth
    if (!uring->is_direct)
        file_drop_cached(uring->fds[flight->file], flight->offset_bytes, flight->n_bytes);
    return (ReadCompletion){.tag = flight->tag, .result = cqe->res};
}

static bool uring_reap(
    void *state, ReadWait wait, ReadCompletion *out, uint32_t n_max, uint32_t *n, Error *err)
{
    Uring *uring = state;
    struct io_uring_cqe *cqes[64];
    uint32_t n_room = n_max < COUNT(cqes) ? n_max : COUNT(cqes);

    if (uring_in_flight(uring) == 0) return true;
    if (wait == READ_WAIT && !wait_for_one(uring, err)) return false;
    uint32_t n_ready = io_uring_peek_batch_cqe(&uring->ring, cqes, n_room);
    for (uint32_t i = 0; i < n_ready; i++) out[i] = take(uring, cqes[i]);
    io_uring_cq_advance(&uring->ring, n_ready);
    *n = n_ready;
    return true;
}

/* Index of the registered buffer that holds all of a request; -1: none does. */
static int find_buffer(const Uring *uring, const ReadRequest *request)
{
    for (uint32_t i = 0; i < uring->n_buffers; i++) {
        uintptr_t begin = (uintptr_t)uring->buffers[i].iov_base;
        uintptr_t end = begin + uring->buffers[i].iov_len;
        uintptr_t data = (uintptr_t)request->data;
        if (data >= begin && data < end && request->n_bytes <= end - data) return (int)i;
    }
    return -1;
}

static void prepare(Uring *uring, const ReadRequest *request)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    uint32_t index = uring->idle[--uring->n_idle];
    int buffer = find_buffer(uring, request);
    int file = (int)request->file; // an index that the ring accepted at creation

    assert(sqe); // the ring has room for `depth` entries, and all earlier ones are submitted
    uring->flights[index] = (Flight){.tag = request->tag,
        .offset_bytes = request->offset_bytes,
        .n_bytes = request->n_bytes,
        .file = request->file,
        .is_in_flight = true};
    if (buffer >= 0)
        io_uring_prep_read_fixed(
            sqe, file, request->data, request->n_bytes, request->offset_bytes, buffer);
    else
        io_uring_prep_read(sqe, file, request->data, request->n_bytes, request->offset_bytes);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = index;
}

static bool uring_submit(void *state, const ReadRequest *requests, uint32_t n, Error *err)
{
    Uring *uring = state;
    uint32_t n_tries = 0;

    for (uint32_t i = 0; i < n; i++) prepare(uring, &requests[i]);
    while (io_uring_sq_ready(&uring->ring) > 0) {
        int n_submitted = io_uring_submit(&uring->ring);
        if (n_submitted >= 0 || is_put_off(n_submitted, &n_tries)) continue;
        return broke(-n_submitted, "submit", err);
    }
    return true;
}

/* Entries that the kernel never took (a submission that failed) have no completion. */
static void wait_for_all(Uring *uring)
{
    uint32_t n_never_taken = io_uring_sq_ready(&uring->ring);
    ReadCompletion completions[64];
    uint32_t n;

    while (uring_in_flight(uring) > n_never_taken) {
        n = 0;
        if (!uring_reap(uring, READ_WAIT, completions, COUNT(completions), &n, NULL)) return;
    }
}

static void uring_free(void *state)
{
    Uring *uring = state;

    if (uring->has_ring) {
        if (uring->flights && uring->idle) wait_for_all(uring);
        io_uring_queue_exit(&uring->ring);
    }
    mem_free(MEM_OTHER, uring->buffers);
    mem_free(MEM_OTHER, uring->idle);
    mem_free(MEM_OTHER, uring->flights);
    mem_free(MEM_OTHER, uring);
}

static void *uring_create(const ReadPlan *plan, int *refusal, Error *err)
{
    uint32_t depth = plan->options->depth;

    *refusal = 0;
    Uring *uring = mem_alloc(MEM_OTHER, sizeof(*uring), err);
    if (!uring) return NULL;
    uring->fds = plan->fds;
    uring->is_direct = plan->is_direct;
    uring->depth = depth;
    uring->flights = mem_alloc_array(MEM_OTHER, depth, sizeof(Flight), err);
    if (!uring->flights) goto fail;
    uring->idle = mem_alloc_array(MEM_OTHER, depth, sizeof(uint32_t), err);
    if (!uring->idle) goto fail;
    for (uint32_t i = 0; i < depth; i++) uring->idle[i] = i;
    uring->n_idle = depth;
    if (!set_up(uring, plan, refusal, err)) goto fail;
    return uring;

fail:
    uring_free(uring);
    return NULL;
}

const ReadBackendTable read_uring = {
    .name = "uring",
    .create = uring_create,
    .free = uring_free,
    .submit = uring_submit,
    .reap = uring_reap,
    .in_flight = uring_in_flight,
};

/* The reader that callers see: opens the files for direct reads, finds out what works,
 * picks a backend, and checks every request before a backend gets it. Faults on purpose
 * are made here, so that they look the same from every backend. */
#include "sys/read.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/size.h"
#include "sys/internal.h"
#include "sys/read_sim.h"

#define DEPTH_MAX         4096
#define ALIGNMENT_MIN     512
#define ALIGNMENT_MAX     65536
#define ALIGNMENT_DEFAULT 4096

struct Reader {
    const ReadBackendTable *table;
    void *state; // the backend's
    const File *files;
    uint32_t n_files;
    int *fds; // [n_files]; our own where is_direct, else those of `files`
    uint32_t n_opened;
    bool is_direct;
    uint32_t alignment;
    uint32_t depth;
    uint64_t *failed; // [depth] tags of requests that fail on purpose
    uint32_t n_failed;
};

/* What STATX_DIOALIGN says of a file. */
typedef enum DirectSupport { DIRECT_UNKNOWN, DIRECT_REFUSED, DIRECT_KNOWN } DirectSupport;

static DirectSupport direct_support(const File *file, uint32_t *alignment)
{
    struct statx st;

    memset(&st, 0, sizeof(st)); // MSan and TSan do not know what statx writes
    if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) != 0) return DIRECT_UNKNOWN;
    if (!(st.stx_mask & STATX_DIOALIGN)) return DIRECT_UNKNOWN;

    uint32_t wanted = st.stx_dio_mem_align > st.stx_dio_offset_align ? st.stx_dio_mem_align
                                                                     : st.stx_dio_offset_align;
    if (st.stx_dio_offset_align == 0 || wanted > ALIGNMENT_MAX) return DIRECT_REFUSED;
    if ((wanted & (wanted - 1)) != 0) return DIRECT_REFUSED;
    *alignment = wanted > ALIGNMENT_MIN ? wanted : ALIGNMENT_MIN;
    return DIRECT_KNOWN;
}

/* Direct reads need every file to allow them. False: one refuses. */
static bool probe_files(const File *files, uint32_t n_files, uint32_t *alignment)
{
    uint32_t largest = ALIGNMENT_MIN;

    for (uint32_t i = 0; i < n_files; i++) {
        uint32_t wanted = ALIGNMENT_DEFAULT;
        if (direct_support(&files[i], &wanted) == DIRECT_REFUSED) return false;
        if (wanted > largest) largest = wanted;
    }
    *alignment = largest;
    return true;
}

uint32_t reader_probe_alignment(const File *files, uint32_t n_files, DirectMode direct)
{
    uint32_t alignment = ALIGNMENT_DEFAULT;

    if (direct == DIRECT_OFF) return alignment;
    (void)probe_files(files, n_files, &alignment); // refused: the reads will be buffered
    return alignment;
}

static void close_files(Reader *reader)
{
    if (reader->is_direct)
        for (uint32_t i = 0; i < reader->n_opened; i++) close(reader->fds[i]);
    reader->n_opened = 0;
}

/* Opens a file and reads its first bytes as every later read will. *refusal: errno of a
 * file system that can't; 0 where the failure is final. */
static bool open_and_try(
    const File *file, uint32_t alignment, const Pages *probe, int *fd, int *refusal, Error *err)
{
    File opened = *file; // for file_check_unchanged, with another descriptor

    *refusal = 0;
    opened.fd = file_open_direct(file);
    if (opened.fd < 0) {
        *refusal = errno == EINVAL || errno == EOPNOTSUPP ? errno : 0;
        return error_set(err, file_open_error(errno), "%s: cannot open for direct reads: %s",
            file->path, strerror(errno));
    }
    if (!file_check_unchanged(&opened, err)) goto fail;
    if (pread(opened.fd, probe->data, alignment, 0) < 0) {
        *refusal = errno == EINVAL || errno == EOPNOTSUPP ? errno : 0;
        error_set(err, ERROR_READ, "%s: cannot read at byte 0: %s", file->path, strerror(errno));
        goto fail;
    }
    *fd = opened.fd;
    return true;

fail:
    close(opened.fd);
    return false;
}

static void open_buffered(Reader *reader)
{
    close_files(reader);
    reader->is_direct = false;
    for (uint32_t i = 0; i < reader->n_files; i++) reader->fds[i] = reader->files[i].fd;
}

static bool open_files(Reader *reader, const Pages *probe, Error *err)
{
    int refusal = 0;

    reader->is_direct = true;
    for (uint32_t i = 0; i < reader->n_files; i++) {
        const File *file = &reader->files[i];
        if (!open_and_try(file, reader->alignment, probe, &reader->fds[i], &refusal, err)) {
            if (refusal == 0) return false;
            log_warn("%s: no direct reads here (%s); reading through the page cache", file->path,
                strerror(refusal));
            open_buffered(reader);
            return true;
        }
        reader->n_opened++;
    }
    return true;
}

/* Decides between direct and buffered, and the alignment of both. */
static bool prepare_files(
    Reader *reader, const ReaderOptions *options, const Pages *probe, Error *err)
{
    uint32_t alignment = ALIGNMENT_DEFAULT;
    bool direct = options->direct != DIRECT_OFF && options->backend != READ_SIM;

    for (uint32_t i = 0; i < options->n_files; i++)
        if (!file_check_unchanged(&options->files[i], err)) return false;
    reader->alignment = reader_probe_alignment(options->files, options->n_files, options->direct);
    if (options->backend == READ_SIM && options->sim->alignment > 0)
        reader->alignment = options->sim->alignment;
    if (reader->alignment < options->alignment_min) reader->alignment = options->alignment_min;
    if (direct && !probe_files(options->files, options->n_files, &alignment)) {
        log_warn("%s: the file system has no direct reads; reading through the page cache",
            options->files[0].path);
        direct = false;
    }
    if (direct) return open_files(reader, probe, err);
    open_buffered(reader);
    return true;
}

static bool start(
    Reader *reader, const ReadBackendTable *table, const ReadPlan *plan, int *refusal, Error *err)
{
    reader->state = table->create(plan, refusal, err);
    if (reader->state) reader->table = table;
    return reader->state;
}

/* The backend that was asked for, or threads where the kernel refuses rings. */
static bool start_backend(Reader *reader, const ReadPlan *plan, Error *err)
{
    Error reason = {0};
    int refusal = 0;

    switch (plan->options->backend) {
    case READ_SIM: return start(reader, &read_sim, plan, &refusal, err);
    case READ_THREADS: return start(reader, &read_threads, plan, &refusal, err);
    case READ_AUTO:
        if (!HYPURA_WITH_URING) return start(reader, &read_threads, plan, &refusal, err);
        break;
    case READ_URING: break;
    }
    if (start(reader, &read_uring, plan, &refusal, &reason)) return true;
    if (refusal == 0) return error_set(err, reason.id, "%s", reason.message);
    log_warn("%s; reading with threads", reason.message);
    return start(reader, &read_threads, plan, &refusal, err);
}

Reader *reader_create(const ReaderOptions *options, Error *err)
{
    Pages probe = {0};

    assert(options->depth >= 1);
    assert(options->depth <= DEPTH_MAX);
    assert(options->n_files >= 1);
    Reader *reader = mem_alloc(MEM_OTHER, sizeof(*reader), err);
    if (!reader) return NULL;
    reader->files = options->files;
    reader->n_files = options->n_files;
    reader->depth = options->depth;
    reader->fds = mem_alloc_array(MEM_OTHER, options->n_files, sizeof(int), err);
    if (!reader->fds) goto fail;
    reader->failed = mem_alloc_array(MEM_OTHER, options->depth, sizeof(uint64_t), err);
    if (!reader->failed) goto fail;
    if (!pages_map(&probe, MEM_OTHER, ALIGNMENT_MAX, PAGES_ON_DEMAND, err)) goto fail;
    if (!prepare_files(reader, options, &probe, err)) goto fail;

    ReadPlan plan = {.options = options,
        .fds = reader->fds,
        .is_direct = reader->is_direct,
        .alignment = reader->alignment,
        .probe = &probe};
    if (!start_backend(reader, &plan, err)) goto fail;
    pages_unmap(&probe, MEM_OTHER);
    return reader;

fail:
    pages_unmap(&probe, MEM_OTHER);
    reader_free(reader);
    return NULL;
}

void reader_free(Reader *reader)
{
    if (!reader) return;
    if (reader->state) reader->table->free(reader->state);
    close_files(reader);
    mem_free(MEM_OTHER, reader->failed);
    mem_free(MEM_OTHER, reader->fds);
    mem_free(MEM_OTHER, reader);
}

const char *reader_backend_name(const Reader *reader)
{
    return reader->table->name;
}

bool reader_is_direct(const Reader *reader)
{
    return reader->is_direct;
}

uint32_t reader_alignment(const Reader *reader)
{
    return reader->alignment;
}

uint32_t reader_free_depth(const Reader *reader)
{
    return reader->depth - reader->n_failed - reader->table->in_flight(reader->state);
}

uint64_t reader_now_ns(const Reader *reader)
{
    return reader->table->now_ns ? reader->table->now_ns(reader->state) : clock_now_ns();
}

/* A request that fails these is our own bug: it would read past the end or be refused. */
static void assert_valid(const Reader *reader, const ReadRequest *request)
{
    uint32_t mask = reader->alignment - 1;

    assert(request->file < reader->n_files);
    assert(request->n_bytes > 0);
    assert((request->n_bytes & mask) == 0);
    assert((request->offset_bytes & mask) == 0);
    assert(((uintptr_t)request->data & mask) == 0);
    uint64_t file_bytes = size_align_up(reader->files[request->file].n_bytes, reader->alignment);
    assert(request->n_bytes <= file_bytes);
    assert(request->offset_bytes <= file_bytes - request->n_bytes);
}

bool reader_submit(Reader *reader, const ReadRequest *requests, uint32_t n, Error *err)
{
    uint32_t begin = 0; // of the run not yet submitted

    assert(n <= reader_free_depth(reader));
    for (uint32_t i = 0; i < n; i++) {
        assert_valid(reader, &requests[i]);
        if (!fault_hits(FAULT_READ)) continue;
        if (i > begin && !reader->table->submit(reader->state, requests + begin, i - begin, err))
            return false;
        reader->failed[reader->n_failed++] = requests[i].tag;
        begin = i + 1;
    }
    return n == begin || reader->table->submit(reader->state, requests + begin, n - begin, err);
}

bool reader_reap(
    Reader *reader, ReadWait wait, ReadCompletion *out, uint32_t n_max, uint32_t *n, Error *err)
{
    uint32_t n_taken = 0, n_more = 0;

    assert(n_max >= 1);
    while (n_taken < n_max && reader->n_failed > 0)
        out[n_taken++] =
            (ReadCompletion){.tag = reader->failed[--reader->n_failed], .result = -EIO};
    *n = n_taken;
    if (n_taken == n_max) return true;
    if (n_taken > 0) wait = READ_POLL;
    if (!reader->table->reap(reader->state, wait, out + n_taken, n_max - n_taken, &n_more, err))
        return false;
    *n = n_taken + n_more;
    return true;
}

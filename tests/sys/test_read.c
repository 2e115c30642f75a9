/* tests/sys/test_read.c - asynchronous reads (sys/read.h): every backend gives the bytes
 * that pread gives, keeps its word about memory, and fails by name */
#include "sys/read.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/ledger.h"
#include "base/log.h"
#include "base/rng.h"
#include "sys/child.h"
#include "sys/read_sim.h"

#define KIB          1024u
#define N_BYTES      (3u * 1024 * KIB + 1234) // the last block of the file is not whole
#define DEPTH        8u
#define SLOT_BYTES   (256u * KIB)
#define DIRECT_BYTES 4096u // what any drive reads directly

static uint8_t content[N_BYTES];

static void make_file_in(const char *folder, const char *name, File *file)
{
    static bool is_filled;
    char path[256];
    Error err = {0};

    if (!is_filled) {
        Rng rng = rng_seeded(harness_seed());
        rng_fill(&rng, content, sizeof(content));
        is_filled = true;
    }
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, content, sizeof(content)) == (ssize_t)sizeof(content));
    CHECK(fsync(fd) == 0);
    CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
    close(fd);
    CHECK(file_open(file, path, &err));
}

static void make_file(const char *name, File *file)
{
    make_file_in(harness_temporary_folder(), name, file);
}

static bool is_same(const uint8_t *a, const uint8_t *b, size_t n_bytes)
{
    return memcmp(a, b, n_bytes) == 0;
}

/* A random range as the mover makes them: aligned, not past the last block. */
static ReadRequest random_range(Rng *rng, uint32_t alignment, uint32_t slot, const Pages *pages)
{
    uint32_t n_blocks = (N_BYTES + alignment - 1) / alignment;
    uint32_t n_wanted = 1 + (uint32_t)rng_below(rng, SLOT_BYTES / alignment);
    uint32_t first = (uint32_t)rng_below(rng, n_blocks);

    if (rng_below(rng, 4) == 0) first = n_blocks - 1; // the end is where mistakes are
    if (n_wanted > n_blocks - first) n_wanted = n_blocks - first;
    return (ReadRequest){.tag = slot,
        .offset_bytes = (uint64_t)first * alignment,
        .data = pages->data + (size_t)slot * SLOT_BYTES,
        .n_bytes = n_wanted * alignment};
}

static void check_result(const ReadRequest *request, int64_t result)
{
    uint64_t there = N_BYTES - request->offset_bytes;
    uint64_t wanted = there < request->n_bytes ? there : request->n_bytes;

    CHECK(result == (int64_t)wanted);
    CHECK(is_same(content + request->offset_bytes, request->data, wanted));
}

static void read_many(Reader *reader, const Pages *pages, uint32_t n_total)
{
    Rng rng = rng_seeded(harness_seed() + n_total);
    ReadRequest requests[DEPTH];
    uint32_t alignment = reader_alignment(reader), n_started = 0, n_done = 0, n = 0;
    Error err = {0};

    for (; n_started < DEPTH; n_started++)
        requests[n_started] = random_range(&rng, alignment, n_started, pages);
    CHECK(reader_free_depth(reader) == DEPTH);
    CHECK(reader_submit(reader, requests, DEPTH, &err));
    CHECK(reader_free_depth(reader) == 0);
    while (n_done < n_started) {
        ReadCompletion completions[3];
        if (!CHECK(reader_reap(reader, READ_WAIT, completions, COUNT(completions), &n, &err)))
            return;
        if (!CHECK(n >= 1 && n <= COUNT(completions))) return;
        for (uint32_t i = 0; i < n; i++, n_done++) {
            uint32_t slot = (uint32_t)completions[i].tag;
            if (!CHECK(slot < DEPTH)) return;
            check_result(&requests[slot], completions[i].result);
            if (n_started >= n_total) continue;
            requests[slot] = random_range(&rng, alignment, slot, pages);
            CHECK(reader_submit(reader, &requests[slot], 1, &err));
            n_started++;
        }
    }
    CHECK(reader_free_depth(reader) == DEPTH);
    CHECK(reader_reap(reader, READ_WAIT, &(ReadCompletion){0}, 1, &n, &err) && n == 0);
    CHECK(reader_reap(reader, READ_POLL, &(ReadCompletion){0}, 1, &n, &err) && n == 0);
}

static void read_with(const File *file, ReadBackend backend, DirectMode direct, bool registered)
{
    Pages pages = {0};
    ReadSim sim = {.seed = 1};
    Error err = {0};
    uint64_t held = ledger_total();

    CHECK(pages_map(&pages, MEM_RING, DEPTH * SLOT_BYTES, PAGES_NOW, &err));
    ReaderOptions options = {.backend = backend,
        .direct = direct,
        .depth = DEPTH,
        .files = file,
        .n_files = 1,
        .buffers = registered ? &pages : NULL,
        .n_buffers = registered ? 1 : 0,
        .sim = &sim};
    Reader *reader = reader_create(&options, &err);
    if (CHECK(reader != NULL)) {
        CHECK(reader_alignment(reader) == reader_probe_alignment(file, 1, direct));
        CHECK(reader_is_direct(reader) == (direct != DIRECT_OFF && backend != READ_SIM));
        read_many(reader, &pages, 60);
    } else {
        printf("  %s\n", err.message);
    }
    reader_free(reader);
    pages_unmap(&pages, MEM_RING);
    CHECK(ledger_total() == held);
}

/* Whether this folder takes O_DIRECT, as the kernel answers and not as our code thinks. */
static bool reads_directly(const File *file)
{
    char path[32];
    void *data = NULL;
    struct statx st = {0};

    // An emulator may claim to answer and leave zeros, which mean: never directly.
    if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0
        && (st.stx_mask & STATX_DIOALIGN) && st.stx_dio_offset_align == 0)
        return false;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
    int fd = open(path, O_RDONLY | O_DIRECT);
    if (fd < 0) return false;
    CHECK(posix_memalign(&data, DIRECT_BYTES, DIRECT_BYTES) == 0);
    bool ok = pread(fd, data, DIRECT_BYTES, 0) == DIRECT_BYTES;
    free(data);
    close(fd);
    return ok;
}

TEST(read_gives_the_bytes_of_the_file_with_every_backend)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS, READ_SIM, READ_AUTO};
    File file = {0};

    make_file("many", &file);
    for (size_t i = 0; i < COUNT(backends); i++) {
        read_with(&file, backends[i], DIRECT_OFF, false);
        read_with(&file, backends[i], DIRECT_OFF, true);
        if (!reads_directly(&file)) continue;
        read_with(&file, backends[i], DIRECT_ON, false);
        read_with(&file, backends[i], DIRECT_ON, true);
        read_with(&file, backends[i], DIRECT_AUTO, true);
    }
    bool direct = reads_directly(&file);
    file_close(&file);
    if (!direct) TEST_SKIP("the temporary folder has no direct reads; only buffered ones ran");
}

TEST(read_works_on_tmpfs)
{
    char folder[] = "/dev/shm/hypura-test-XXXXXX", path[300];
    File file = {0};

    if (!mkdtemp(folder)) TEST_SKIP("there is no /dev/shm");
    make_file_in(folder, "tmpfs", &file);
    DirectMode direct = reads_directly(&file) ? DIRECT_ON : DIRECT_OFF;
    read_with(&file, READ_URING, direct, true);
    read_with(&file, READ_THREADS, direct, true);
    file_close(&file);
    snprintf(path, sizeof(path), "%s/tmpfs", folder);
    CHECK(unlink(path) == 0);
    CHECK(rmdir(folder) == 0);
}

TEST(read_takes_each_request_from_its_own_file)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS, READ_SIM};
    static uint8_t texts[3][8192];
    File files[3] = {0};
    Pages pages = {0};
    Error err = {0};

    for (uint32_t f = 0; f < 3; f++) {
        memset(texts[f], (int)('a' + f), sizeof(texts[f]));
        CHECK(read_sim_file(&files[f], texts[f], sizeof(texts[f]), &err));
    }
    CHECK(pages_map(&pages, MEM_RING, 3 * 8192, PAGES_NOW, &err));
    for (size_t i = 0; i < COUNT(backends); i++) {
        ReadSim sim = {0};
        ReadRequest requests[3];
        ReaderOptions options = {.backend = backends[i],
            .direct = DIRECT_OFF,
            .depth = 3,
            .files = files,
            .n_files = 3,
            .sim = &sim};
        Reader *reader = reader_create(&options, &err);
        if (!CHECK(reader != NULL)) continue;
        for (uint32_t f = 0; f < 3; f++)
            requests[f] =
                (ReadRequest){.tag = f, .data = pages.data + f * 8192, .n_bytes = 8192, .file = f};
        memset(pages.data, 0, 3 * 8192);
        CHECK(reader_submit(reader, requests, 3, &err));
        for (uint32_t n_done = 0, n = 0; n_done < 3; n_done += n) {
            ReadCompletion completions[3];
            if (!CHECK(reader_reap(reader, READ_WAIT, completions, 3, &n, &err) && n > 0)) break;
            for (uint32_t k = 0; k < n; k++) CHECK(completions[k].result == 8192);
        }
        for (uint32_t f = 0; f < 3; f++) CHECK_BITS(texts[f], pages.data + f * 8192, 8192);
        reader_free(reader);
    }
    pages_unmap(&pages, MEM_RING);
    for (uint32_t f = 0; f < 3; f++) file_close(&files[f]);
}

static Reader *create_for(const File *file, ReadBackend backend, const Pages *pages)
{
    Error err = {0};
    ReaderOptions options = {.backend = backend,
        .direct = DIRECT_AUTO,
        .depth = DEPTH,
        .files = file,
        .n_files = 1,
        .buffers = pages,
        .n_buffers = 1};
    Reader *reader = reader_create(&options, &err);

    CHECK(reader != NULL);
    return reader;
}

/* Starts a full queue of reads. */
static bool start_all(Reader *reader, const Pages *pages)
{
    ReadRequest requests[DEPTH];

    for (uint32_t i = 0; i < DEPTH; i++)
        requests[i] = (ReadRequest){.tag = i,
            .offset_bytes = (uint64_t)i * SLOT_BYTES,
            .data = pages->data + (size_t)i * SLOT_BYTES,
            .n_bytes = SLOT_BYTES};
    return reader_submit(reader, requests, DEPTH, NULL);
}

TEST(reader_free_waits_for_all_that_is_in_flight)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS};
    File file = {0};
    Pages pages = {0};
    Error err = {0};

    make_file("leave", &file);
    CHECK(pages_map(&pages, MEM_RING, DEPTH * SLOT_BYTES, PAGES_NOW, &err));
    for (size_t i = 0; i < COUNT(backends); i++) {
        memset(pages.data, 0, (size_t)pages.n_bytes);
        Reader *reader = create_for(&file, backends[i], &pages);
        if (reader) CHECK(start_all(reader, &pages));
        reader_free(reader);
        CHECK_BITS(content, pages.data, DEPTH * SLOT_BYTES); // nothing is still to come
    }
    pages_unmap(&pages, MEM_RING);
    file_close(&file);
}

typedef struct Start {
    Reader *reader;
    const Pages *pages;
    bool ok;
} Start;

static void *start_in_thread(void *argument)
{
    Start *start = argument;

    start->ok = start_all(start->reader, start->pages);
    return NULL;
}

TEST(read_completes_for_another_thread_than_the_one_that_asked)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS};
    File file = {0};
    Pages pages = {0};
    Error err = {0};

    make_file("moved", &file);
    CHECK(pages_map(&pages, MEM_RING, DEPTH * SLOT_BYTES, PAGES_NOW, &err));
    for (size_t i = 0; i < COUNT(backends); i++) {
        Start start = {.reader = create_for(&file, backends[i], &pages), .pages = &pages};
        pthread_t thread;
        uint32_t n_done = 0;
        if (!start.reader) continue;
        memset(pages.data, 0, (size_t)pages.n_bytes);
        CHECK(pthread_create(&thread, NULL, start_in_thread, &start) == 0);
        CHECK(pthread_join(thread, NULL) == 0); // it is gone, its reads may be not
        CHECK(start.ok);
        while (n_done < DEPTH) {
            ReadCompletion completion = {0};
            uint32_t n = 0;
            if (!CHECK(reader_reap(start.reader, READ_WAIT, &completion, 1, &n, &err) && n == 1))
                break;
            CHECK(completion.result == SLOT_BYTES);
            n_done++;
        }
        CHECK_BITS(content, pages.data, DEPTH * SLOT_BYTES);
        reader_free(start.reader);
    }
    pages_unmap(&pages, MEM_RING);
    file_close(&file);
}

TEST(read_buffered_leaves_nothing_in_the_page_cache)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS};
    static unsigned char resident[N_BYTES / 4096 + 1];
    File file = {0};

    make_file("cache", &file);
    for (size_t i = 0; i < COUNT(backends); i++) {
        CHECK(posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
        read_with(&file, backends[i], DIRECT_OFF, true);
        void *map = mmap(NULL, N_BYTES, PROT_READ, MAP_SHARED, file.fd, 0);
        CHECK(map != MAP_FAILED);
        CHECK(mincore(map, N_BYTES, resident) == 0);
        size_t n_resident = 0;
        for (size_t p = 0; p < sizeof(resident); p++) n_resident += resident[p] & 1u;
        CHECK(n_resident == 0);
        munmap(map, N_BYTES);
    }
    file_close(&file);
}

TEST(read_fails_on_purpose_at_the_nth_request)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS, READ_SIM};
    File file = {0};
    Pages pages = {0};
    Error err = {0};

    make_file("fault", &file);
    CHECK(pages_map(&pages, MEM_RING, DEPTH * 4096, PAGES_NOW, &err));
    for (size_t i = 0; i < COUNT(backends); i++) {
        for (uint64_t nth = 1; nth <= DEPTH; nth++) {
            ReadSim sim = {0};
            ReadRequest requests[DEPTH];
            ReadCompletion completions[DEPTH];
            uint32_t n_done = 0, n = 0;
            ReaderOptions options = {
                .backend = backends[i], .depth = DEPTH, .files = &file, .n_files = 1, .sim = &sim};
            Reader *reader = reader_create(&options, &err);
            if (!CHECK(reader != NULL)) break;
            for (uint32_t k = 0; k < DEPTH; k++)
                requests[k] = (ReadRequest){.tag = k + 1,
                    .offset_bytes = (uint64_t)k * 4096,
                    .data = pages.data + (size_t)k * 4096,
                    .n_bytes = 4096};
            fault_arm(FAULT_READ, nth, false);
            CHECK(reader_submit(reader, requests, DEPTH, &err));
            CHECK(fault_count(FAULT_READ) == DEPTH);
            fault_arm(FAULT_READ, 0, false);
            CHECK(reader_free_depth(reader) == 0);
            for (; n_done < DEPTH; n_done += n) {
                if (!CHECK(reader_reap(
                        reader, READ_WAIT, completions + n_done, DEPTH - n_done, &n, &err)))
                    break;
                if (!CHECK(n > 0)) break;
            }
            for (uint32_t k = 0; k < n_done; k++)
                CHECK(completions[k].result == (completions[k].tag == nth ? -EIO : 4096));
            CHECK(reader_free_depth(reader) == DEPTH);
            reader_free(reader);
        }
    }
    pages_unmap(&pages, MEM_RING);
    file_close(&file);
}

TEST(read_gives_a_request_that_failed_without_waiting_for_others)
{
    ReadSim sim = {.late_ticks = 1000};
    File file = {0};
    Pages pages = {0};
    Error err = {0};
    ReadCompletion completions[2];
    uint32_t n = 0;

    make_file("first", &file);
    CHECK(pages_map(&pages, MEM_RING, 8192, PAGES_NOW, &err));
    ReaderOptions options = {
        .backend = READ_SIM, .depth = 2, .files = &file, .n_files = 1, .sim = &sim};
    Reader *reader = reader_create(&options, &err);
    if (!CHECK(reader != NULL)) return;
    ReadRequest requests[2] = {{.tag = 1, .data = pages.data, .n_bytes = 4096},
        {.tag = 2, .data = pages.data + 4096, .n_bytes = 4096}};
    sim.per_mille[SIM_LATE] = 1000;
    fault_arm(FAULT_READ, 2, false);
    CHECK(reader_submit(reader, requests, 2, &err));
    fault_arm(FAULT_READ, 0, false);
    CHECK(reader_reap(reader, READ_WAIT, completions, 2, &n, &err));
    CHECK(n == 1);
    CHECK(completions[0].tag == 2);
    reader_free(reader);
    pages_unmap(&pages, MEM_RING);
    file_close(&file);
}

TEST(reader_create_survives_each_failed_allocation)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS, READ_SIM};
    File file = {0};
    Pages pages = {0};
    Error err = {0};

    make_file("alloc", &file);
    CHECK(pages_map(&pages, MEM_RING, 4096, PAGES_NOW, &err));
    for (size_t i = 0; i < COUNT(backends); i++) {
        uint64_t held = ledger_total(), n_failures = 0, n_calls = 0;
        for (uint64_t nth = 1; nth == 1 || n_calls >= nth - 1; nth++) {
            ReadSim sim = {0};
            ReaderOptions options = {.backend = backends[i],
                .depth = DEPTH,
                .files = &file,
                .n_files = 1,
                .buffers = &pages,
                .n_buffers = 1,
                .sim = &sim};
            err = (Error){0};
            fault_arm(FAULT_ALLOC, nth, false);
            Reader *reader = reader_create(&options, &err);
            n_calls = fault_count(FAULT_ALLOC);
            fault_arm(FAULT_ALLOC, 0, false);
            if (!reader) {
                n_failures++;
                CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
            }
            reader_free(reader);
            CHECK(ledger_total() == held);
        }
        CHECK(n_failures >= 5);
    }
    pages_unmap(&pages, MEM_RING);
    file_close(&file);
}

/* A file that another took the name of is still the file that was opened; one that was written
 * to is not. */
TEST(reader_create_refuses_a_file_that_was_changed)
{
    static const DirectMode modes[] = {DIRECT_AUTO, DIRECT_OFF};
    char path[256], other[256];

    for (size_t i = 0; i < COUNT(modes); i++) {
        File file = {0}, unused = {0};
        Error err = {0};
        ReaderOptions options = {.direct = modes[i], .depth = 1, .files = &file, .n_files = 1};
        make_file("first", &file);
        make_file("second", &unused);
        snprintf(path, sizeof(path), "%s/first", harness_temporary_folder());
        snprintf(other, sizeof(other), "%s/second", harness_temporary_folder());
        CHECK(rename(other, path) == 0);
        Reader *reader = reader_create(&options, &err);
        CHECK(reader != NULL);
        reader_free(reader);
        file_close(&file);
        file_close(&unused);

        make_file("first", &file);
        CHECK(truncate(path, 4096) == 0);
        CHECK(reader_create(&options, &err) == NULL);
        CHECK_ERROR(err, ERROR_FILE_CHANGED);
        CHECK(strstr(err.message, "first") != NULL);
        file_close(&file);
    }
}

TEST(read_of_a_file_that_was_cut_meanwhile_is_short)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS};
    char path[256];

    for (size_t i = 0; i < COUNT(backends); i++) {
        File file = {0};
        Pages pages = {0};
        ReadCompletion completion = {0};
        Error err = {0};
        uint32_t n = 0;
        make_file("cut", &file);
        snprintf(path, sizeof(path), "%s/cut", harness_temporary_folder());
        CHECK(pages_map(&pages, MEM_RING, 8192, PAGES_NOW, &err));
        ReaderOptions options = {.backend = backends[i], .depth = 1, .files = &file, .n_files = 1};
        Reader *reader = reader_create(&options, &err);
        CHECK(truncate(path, 4096) == 0);
        ReadRequest request = {.data = pages.data, .n_bytes = 8192};
        CHECK(reader_submit(reader, &request, 1, &err));
        CHECK(reader_reap(reader, READ_WAIT, &completion, 1, &n, &err) && n == 1);
        CHECK(completion.result == 4096);
        request.offset_bytes = 8192;
        CHECK(reader_submit(reader, &request, 1, &err));
        CHECK(reader_reap(reader, READ_WAIT, &completion, 1, &n, &err) && n == 1);
        CHECK(completion.result == 0);
        reader_free(reader);
        pages_unmap(&pages, MEM_RING);
        file_close(&file);
    }
}

/* Requests that a correct caller never makes. */
static void submit_unaligned(const void *argument)
{
    File file = {0};
    Pages pages = {0};
    Error err = {0};
    ReadRequest request = *(const ReadRequest *)argument;
    ReaderOptions options = {.depth = 1, .direct = DIRECT_OFF, .files = &file, .n_files = 1};

    make_file("assert", &file);
    CHECK(pages_map(&pages, MEM_RING, 8192, PAGES_NOW, &err));
    Reader *reader = reader_create(&options, &err);
    request.data = pages.data + (uintptr_t)request.data; // an offset until here
    int quiet = open("/dev/null", O_WRONLY);
    dup2(quiet, STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);
    (void)!reader_submit(reader, &request, 1, &err);
}

TEST(reader_submit_asserts_what_it_was_promised)
{
    static const struct {
        const char *label;
        ReadRequest request;
        bool valid;
    } cases[] = {
        {"fine", {.n_bytes = 4096}, true},
        {"the last block", {.n_bytes = 4096, .offset_bytes = N_BYTES / 4096 * 4096}, true},
        {"no bytes", {.n_bytes = 0}, false},
        {"length", {.n_bytes = 100}, false},
        {"offset", {.n_bytes = 4096, .offset_bytes = 64}, false},
        {"memory", {.n_bytes = 4096, .data = (uint8_t *)64}, false},
        {"file", {.n_bytes = 4096, .file = 1}, false},
        {"past the end", {.n_bytes = 8192, .offset_bytes = N_BYTES / 4096 * 4096}, false},
        {"far away", {.n_bytes = 4096, .offset_bytes = UINT64_MAX - 4095}, false},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        int status = child_status(submit_unaligned, &cases[i].request);
        CHECK_CASE(
            cases[i].label, cases[i].valid ? status == 0 : child_was_killed_by(status, SIGABRT));
    }
}

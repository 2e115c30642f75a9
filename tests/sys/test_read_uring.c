/* tests/sys/test_read_uring.c - rings, and what kernels and file systems refuse (sys/read.h):
 * the bytes still come, by another way, and one line on stderr says so */
#include <fcntl.h>
#include <sys/mount.h>

#include "base/ledger.h"
#include "sys/child.h"
#include "sys/read.h"

#define N_BYTES 65536u

static uint8_t content[N_BYTES];

static void make_file(File *file)
{
    char path[256];
    Error err = {0};

    for (size_t i = 0; i < sizeof(content); i++) content[i] = (uint8_t)(i * 31 + i / 251);
    snprintf(path, sizeof(path), "%s/model", harness_temporary_folder());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(write(fd, content, sizeof(content)) == (ssize_t)sizeof(content));
    CHECK(fsync(fd) == 0);
    close(fd);
    CHECK(file_open(file, path, &err));
}

/* What stderr got since it was redirected. */
static int stderr_begin(void)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/stderr", harness_temporary_folder());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    return fd;
}

static uint32_t count_lines(int fd, const char *must_contain)
{
    static char text[4096];
    uint32_t n_lines = 0;

    fflush(stderr);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    ssize_t n = read(fd, text, sizeof(text) - 1); // pread may be refused here
    text[n > 0 ? n : 0] = '\0';
    for (const char *at = text; (at = strchr(at, '\n')); at++) n_lines++;
    CHECK_CASE(text, strstr(text, must_contain) != NULL);
    return n_lines;
}

/* Reads the whole file into `pages`, which may be registered. */
static void check_bytes(Reader *reader, const Pages *pages)
{
    Error err = {0};
    ReadCompletion completion = {0};
    uint32_t n = 0;

    memset(pages->data, 0, N_BYTES);
    ReadRequest request = {.tag = 7, .data = pages->data, .n_bytes = N_BYTES};
    CHECK(reader_submit(reader, &request, 1, &err));
    CHECK(reader_reap(reader, READ_WAIT, &completion, 1, &n, &err) && n == 1);
    CHECK(completion.tag == 7);
    CHECK(completion.result == N_BYTES);
    CHECK_BITS(content, pages->data, N_BYTES);
}

/* A system call that a kernel or a container refuses, and what must be said and used then. */
typedef struct Refusal {
    const char *label;
    long call;
    uint32_t argument, bits;
    int error;
    ReadBackend backend;
    DirectMode direct;
    const char *want_backend;
    const char *want_text;
} Refusal;

static void read_in_spite_of(const void *argument)
{
    const Refusal *refusal = argument;
    File file = {0};
    Pages buffer = {0};
    Error err = {0};
    uint64_t held = ledger_total();

    make_file(&file);
    CHECK(pages_map(&buffer, MEM_RING, N_BYTES, PAGES_NOW, &err));
    ReaderOptions options = {.backend = refusal->backend,
        .direct = refusal->direct,
        .depth = 4,
        .files = &file,
        .n_files = 1,
        .buffers = &buffer,
        .n_buffers = 1};
    int log = stderr_begin();
    CHECK(refuse_call(refusal->call, refusal->argument, refusal->bits, refusal->error));
    Reader *reader = reader_create(&options, &err);
    if (CHECK(reader != NULL)) {
        CHECK(strcmp(reader_backend_name(reader), refusal->want_backend) == 0);
        CHECK(count_lines(log, refusal->want_text) == 1);
        check_bytes(reader, &buffer);
    }
    reader_free(reader);
    pages_unmap(&buffer, MEM_RING);
    file_close(&file);
    CHECK(ledger_total() == held);
}

TEST(read_goes_to_threads_where_rings_are_refused)
{
#if HYPURA_WITH_URING
    static const Refusal cases[] = {
        {"no such call", SYS_io_uring_setup, 0, 0, ENOSYS, READ_AUTO, DIRECT_AUTO, "threads",
            "Function not implemented"},
        {"forbidden", SYS_io_uring_setup, 0, 0, EPERM, READ_URING, DIRECT_AUTO, "threads",
            "Operation not permitted"},
        {"no memory", SYS_io_uring_setup, 0, 0, ENOMEM, READ_URING, DIRECT_AUTO, "threads",
            "Cannot allocate memory"},
        {"no flags at all", SYS_io_uring_setup, 0, 0, EINVAL, READ_URING, DIRECT_AUTO, "threads",
            "Invalid argument"},
        {"register forbidden", SYS_io_uring_register, 0, 0, EPERM, READ_AUTO, DIRECT_AUTO,
            "threads", "Operation not permitted"},
        {"register has no memory", SYS_io_uring_register, 0, 0, ENOMEM, READ_AUTO, DIRECT_AUTO,
            "threads", "Cannot allocate memory"},
        {"enter forbidden", SYS_io_uring_enter, 0, 0, EPERM, READ_AUTO, DIRECT_OFF, "threads",
            "Operation not permitted"},
        {"enter absent", SYS_io_uring_enter, 0, 0, ENOSYS, READ_URING, DIRECT_OFF, "threads",
            "Function not implemented"},
    };

    if (!can_refuse_calls()) TEST_SKIP("this machine has no system call filters");
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].label, child_status(read_in_spite_of, &cases[i]) == 0);
#else
    TEST_SKIP("this build has no liburing");
#endif
}

TEST(read_is_buffered_where_direct_reads_are_refused)
{
    static const Refusal cases[] = {
        {"open refuses", SYS_openat, 2, O_DIRECT, EINVAL, READ_THREADS, DIRECT_ON, "threads",
            "page cache"},
        {"open refuses, automatic", SYS_openat, 2, O_DIRECT, EINVAL, READ_THREADS, DIRECT_AUTO,
            "threads", "page cache"},
        {"the test read is refused", SYS_pread64, 2, 512 | 4096, EINVAL, READ_THREADS, DIRECT_ON,
            "threads", "page cache"},
    };

    if (!can_refuse_calls()) TEST_SKIP("this machine has no system call filters");
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].label, child_status(read_in_spite_of, &cases[i]) == 0);
}

/* Buffers of 8 MiB with a limit of 64 KiB: they stay unregistered, and the ring works. */
static void read_with_little_locked_memory(const void *argument)
{
    struct rlimit limit = {.rlim_cur = 65536, .rlim_max = 65536};
    File file = {0};
    Pages buffer = {0};
    Error err = {0};

    (void)argument;
    make_file(&file);
    CHECK(pages_map(&buffer, MEM_RING, (uint64_t)8 << 20, PAGES_NOW, &err));
    ReaderOptions options = {.backend = READ_AUTO,
        .depth = 4,
        .files = &file,
        .n_files = 1,
        .buffers = &buffer,
        .n_buffers = 1};
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    if (getuid() == 0) CHECK(setuid(65534) == 0);   // root may lock what it wants
    CHECK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0); // else /proc/self is root's
    Reader *reader = reader_create(&options, &err);
    if (CHECK(reader != NULL)) {
        CHECK(strcmp(reader_backend_name(reader), HYPURA_WITH_URING ? "uring" : "threads") == 0);
        check_bytes(reader, &buffer);
    } else {
        printf("  %s\n", err.message);
    }
    reader_free(reader);
    pages_unmap(&buffer, MEM_RING);
    file_close(&file);
}

TEST(read_goes_on_without_registered_buffers)
{
    CHECK(child_status(read_with_little_locked_memory, NULL) == 0);
}

static void create_without_threads(const void *argument)
{
    struct rlimit limit = {.rlim_cur = 1, .rlim_max = 1};
    File file = {0};
    Error err = {0};

    (void)argument;
    make_file(&file);
    uint64_t held = ledger_total();
    ReaderOptions options = {
        .backend = READ_THREADS, .depth = 4, .direct = DIRECT_OFF, .files = &file, .n_files = 1};
    if (getuid() == 0) CHECK(setuid(65534) == 0); // root has no such limit
    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    CHECK(reader_create(&options, &err) == NULL);
    CHECK_ERROR(err, ERROR_THREAD);
    CHECK(ledger_total() == held);
    file_close(&file);
}

TEST(reader_create_fails_cleanly_when_no_thread_can_start)
{
    CHECK(child_status(create_without_threads, NULL) == 0);
}

/* The registered operations of a restricted ring are forbidden too, which shows from outside. */
TEST(read_makes_a_ring_that_can_only_read)
{
#if HYPURA_WITH_URING
    File file = {0};
    Pages buffer = {0};
    Error err = {0};
    uint32_t n_rings = 0;

    make_file(&file);
    CHECK(pages_map(&buffer, MEM_RING, N_BYTES, PAGES_NOW, &err));
    ReaderOptions options = {.backend = READ_URING, .depth = 1, .files = &file, .n_files = 1};
    Reader *reader = reader_create(&options, &err);
    if (!CHECK(reader != NULL)) return;
    bool has_ring = strcmp(reader_backend_name(reader), "uring") == 0;
    for (int fd = 3; fd < 64; fd++) {
        char path[32], target[64] = {0};
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof(target) - 1) < 0) continue;
        if (!strstr(target, "io_uring")) continue;
        n_rings++;
        int events = 0;
        const unsigned register_eventfd = 4;
        CHECK(syscall(SYS_io_uring_register, fd, register_eventfd, &events, 1) == -1);
        CHECK(errno == EACCES);
    }
    check_bytes(reader, &buffer);
    reader_free(reader);
    pages_unmap(&buffer, MEM_RING);
    file_close(&file);
    if (!has_ring) TEST_SKIP("this kernel has no io_uring");
    CHECK(n_rings == 1);
#else
    TEST_SKIP("this build has no liburing");
#endif
}

TEST(read_crosses_from_one_registered_buffer_into_the_next)
{
    File file = {0};
    Pages whole = {0};
    Error err = {0};

    make_file(&file);
    CHECK(pages_map(&whole, MEM_RING, N_BYTES, PAGES_NOW, &err));
    Pages halves[2] = {{.data = whole.data, .n_bytes = N_BYTES / 2},
        {.data = whole.data + N_BYTES / 2, .n_bytes = N_BYTES / 2}};
    ReaderOptions options = {
        .depth = 1, .files = &file, .n_files = 1, .buffers = halves, .n_buffers = 2};
    Reader *reader = reader_create(&options, &err);
    if (CHECK(reader != NULL)) check_bytes(reader, &whole);
    reader_free(reader);
    pages_unmap(&whole, MEM_RING);
    file_close(&file);
}

#if HYPURA_WITH_URING
/* What the kernel says to every call that waits, or to every one that submits. */
typedef struct PutOff {
    const char *label;
    uint32_t argument; // of io_uring_enter: 1 submits that many, 2 waits for that many
    int error;
    bool is_overcome; // completions come also when nobody waits for them
} PutOff;

static void read_while_put_off(const void *argument)
{
    const PutOff *put_off = argument;
    File file = {0};
    Pages buffer = {0};
    Error err = {0};

    make_file(&file);
    CHECK(pages_map(&buffer, MEM_RING, N_BYTES, PAGES_NOW, &err));
    ReaderOptions options = {.backend = READ_URING, .depth = 1, .files = &file, .n_files = 1};
    Reader *reader = reader_create(&options, &err);
    if (!CHECK(reader != NULL)) return;
    if (strcmp(reader_backend_name(reader), "uring") != 0) _exit(77);
    CHECK(refuse_call(SYS_io_uring_enter, put_off->argument, UINT32_MAX, put_off->error));
    if (put_off->is_overcome) {
        check_bytes(reader, &buffer);
    } else {
        ReadRequest request = {.data = buffer.data, .n_bytes = N_BYTES};
        CHECK(!reader_submit(reader, &request, 1, &err));
        CHECK_ERROR(err, ERROR_RING);
    }
    reader_free(reader);
    pages_unmap(&buffer, MEM_RING);
    file_close(&file);
}
#endif

TEST(read_tries_again_what_the_kernel_puts_off_and_not_for_ever)
{
#if HYPURA_WITH_URING
    static const PutOff cases[] = {
        {"waiting: busy", 2, EBUSY, true},
        {"waiting: again", 2, EAGAIN, true},
        {"submitting: busy", 1, EBUSY, false},
    };

    if (!can_refuse_calls()) TEST_SKIP("this machine has no system call filters");
    for (size_t i = 0; i < COUNT(cases); i++) {
        int status = child_status(read_while_put_off, &cases[i]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            TEST_SKIP("this kernel has no io_uring");
        CHECK_CASE(cases[i].label, status == 0);
    }
#else
    TEST_SKIP("this build has no liburing");
#endif
}

/* Without /proc a file is opened again by its path, which may lead to another one by now. */
static void open_again_by_path(const void *argument)
{
    File file = {0}, other = {0};
    Pages buffer = {0};
    Error err = {0};
    char path[256];

    (void)argument;
    make_file(&other);
    snprintf(path, sizeof(path), "%s/moved", harness_temporary_folder());
    CHECK(rename(other.path, path) == 0);
    make_file(&file);
    CHECK(pages_map(&buffer, MEM_RING, N_BYTES, PAGES_NOW, &err));
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", "/proc", "tmpfs", 0, NULL) != 0)
        _exit(77);
    ReaderOptions options = {
        .backend = READ_THREADS, .depth = 1, .direct = DIRECT_ON, .files = &file, .n_files = 1};
    Reader *reader = reader_create(&options, &err);
    if (CHECK(reader != NULL)) check_bytes(reader, &buffer);
    if (reader && !reader_is_direct(reader)) _exit(77); // so nothing is opened again
    reader_free(reader);

    char *own_path = file.path;
    file.path = path;
    CHECK(reader_create(&options, &err) == NULL);
    CHECK_ERROR(err, ERROR_FILE_CHANGED);
    file.path = own_path;
}

TEST(read_opens_by_path_without_proc_and_sees_another_file)
{
    int status = child_status(open_again_by_path, NULL);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        TEST_SKIP("this user may not hide /proc, or there are no direct reads");
    CHECK(status == 0);
}

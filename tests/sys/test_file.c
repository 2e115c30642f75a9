/* tests/sys/test_file.c - opening and reading regular files (sys/file.h) */
#include "sys/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/ledger.h"
#include "base/rng.h"
#include "sys/child.h"
#include "sys/process.h"

#define N_BYTES 300001u

static char path[256];
static uint8_t content[N_BYTES];

static const char *make_file(const char *name)
{
    Rng rng = rng_seeded(harness_seed());

    rng_fill(&rng, content, sizeof(content));
    snprintf(path, sizeof(path), "%s/%s", harness_temporary_folder(), name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, content, sizeof(content)) == (ssize_t)sizeof(content));
    CHECK(fsync(fd) == 0); // dirty pages can't be dropped from the cache
    close(fd);
    return path;
}

TEST(file_reads_what_was_written)
{
    File file = {0};
    Error err = {0};
    uint8_t *got = malloc(N_BYTES);
    uint64_t held = ledger_total();

    CHECK(file_open(&file, make_file("plain"), &err));
    CHECK(file.n_bytes == N_BYTES);
    CHECK(strcmp(file.path, path) == 0);
    CHECK(file_read_at(&file, 0, got, N_BYTES, &err));
    CHECK_BITS(content, got, N_BYTES);
    CHECK(file_read_at(&file, N_BYTES - 1, got, 1, &err));
    CHECK_BITS(content + N_BYTES - 1, got, 1);
    CHECK(file_read_at(&file, N_BYTES, got, 0, &err));
    CHECK(file_check_unchanged(&file, &err));
    file_close(&file);
    CHECK(file.path == NULL);
    file_close(&file); // twice is harmless
    CHECK(ledger_total() == held);
    free(got);
}

TEST(file_leaves_the_access_time_alone)
{
    const struct timespec past[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    const char *name = make_file("old");
    File file = {0};
    Error err = {0};
    struct stat about;
    uint8_t got[100];

    CHECK(utimensat(AT_FDCWD, name, past, 0) == 0);
    CHECK(file_open(&file, name, &err) && file_read_at(&file, 5, got, sizeof(got), &err));
    CHECK(stat(name, &about) == 0 && about.st_atim.tv_sec == past[0].tv_sec);
    file_close(&file);
}

static size_t count_cached_pages(const File *file)
{
    unsigned char resident[(N_BYTES + 4095) / 4096];
    size_t n_cached = 0;

    void *map = mmap(NULL, N_BYTES, PROT_READ, MAP_SHARED, file->fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK(mincore(map, N_BYTES, resident) == 0);
    for (size_t i = 0; i < sizeof(resident); i++) n_cached += resident[i] & 1u;
    munmap(map, N_BYTES);
    return n_cached;
}

TEST(file_leaves_nothing_in_the_page_cache)
{
    File file = {0};
    Error err = {0};
    uint8_t got[10000];

    CHECK(file_open(&file, make_file("cache"), &err));
    CHECK(posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
    CHECK(file_read_at(&file, 5000, got, sizeof(got), &err));
    CHECK(count_cached_pages(&file) == 0);
    file_close(&file);
}

/* Bytes that the kernel counts for one direct read of a page; 0: there are none, or no count. */
static uint64_t count_one_direct_page(void)
{
    static _Alignas(4096) uint8_t page[4096];
    ProcessIo before = process_io();

    int fd = open(path, O_RDONLY | O_DIRECT);
    if (fd < 0) return 0;
    ssize_t n = pread(fd, page, sizeof(page), 0);
    close(fd);
    return n > 0 ? process_io().read_bytes - before.read_bytes : 0;
}

/* Others may have the file in the cache: it stays there, and is fetched all the same. */
TEST(file_goes_past_what_others_cached)
{
    File file = {0};
    Error err = {0};
    uint8_t *got = malloc(N_BYTES);

    CHECK(file_open(&file, make_file("shared"), &err));
    uint64_t counted = count_one_direct_page();
    int other = open(path, O_RDONLY);
    CHECK(pread(other, got, N_BYTES, 0) == N_BYTES);
    close(other);
    size_t n_cached = count_cached_pages(&file);
    ProcessIo before = process_io();
    CHECK(file_read_at(&file, 5000, got, 10000, &err));
    ProcessIo after = process_io();
    CHECK_BITS(content + 5000, got, 10000);
    CHECK(file_read_at(&file, 0, got, N_BYTES, &err));
    size_t n_left = count_cached_pages(&file);
    file_close(&file);
    free(got);
    if (counted != 4096) TEST_SKIP("there are no direct reads here that the kernel counts");
    CHECK(n_cached > 0 && n_left == n_cached);
    CHECK(after.read_bytes - before.read_bytes == 12288); // three pages
}

/* Pieces larger than one read, at every kind of edge. */
TEST(file_reads_pieces_of_any_size_at_any_offset)
{
    const uint32_t n_large = 3u << 20;
    uint8_t *large = malloc(n_large), *got = malloc(n_large);
    Rng rng = rng_seeded(harness_seed());
    File file = {0};
    Error err = {0};

    rng_fill(&rng, large, n_large);
    snprintf(path, sizeof(path), "%s/large", harness_temporary_folder());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(write(fd, large, n_large - 7) == (ssize_t)(n_large - 7));
    close(fd);
    CHECK(file_open(&file, path, &err));
    for (uint32_t i = 0; i < 60; i++) {
        uint64_t offset = rng_below(&rng, n_large - 7);
        uint64_t n_bytes = 1 + rng_below(&rng, n_large - 7 - offset);
        if (i % 3 == 0) n_bytes = n_large - 7 - offset; // to the end
        if (i % 4 == 0) offset = offset / 4096 * 4096;
        CHECK(file_read_at(&file, offset, got, n_bytes, &err));
        CHECK_BITS(large + offset, got, n_bytes);
    }
    file_close(&file);
    free(large);
    free(got);
}

static void read_where_direct_reads_are_refused(const void *argument)
{
    const long *call = argument;
    File file = {0};
    Error err = {0};
    uint8_t got[10000];

    CHECK(file_open(&file, path, &err));
    CHECK(refuse_call(*call, 2, *call == SYS_openat ? O_DIRECT : 4096, EINVAL));
    CHECK(file_read_at(&file, 5000, got, sizeof(got), &err));
    CHECK_BITS(content + 5000, got, sizeof(got));
    CHECK(count_cached_pages(&file) == 0);
    file_close(&file);
}

TEST(file_reads_through_the_cache_where_direct_reads_are_refused)
{
    static const long calls[] = {SYS_openat, SYS_pread64}; // of 12288 bytes, not of 10000

    if (!can_refuse_calls()) TEST_SKIP("this machine has no system call filters");
    for (size_t i = 0; i < COUNT(calls); i++) {
        make_file("refused");
        int fd = open(path, O_RDONLY);
        CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
        close(fd);
        CHECK(child_status(read_where_direct_reads_are_refused, &calls[i]) == 0);
    }
}

TEST(file_never_reads_past_the_end)
{
    static const struct {
        const char *label;
        uint64_t offset_bytes, n_bytes;
    } cases[] = {
        {"one too many", 0, N_BYTES + 1},
        {"behind the end", N_BYTES, 1},
        {"far behind", UINT64_MAX - 1, 1},
        {"wraps", UINT64_MAX, 2},
    };
    File file = {0};
    Error err = {0};
    uint8_t got = 7;

    CHECK(file_open(&file, make_file("end"), &err));
    for (size_t i = 0; i < COUNT(cases); i++) {
        err = (Error){0};
        CHECK_CASE(cases[i].label,
            !file_read_at(&file, cases[i].offset_bytes, &got, cases[i].n_bytes, &err));
        CHECK_ERROR(err, ERROR_FORMAT_TRUNCATED);
        CHECK_CASE(cases[i].label, got == 7);
    }
    file_close(&file);
}

TEST(file_open_refuses_what_is_not_a_regular_file)
{
    File file = {.n_bytes = 7};
    Error err = {0};
    char fifo[256];

    snprintf(fifo, sizeof(fifo), "%s/fifo", harness_temporary_folder());
    CHECK(mkfifo(fifo, 0600) == 0);
    CHECK(!file_open(&file, fifo, &err)); // and does not wait for a writer
    CHECK_ERROR(err, ERROR_FORMAT_NOT_A_FILE);
    CHECK(strstr(err.message, fifo) != NULL);
    CHECK(!file_open(&file, harness_temporary_folder(), &err));
    CHECK_ERROR(err, ERROR_FORMAT_NOT_A_FILE);
    CHECK(strstr(err.message, "folder") != NULL);
    CHECK(!file_open(&file, "/dev/null", &err));
    CHECK_ERROR(err, ERROR_FORMAT_NOT_A_FILE);
    CHECK(!file_open(&file, "/nonexistent/model.gguf", &err));
    CHECK_ERROR(err, ERROR_FILE_OPEN);
    CHECK(strstr(err.message, "/nonexistent/model.gguf") != NULL);
    CHECK(file.n_bytes == 7); // a failed open leaves the object as it was
}

TEST(file_sees_that_it_was_changed)
{
    File file = {0};
    Error err = {0};
    uint8_t got[2];
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    CHECK(file_open(&file, make_file("grown"), &err));
    CHECK(truncate(path, N_BYTES + 1) == 0);
    CHECK(!file_check_unchanged(&file, &err));
    CHECK_ERROR(err, ERROR_FILE_CHANGED);
    file_close(&file);

    CHECK(file_open(&file, make_file("touched"), &err));
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
    CHECK(!file_check_unchanged(&file, &err));
    CHECK_ERROR(err, ERROR_FILE_CHANGED);
    file_close(&file);

    CHECK(file_open(&file, make_file("named"), &err));
    char other[300];
    snprintf(other, sizeof(other), "%s-2", path);
    CHECK(rename(path, other) == 0);
    CHECK(file_check_unchanged(&file, &err));
    CHECK(unlink(other) == 0);
    CHECK(file_check_unchanged(&file, &err));
    file_close(&file);

    CHECK(file_open(&file, make_file("cut"), &err));
    CHECK(truncate(path, 1) == 0);
    CHECK(!file_read_at(&file, 0, got, 2, &err));
    CHECK_ERROR(err, ERROR_FILE_CHANGED);
    file_close(&file);
}

TEST(file_read_fails_on_purpose)
{
    File file = {0};
    Error err = {0};
    uint8_t got = 7;

    CHECK(file_open(&file, make_file("fault"), &err));
    fault_arm(FAULT_READ, 2, false);
    CHECK(file_read_at(&file, 0, &got, 1, &err));
    CHECK(!file_read_at(&file, 1, &got, 1, &err));
    CHECK_ERROR(err, ERROR_READ);
    CHECK(file_read_at(&file, 1, &got, 1, &err));
    CHECK(fault_count(FAULT_READ) == 3);
    fault_arm(FAULT_READ, 0, false);
    file_close(&file);
}

static void open_one_too_many(const void *argument)
{
    struct rlimit limit;
    File file = {0};
    Error err = {0};

    (void)argument;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(!file_open(&file, path, &err));
    CHECK_ERROR(err, ERROR_FILE_LIMIT);
}

TEST(file_open_tells_a_limit_from_a_file_that_is_not_there)
{
    make_file("limit");
    CHECK(child_status(open_one_too_many, NULL) == 0);
}

TEST(file_open_survives_a_failed_allocation)
{
    File file = {0};
    Error err = {0};
    uint64_t held = ledger_total();

    make_file("alloc");
    fault_arm(FAULT_ALLOC, 1, true);
    CHECK(!file_open(&file, path, &err));
    CHECK(fault_count(FAULT_ALLOC) > 0);
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(file.path == NULL);
    CHECK(ledger_total() == held);
}

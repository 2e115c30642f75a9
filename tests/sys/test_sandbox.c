/* tests/sys/test_sandbox.c - rights that are given up (sys/sandbox.h): what is needed works,
 * write paths stay, and what the kernel lacks is told. Everything happens in children. */
#include "sys/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "sys/cpu.h"
#include "sys/pool.h"
#include "sys/process.h"
#include "sys/read.h"
#include "sys/sandbox_files.h"

static char elsewhere[192];

static int make_file_beneath(const char *where)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/new", where);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) return -1;
    bool ok = write(fd, "x", 1) == 1;
    close(fd);
    return ok && unlink(path) == 0 ? 0 : -1;
}

static void write_until_the_end(const void *argument)
{
    const char *const paths[] = {folder};
    SandboxReport report = {0};
    Error err = {0};

    (void)argument;
    int open_before = open(existing, O_RDWR);
    CHECK(sandbox_enter(paths, 1, &report, &err));
    CHECK(make_file_beneath(folder) == 0);
    if (report.landlock_abi >= 3) {
        CHECK(make_file_beneath(elsewhere) == -1);
        CHECK(make_file_beneath("/tmp") == -1);
        CHECK(make_file_beneath("/dev/shm") == -1);
    }
    CHECK(sandbox_end_writing(&report, &err));
    if (!report.seccomp && report.landlock_abi < 3) return;
    errno = 0;
    CHECK(make_file_beneath(folder) == -1 && (errno == EPERM || errno == EACCES));
    CHECK(unlink(existing) == -1 && rename(existing, absent) == -1 && mkdir(absent, 0700) == -1);
    CHECK(open(existing, O_RDONLY) >= 0);
    CHECK(write(open_before, "y", 1) == 1 && ftruncate(open_before, 5) == 0); // stays open
    CHECK(sandbox_end_writing(&report, &err));                                // twice is harmless
}

static void *try_in_thread(void *argument)
{
    sem_t *const *steps = argument;
    static int result;

    sem_post(steps[0]);
    sem_wait(steps[1]);
    result = make_file_beneath(folder);
    return &result;
}

static void end_for_all_threads(const void *argument)
{
    const char *const paths[] = {folder};
    SandboxReport report = {0};
    Error err = {0};
    sem_t begun, ended;
    sem_t *steps[] = {&begun, &ended};
    pthread_t thread;
    void *result = NULL;

    (void)argument;
    CHECK(sem_init(&begun, 0, 0) == 0 && sem_init(&ended, 0, 0) == 0);
    CHECK(sandbox_enter(paths, 1, &report, &err));
    CHECK(pthread_create(&thread, NULL, try_in_thread, steps) == 0);
    sem_wait(&begun);
    CHECK(sandbox_end_writing(&report, &err));
    sem_post(&ended);
    CHECK(pthread_join(thread, &result) == 0);
    if (report.seccomp) CHECK(*(int *)result == -1);
}

TEST(sandbox_leaves_what_is_named_and_takes_it_in_the_end)
{
    make_files();
    snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", folder);
    CHECK(mkdir(elsewhere, 0700) == 0);
    CHECK(child_status(write_until_the_end, NULL) == 0);
    CHECK(child_status(end_for_all_threads, NULL) == 0);
    CHECK(rmdir(elsewhere) == 0); // nothing is left in it
}

static void run_a_program(const void *argument)
{
    char *const arguments[] = {NULL};

    (void)argument;
    if (!enter().seccomp) raise(SIGSYS);
    execve("/bin/true", arguments, arguments);
}

static void trace_a_process(const void *argument)
{
    (void)argument;
    if (!enter().seccomp) raise(SIGSYS);
    (void)syscall(SYS_ptrace, 0, 0, 0, 0);
}

TEST(sandbox_ends_a_process_that_runs_programs_or_traces)
{
    CHECK(child_was_killed_by(child_status(run_a_program, NULL), SIGSYS));
    CHECK(child_was_killed_by(child_status(trace_a_process, NULL), SIGSYS));
}

static void touch_worker(void *context, uint32_t worker)
{
    uint32_t *n_calls = context;

    n_calls[worker]++;
}

static void use_pool(Pool *pool)
{
    uint32_t n_calls[3] = {0};

    for (int i = 0; i < 50; i++) pool_run(pool, touch_worker, n_calls);
    for (uint32_t w = 0; w < 3; w++) CHECK(n_calls[w] == 50);
}

static void use_reader(Reader *reader, const Pages *pages)
{
    Error err = {0};
    uint32_t n = 0, n_done = 0;
    ReadRequest requests[2] = {{.data = pages->data, .n_bytes = 4096},
        {.data = pages->data + 4096, .n_bytes = 4096, .offset_bytes = 4096}};

    if (!CHECK(reader != NULL)) return;
    CHECK(reader_submit(reader, requests, 2, &err));
    while (n_done < 2) {
        ReadCompletion completion = {0};
        if (!CHECK(reader_reap(reader, READ_WAIT, &completion, 1, &n, &err) && n == 1)) return;
        CHECK(completion.result == 4096);
        n_done++;
    }
    CHECK_BITS(content, pages->data, sizeof(content));
    CHECK(reader_submit(reader, requests, 2, &err));
    reader_free(reader); // with reads in flight
}

static void use_memory(void)
{
    Pages pages = {0};
    Error err = {0};
    char *large = malloc(10 << 20);

    memset(large, 1, 10 << 20);
    large = realloc(large, 20 << 20);
    CHECK(large != NULL);
    free(large);
    CHECK(pages_map(&pages, MEM_OTHER, (uint64_t)5 << 20, PAGES_NOW, &err));
    pages_unmap(&pages, MEM_OTHER);
}

static void use_files(void)
{
    char text[sizeof(content)];
    struct stat st;
    File file = {0};
    Error err = {0};

    CHECK(file_open(&file, existing, &err));
    CHECK(file_read_at(&file, 0, text, sizeof(text), &err));
    CHECK_BITS(content, text, sizeof(text));
    CHECK(file_check_unchanged(&file, &err));
    file_close(&file);
    FILE *stream = fopen(existing, "re");
    CHECK(stream && fread(text, 1, sizeof(text), stream) == sizeof(text));
    if (stream) fclose(stream);
    CHECK(stat(existing, &st) == 0);
    CHECK(access(existing, R_OK) == 0);
    CHECK(dprintf(STDOUT_FILENO, "%s", "") == 0);
    (void)isatty(STDOUT_FILENO);
    CHECK(errno != EPERM);
}

static volatile sig_atomic_t n_signals;

static void count_signal(int number)
{
    (void)number;
    n_signals++;
}

static void use_signals_and_time(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    struct timespec now, moment = {.tv_nsec = 1};
    struct pollfd input = {.fd = -1};

    CHECK(sigaction(SIGINT, &action, NULL) == 0);
    CHECK(raise(SIGINT) == 0);
    CHECK(n_signals == 1);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    CHECK(nanosleep(&moment, NULL) == 0);
    CHECK(poll(&input, 1, 0) == 0);
}

static void use_machine(void)
{
    uint64_t word;

    CHECK(syscall(SYS_getrandom, &word, sizeof(word), 0) == sizeof(word));
    CHECK(cpu_usable_cores() >= 1);
    CHECK(process_memory() > 0);
    CHECK(machine_available_memory() > 0);
}

static void stream_a_model(const void *argument)
{
    const ReadBackend *backend = argument;
    uint32_t features = cpu_features();
    File file = {0};
    Pages pages = {0};
    Error err = {0};

    CHECK(file_open(&file, existing, &err));
    CHECK(pages_map(&pages, MEM_RING, 8192, PAGES_NOW, &err));
    ReaderOptions options = {.backend = *backend,
        .depth = 2,
        .files = &file,
        .n_files = 1,
        .buffers = &pages,
        .n_buffers = 1};
    Reader *reader = reader_create(&options, &err);
    Pool *before = pool_create(3, &err);

    SandboxReport report = enter();
    CHECK(report.no_new_privs);
    use_reader(reader, &pages);
    use_pool(before);
    pool_free(before);
    Pool *within = pool_create(3, &err);
    if (CHECK(within != NULL)) use_pool(within);
    pool_free(within);
    use_memory();
    use_files();
    use_signals_and_time();
    use_machine();
    CHECK(cpu_features() == features);
    pages_unmap(&pages, MEM_RING);
    file_close(&file);
}

TEST(sandbox_leaves_what_streaming_needs)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS};

    make_files();
    for (size_t i = 0; i < COUNT(backends); i++)
        CHECK(child_status(stream_a_model, &backends[i]) == 0);
}

/* A reader made inside can't have a ring, and takes threads. */
static void read_within(const void *argument)
{
    File file = {0};
    Pages pages = {0};
    Error err = {0};

    (void)argument;
    SandboxReport report = enter();
    CHECK(file_open(&file, existing, &err));
    CHECK(pages_map(&pages, MEM_RING, 8192, PAGES_NOW, &err));
    ReaderOptions options = {.depth = 2, .files = &file, .n_files = 1};
    int quiet = open("/dev/null", O_RDONLY);
    dup2(quiet, STDERR_FILENO);
    Reader *reader = reader_create(&options, &err);
    if (report.seccomp && CHECK(reader != NULL))
        CHECK(strcmp(reader_backend_name(reader), "threads") == 0);
    use_reader(reader, &pages);
    pages_unmap(&pages, MEM_RING);
    file_close(&file);
}

TEST(sandbox_lets_a_reader_start_with_threads)
{
    make_files();
    CHECK(child_status(read_within, NULL) == 0);
}

static void write_from_worker(void *context, uint32_t worker)
{
    int *results = context;

    results[worker] = open(existing, O_WRONLY) == -1 ? errno : 0;
}

static void use_threads_of_before(const void *argument)
{
    int results[2] = {0};
    Error err = {0};

    (void)argument;
    Pool *pool = pool_create(2, &err);
    if (!CHECK(pool != NULL)) return;
    if (enter().seccomp) {
        pool_run(pool, write_from_worker, results);
        CHECK(results[0] == EPERM || results[0] == EACCES);
        CHECK(results[1] == EPERM);
    }
    pool_free(pool);
}

TEST(sandbox_binds_threads_that_were_there_before)
{
    make_files();
    CHECK(child_status(use_threads_of_before, NULL) == 0);
}

static void write_beneath(const void *argument)
{
    char inside[256], outside[64];
    const char *paths[] = {folder};
    SandboxReport report = {0};
    Error err = {0};

    (void)argument;
    snprintf(inside, sizeof(inside), "%s/new", folder);
    snprintf(outside, sizeof(outside), "/tmp/hypura-outside-%d", (int)getpid());
    CHECK(sandbox_enter(paths, 1, &report, &err));
    int fd = open(inside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, "text", 4) == 4);
    CHECK(fsync(fd) == 0);
    CHECK(ftruncate(fd, 2) == 0);
    close(fd);
    CHECK(rename(inside, absent) == 0);
    CHECK(unlink(absent) == 0);
    if (report.landlock_abi == 0) return; // nothing can tell one path from another
    CHECK(open(outside, O_WRONLY | O_CREAT, 0600) == -1);
    CHECK(errno == EACCES);
    CHECK(open("/tmp", O_RDWR | O_TMPFILE, 0600) == -1);
    CHECK(mkdir(outside, 0700) == -1);
}

TEST(sandbox_allows_writing_beneath_the_write_paths)
{
    make_files();
    CHECK(child_status(write_beneath, NULL) == 0);
}

/* What was open for writing may be written anew, as --stats=FILE is; nothing else is opened. */
static void replace_what_is_open(const void *argument)
{
    (void)argument;
    int open_before = open(existing, O_WRONLY);
    SandboxReport report = enter();
    CHECK(ftruncate(open_before, 0) == 0 && write(open_before, "new", 3) == 3);
    if (report.seccomp || report.landlock_abi > 0) CHECK(open(existing, O_WRONLY) == -1);
}

TEST(sandbox_lets_an_open_file_be_replaced_without_a_write_path)
{
    char text[8];

    make_files();
    CHECK(child_status(replace_what_is_open, NULL) == 0);
    FILE *stream = fopen(existing, "re");
    CHECK(stream && fread(text, 1, sizeof text, stream) == 3 && memcmp(text, "new", 3) == 0);
    if (stream) fclose(stream);
}

static void write_one_file(const void *argument)
{
    const char *paths[] = {existing};
    SandboxReport report = {0};
    Error err = {0};

    (void)argument;
    CHECK(sandbox_enter(paths, 1, &report, &err));
    CHECK(open(existing, O_WRONLY | O_TRUNC) >= 0);
    if (report.landlock_abi > 0) CHECK(open(absent, O_WRONLY | O_CREAT, 0600) == -1);
}

TEST(sandbox_takes_a_file_as_write_path)
{
    make_files();
    CHECK(child_status(write_one_file, NULL) == 0);
}

static void name_an_absent_path(const void *argument)
{
    const char *paths[] = {absent};
    SandboxReport report = {.landlock_abi = 77};
    Error err = {0};

    (void)argument;
    bool ok = sandbox_enter(paths, 1, &report, &err);
    if (ok && report.landlock_abi == 0) return; // no Landlock, so nobody looked
    CHECK(!ok);
    CHECK_ERROR(err, ERROR_SANDBOX);
    CHECK(strstr(err.message, absent) != NULL);
    CHECK(report.landlock_abi == 77);
}

TEST(sandbox_fails_on_a_write_path_that_is_not_there)
{
    make_files();
    CHECK(child_status(name_an_absent_path, NULL) == 0);
}

static void enter_without_landlock(const void *argument)
{
    (void)argument;
    CHECK(refuse_call(SYS_landlock_create_ruleset, 0, 0, ENOSYS));
    SandboxReport report = enter();
    CHECK(report.landlock_abi == 0);
    if (!report.seccomp) return;
    CHECK(open(existing, O_WRONLY) == -1); // the call filter alone
    CHECK(open_by_its_old_name() == -1);
    CHECK(open(existing, O_RDONLY) >= 0);
}

/* The version is told, and then a step is refused. */
static void enter_where_landlock_gives_up(const void *argument)
{
    const long *step = argument;

    CHECK(refuse_call(*step, 0, 0, ENOSYS));
    const char *paths[] = {existing};
    SandboxReport report = {0};
    Error err = {0};
    CHECK(sandbox_enter(paths, 1, &report, &err));
    CHECK(report.landlock_abi == 0);
}

static void enter_without_seccomp(const void *argument)
{
    (void)argument;
    CHECK(refuse_call(SYS_seccomp, 0, 0, ENOSYS));
    SandboxReport report = enter();
    CHECK(!report.seccomp);
    CHECK(report.no_new_privs);
    if (report.landlock_abi == 0) return;
    CHECK(open(existing, O_WRONLY) == -1);
    CHECK(open(existing, O_RDONLY) >= 0);
}

TEST(sandbox_reports_what_the_kernel_lacks_and_goes_on)
{
    make_files();
    if (!can_refuse_calls()) TEST_SKIP("this machine has no system call filters");
    CHECK(child_status(enter_without_landlock, NULL) == 0);
    static const long steps[] = {SYS_landlock_add_rule, SYS_landlock_restrict_self};
    for (size_t i = 0; i < COUNT(steps); i++)
        CHECK(child_status(enter_where_landlock_gives_up, &steps[i]) == 0);
    CHECK(child_status(enter_without_seccomp, NULL) == 0);
}

static void expect_a_call_filter(const void *argument)
{
    (void)argument;
    if (!enter().seccomp) _exit(77);
    CHECK(syscall(SYS_landlock_create_ruleset, NULL, 0, 1u) == -1);
    CHECK(errno == EPERM);
}

/* So that a build without the filter shows as a skip, though all the above passed. */
TEST(sandbox_has_a_call_filter_in_plain_builds)
{
    int status = child_status(expect_a_call_filter, NULL);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        TEST_SKIP("no call filter: a build with sanitizers, or no seccomp here");
    CHECK(status == 0);
}

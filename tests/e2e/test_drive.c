/* What kernels refuse, what drives do, and what happens to files under a running program:
 * the same text, or an error behind a beginning of it. Never other text. */
#include "drive.h"

#include <linux/capability.h>

#include "base/json.h"
#include "group.h"

#define PROMPT "Once upon a time there was a king"

static Program program;
static char wanted[PROGRAM_BYTES_MAX + 1]; // text of a run without trouble

/* A run that streams nearly everything with the reads of `io`. */
#define STREAM(model, io, n)                                                                    \
    "run", (model), "--raw", "--temp", "0", "--threads", "2", "--weights", "min", "--heat-map", \
        "off", "--io", io, "-n", n, PROMPT

static bool want_text(const char *n_tokens)
{
    CHECK(RUN(&program, STREAM(MIXTURE, "auto", n_tokens)) == 0);
    memcpy(wanted, program.out, program.n_out + 1);
    return CHECK(program.n_out > 0);
}

static bool same_text(void)
{
    return strcmp(wanted, program.out) == 0;
}

/* What came before a failure is a beginning of the text. */
static bool begins_the_text(void)
{
    return program.n_out > 0 && program.n_out < strlen(wanted)
           && strncmp(wanted, program.out, program.n_out) == 0;
}

static void refuse_rings(void *context)
{
    (void)context;
    if (!refuse_call(SYS_io_uring_setup, 0, 0, ENOSYS)) _exit(125);
}

static void refuse_direct(void *context)
{
    (void)context;
    if (!refuse_call(SYS_openat, 2, O_DIRECT, EINVAL)) _exit(125);
}

/* No locked memory, for a process that is root too. */
static void refuse_locks(void *context)
{
    struct rlimit none = {0, 0};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct rights[2] = {{0, 0, 0}, {0, 0, 0}};

    (void)context;
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) _exit(125);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(125);
    if (geteuid() == 0 && prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0) != 0) _exit(125);
    if (syscall(SYS_capset, &header, rights) != 0) _exit(125);
}

TEST(what_a_kernel_refuses_changes_no_character)
{
    static const struct {
        const char *label;
        void (*prepare)(void *context);
        const char *io, *stats; // a line of the statistics
    } cases[] = {
        {"no rings", refuse_rings, "auto", "\"io_backend\": \"threads\""},
        {"rings asked for", refuse_rings, "uring", "\"io_backend\": \"threads\""},
        {"no direct reads", refuse_direct, "auto", "\"direct\": false"},
        {"no locked memory", refuse_locks, "auto", "\"finish\": \"length\""},
    };

    if (!can_refuse_calls()) TEST_SKIP("this machine has no system call filters");
    if (!want_text("24")) return;
    for (size_t i = 0; i < COUNT(cases); i++) {
        program.prepare = cases[i].prepare;
        if (json_available())
            RUN(&program, STREAM(MIXTURE, cases[i].io, "24"), "--stats");
        else
            RUN(&program, STREAM(MIXTURE, cases[i].io, "24"));
        program.prepare = NULL;
        CHECK_CASE(cases[i].label, program.status == 0 && same_text());
        if (json_available()) CHECK_CASE(cases[i].label, strstr(program.err, cases[i].stats));
    }
}

/* Copies the mixture to where a test may do with it as it likes. */
static const char *copy_model(const char *path)
{
    static char room[1u << 20];
    FILE *from = fopen(MIXTURE, "rb"), *to = fopen(path, "wb");
    size_t n;

    if (!CHECK_CASE(path, from && to)) return path;
    while ((n = fread(room, 1, sizeof room, from)) > 0) CHECK(fwrite(room, 1, n, to) == n);
    fclose(from);
    CHECK(fclose(to) == 0);
    return path;
}

TEST(a_model_in_memory_says_the_same)
{
    char path[64];

    snprintf(path, sizeof path, "/dev/shm/hypura-drive-%d.gguf", (int)getpid());
    if (access("/dev/shm", W_OK) != 0) TEST_SKIP("/dev/shm cannot be written");
    if (!want_text("24")) return;
    copy_model(path);
    CHECK(RUN(&program, STREAM(path, "auto", "24")) == 0 && same_text());
    program.prepare = refuse_direct;
    CHECK(RUN(&program, STREAM(path, "auto", "24"), "--direct", "on") == 0 && same_text());
    program.prepare = NULL;
    unlink(path);
}

TEST(a_read_that_fails_once_is_made_again)
{
    static const uint64_t at[] = {1, 2, 37, 500};

    if (!want_text("24")) return;
    for (size_t i = 0; i < COUNT(at); i++) {
        Drive drive = {.model = MIXTURE, .mode = DRIVE_EIO_ONCE, .at = at[i]};
        if (!drive_start(
                &drive, &program, (const char *const[]){STREAM(MIXTURE, "threads", "24"), NULL}))
            TEST_SKIP("this machine has no notifications of system calls");
        CHECK(drive_wait(&drive, &program) == 0 && same_text());
        CHECK(drive.n_faults == 1);
    }
}

TEST(a_drive_that_fails_for_good_ends_the_text)
{
    static const uint64_t at[] = {1, 400};

    if (!want_text("24")) return;
    for (size_t i = 0; i < COUNT(at); i++) {
        Drive drive = {.model = MIXTURE, .mode = DRIVE_EIO_ALWAYS, .at = at[i]};
        if (!drive_start(
                &drive, &program, (const char *const[]){STREAM(MIXTURE, "threads", "24"), NULL}))
            TEST_SKIP("this machine has no notifications of system calls");
        CHECK(drive_wait(&drive, &program) == 5);
        CHECK(begins_the_text());
        CHECK(strstr(program.err, "hypura-tiny-moe") && strstr(program.err, "[E0"));
    }
}

TEST(short_reads_change_no_character)
{
    static const uint64_t granularities[] = {4096, 512, 1};

    if (!want_text("24")) return;
    for (size_t i = 0; i < COUNT(granularities); i++) {
        Drive drive = {
            .model = MIXTURE, .mode = DRIVE_SHORT, .granularity_bytes = granularities[i]};
        if (!drive_start(
                &drive, &program, (const char *const[]){STREAM(MIXTURE, "threads", "24"), NULL}))
            TEST_SKIP("this machine has no notifications of system calls");
        CHECK(drive_wait(&drive, &program) == 0 && same_text());
        CHECK(drive.n_faults > 100);
    }
}

/* The signal has been taken from the queue, so its handler runs before the program goes on. */
static void wait_for_signal(pid_t pid)
{
    char path[64], line[256];
    unsigned long long pending = 1, n;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    while (pending != 0) {
        FILE *stream = fopen(path, "r");
        pending = 0;
        while (stream && fgets(line, sizeof line, stream))
            if (sscanf(line, "SigPnd: %llx", &n) == 1 || sscanf(line, "ShdPnd: %llx", &n) == 1)
                pending |= n;
        if (stream) fclose(stream);
    }
}

TEST(a_slow_drive_can_be_interrupted)
{
    static uint64_t reads_per_token;
    Drive drive = {.model = MIXTURE, .mode = DRIVE_WHOLE};
    const char *const args[] = {
        STREAM(MIXTURE, "threads", "24"), json_available() ? "--stats" : NULL, NULL};

    if (!want_text("24")) return;
    if (!drive_start(&drive, &program, args))
        TEST_SKIP("this machine has no notifications of system calls");
    CHECK(drive_wait(&drive, &program) == 0 && same_text());
    reads_per_token = drive.n_reads / 23;

    drive = (Drive){.model = MIXTURE, .mode = DRIVE_HOLD};
    if (!CHECK(drive_start(&drive, &program, args))) return;
    drive_serve(&drive, &program, 1); // hangs in a read
    CHECK(kill(program.pid, SIGINT) == 0);
    wait_for_signal(program.pid);
    drive.mode = DRIVE_WHOLE; // the drive comes back
    uint64_t n_before = drive.n_reads;
    drive_release(&drive);
    CHECK(drive_wait(&drive, &program) == 128 + SIGINT);
    CHECK(begins_the_text());
    CHECK(drive.n_reads - n_before < reads_per_token / 2); // of the layer, not of the pass
    if (json_available()) CHECK(strstr(program.err, "\"finish\": \"interrupt\""));
}

static void edit(const char *path)
{
    char byte = 0;
    int fd = open(path, O_RDWR);

    CHECK(fd >= 0);
    for (off_t at = 1 << 20; at < 50 << 20; at += 4096) CHECK(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

static void cut(const char *path)
{
    CHECK(truncate(path, 1 << 20) == 0);
}

static void overwrite_time(const char *path)
{
    const struct timespec times[2] = {{0, UTIME_OMIT}, {1000000000, 0}};

    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static void replace(const char *path)
{
    const char *other = program_path("other.gguf");
    FILE *stream = fopen(other, "wb");

    CHECK(stream && fputs("not a model", stream) > 0 && fclose(stream) == 0);
    CHECK(rename(other, path) == 0);
}

static void delete (const char *path)
{
    CHECK(unlink(path) == 0);
}

/* The program waits in a read while it happens to its file. */
TEST(a_file_that_changes_ends_the_text_and_a_new_name_does_not)
{
    static const struct {
        const char *label;
        void (*happen)(const char *path);
        bool goes_on; // with the file that was opened
    } cases[] = {
        {"edited", edit, false},
        {"cut", cut, false},
        {"another time", overwrite_time, false},
        {"replaced", replace, true},
        {"deleted", delete, true},
    };

    if (!want_text("24")) return;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = copy_model(program_path("mine.gguf"));
        Drive drive = {.model = path, .mode = DRIVE_HOLD};
        if (!drive_start(
                &drive, &program, (const char *const[]){STREAM(path, "threads", "24"), NULL}))
            TEST_SKIP("this machine has no notifications of system calls");
        drive_serve(&drive, &program, 1);
        cases[i].happen(path);
        drive.mode = DRIVE_WHOLE;
        drive_release(&drive);
        drive_wait(&drive, &program);
        if (cases[i].goes_on)
            CHECK_CASE(cases[i].label, program.status == 0 && same_text());
        else
            CHECK_CASE(cases[i].label, program.status == 5 && begins_the_text());
        if (!cases[i].goes_on) CHECK_CASE(program.err, strstr(program.err, "mine.gguf"));
        unlink(path);
    }
}

/* Rising memory pressure, from outside: in one control group with a run, another process takes
 * 30 % of the limit in steps. The run gives that much back, nobody is killed, the text is the
 * same; and when the other one leaves, the run takes its memory up again.
 *
 * Unlike other tests this one looks at clocks: that it happens in time is what it claims. */
#include <signal.h>
#include <time.h>

#include "e2e/group.h"
#include "e2e/program.h"

#define MIB         ((uint64_t)1 << 20)
#define BUDGET      "600M"
#define LIMIT_BYTES (632 * MIB) // the budget and max(5 %, 32 MiB)
#define N_STEPS     10
#define STEP_BYTES  (LIMIT_BYTES * 3 / 10 / N_STEPS)
#define ROOM_BYTES  (STEP_BYTES + 2 * MIB) // what the run has to leave: for the next step

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t resident_bytes(pid_t pid)
{
    char path[64];
    unsigned long long pages = 0;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *stream = fopen(path, "r");
    if (stream && fscanf(stream, "%*u %llu", &pages) != 1) pages = 0;
    if (stream) fclose(stream);
    return pages * 4096;
}

/* Until it holds n_bytes or more; false: not in that many seconds, or it has ended. */
static bool wait_until_resident(pid_t pid, uint64_t n_bytes, double seconds)
{
    for (double end = now_s() + seconds; now_s() < end; usleep(10000))
        if (resident_bytes(pid) >= n_bytes) return true;
    return false;
}

/* What it holds once it has filled what it may have: it does not grow for three seconds, which is
 * longer than the governor waits after a pressure. */
static uint64_t settled_bytes(pid_t pid)
{
    uint64_t most = 0, now = resident_bytes(pid);

    for (double end = now_s() + 3; now_s() < end; usleep(10000)) {
        now = resident_bytes(pid);
        if (now <= most + MIB) continue;
        most = now;
        end = now_s() + 3;
    }
    return now;
}

static bool wait_for_room(const char *folder, uint64_t n_bytes, double seconds)
{
    for (double end = now_s() + seconds; now_s() < end; usleep(10000))
        if (read_group(folder, "memory.usage_in_bytes") + n_bytes <= LIMIT_BYTES) return true;
    return false;
}

/* The other process: takes a step for each byte that it reads, and answers with one. */
typedef struct Neighbour {
    pid_t pid;
    int ask, answer;
} Neighbour;

static void be_neighbour(int asked, int answers)
{
    char byte;

    while (read(asked, &byte, 1) == 1) {
        void *taken = mmap(NULL, STEP_BYTES, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (taken == MAP_FAILED || write(answers, &byte, 1) != 1) _exit(1);
    }
    _exit(0);
}

static Neighbour start_neighbour(const char *folder)
{
    int ask[2], answer[2];
    Neighbour neighbour = {0};

    if (pipe(ask) != 0 || pipe(answer) != 0) abort();
    fflush(stdout);
    neighbour.pid = fork();
    if (neighbour.pid == 0) {
        close(ask[1]);
        if (!write_group(folder, "tasks", (uint64_t)getpid())) _exit(99);
        be_neighbour(ask[0], answer[1]);
    }
    close(ask[0]);
    close(answer[1]);
    neighbour.ask = ask[1];
    neighbour.answer = answer[0];
    return neighbour;
}

static bool take_step(const Neighbour *neighbour)
{
    char byte = 1;

    return write(neighbour->ask, &byte, 1) == 1 && read(neighbour->answer, &byte, 1) == 1;
}

static int end_neighbour(Neighbour *neighbour)
{
    int status = 0;

    close(neighbour->ask);
    waitpid(neighbour->pid, &status, 0);
    close(neighbour->answer);
    return status;
}

#define ARGUMENTS                                                                              \
    "run", model, "--raw", "--heat-map", "off", "--temp", "1", "--seed", "1", "--ctx", "4096", \
        "--threads", "2", "Once upon a time there was a king"

static pid_t start_run(const char *folder, const char *model, const char *text_path)
{
    char stats_option[640];

    snprintf(stats_option, sizeof stats_option, "--stats=%s", stats_path());
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(text_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (fd < 0 || !write_group(folder, "tasks", (uint64_t)getpid())) _exit(99);
        dup2(fd, 1);
        execl(HYPURA_PROGRAM, "hypura", ARGUMENTS, "-q", "--memory", BUDGET, stats_option,
            (char *)NULL);
        _exit(98);
    }
    return child;
}

/* The text of the same tokens, with all the memory there is. */
static void check_text(const char *model, const char *text_path, unsigned n_tokens)
{
    static Program reference;
    static char text[PROGRAM_BYTES_MAX];
    char n[16];

    snprintf(n, sizeof n, "%u", n_tokens);
    CHECK(RUN(&reference, ARGUMENTS, "-q", "-n", n) == 0);
    FILE *stream = fopen(text_path, "r");
    size_t n_bytes = stream ? fread(text, 1, sizeof text, stream) : 0;
    if (stream) fclose(stream);
    CHECK(n_bytes > 0 && n_bytes == reference.n_out);
    CHECK(memcmp(text, reference.out, n_bytes) == 0);
}

/* A neighbour comes when the run has filled what it may have, or while it is filling it. */
static void press(const char *folder, const char *model, bool is_filled)
{
    const char *text_path = program_path("pressed.txt");
    int status = 0;
    pid_t run = start_run(folder, model, text_path);

    CHECK(wait_until_resident(run, 480 * MIB, 60));
    uint64_t before = is_filled ? settled_bytes(run) : resident_bytes(run);
    Neighbour neighbour = start_neighbour(folder);
    for (int i = 0; i < N_STEPS; i++) {
        CHECK(take_step(&neighbour));
        CHECK(wait_for_room(folder, ROOM_BYTES, 2));
    }
    uint64_t pressed = resident_bytes(run);
    // What the neighbour holds and half a step more fit beside the run: so much was given back.
    CHECK(pressed + N_STEPS * STEP_BYTES + STEP_BYTES / 2 <= LIMIT_BYTES);
    CHECK(end_neighbour(&neighbour) == 0);
    CHECK(wait_until_resident(run, before - 32 * MIB, 30));

    kill(run, SIGINT);
    waitpid(run, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT);
    CHECK(read_group(folder, "memory.failcnt") == 0);
    CHECK(read_group(folder, "memory.memsw.max_usage_in_bytes") <= LIMIT_BYTES);
    Json *stats = read_stats();
    CHECK(number(stats, "peak_memory_bytes") <= 632.0 * (double)MIB);
    CHECK(number(stats, "read_bytes") > 0);
    check_text(model, text_path, (unsigned)number(stats, "generated_tokens"));
    json_free(stats);
}

TEST(a_run_makes_room_for_a_neighbour_and_takes_it_again)
{
    static Program synth;
#ifdef __SANITIZE_ADDRESS__
    TEST_SKIP("a sanitizer's own memory is larger than the group");
#endif
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    const char *why, *folder = make_group(&why);
    if (!folder) TEST_SKIP(why);
    const char *model = program_path("pressed.gguf");

    CHECK(RUN(&synth, "synth", "qwen3-30b-a3b", model, "--size", "700M", "-q") == 0);
    if (CHECK(write_group(folder, "memory.limit_in_bytes", LIMIT_BYTES))) {
        press(folder, model, true);
        CHECK(write_group(folder, "memory.failcnt", 0));
        press(folder, model, false);
    }
    unlink(model);
    rmdir(folder);
}

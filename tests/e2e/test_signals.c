/* Ctrl-C and its relatives: a clean end with what was done, and nothing left behind. */
#include "program.h"

#include <sys/stat.h>

#include "base/json.h"

static Program program;

/* Waits until a program has begun to write a file, or has ended; program_wait still finds its
 * status then. */
static void wait_for_bytes(const char *path)
{
    struct stat status;

    while (stat(path, &status) != 0 || status.st_size == 0) {
        siginfo_t ended = {0};
        if (waitid(P_PID, (id_t)program.pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0) return;
        if (ended.si_pid != 0) return;
    }
}

TEST(a_signal_ends_the_text_with_its_statistics)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < COUNT(signals); i++) {
        program_start(&program, (const char *const[]){"run", MIXTURE, "--raw", "--seed", "1",
                                    "--stats", "Once upon a time", NULL});
        program_read(&program, 1); // the first token is there
        CHECK(kill(program.pid, signals[i]) == 0);
        CHECK(program_wait(&program) == 128 + signals[i]);
        CHECK(strstr(program.err, "\"finish\": \"interrupt\""));
        CHECK(program.n_out > 0);
    }
}

TEST(a_summary_is_shown_without_statistics)
{
    program_start(&program,
        (const char *const[]){"run", MIXTURE, "--raw", "--seed", "1", "Once upon a time", NULL});
    program_read(&program, 1);
    CHECK(kill(program.pid, SIGINT) == 0);
    CHECK(program_wait(&program) == 130);
    CHECK(strstr(program.err, "hypura: prompt 4 tokens") && strstr(program.err, "generated"));
}

/* A row a pass, so that there are seconds of work behind the header. */
TEST(interrupted_logits_say_so)
{
    static char tokens[3001];
    const char *path = program_path("rows.gguf"), *partial = program_path("rows.gguf.partial");

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    for (size_t i = 0; i + 1 < sizeof tokens; i += 2) memcpy(tokens + i, "5,", 2);
    program_start(&program, (const char *const[]){"logits", MIXTURE, "--tokens", tokens, "--ubatch",
                                "1", "--stats", "-o", path, NULL});
    wait_for_bytes(partial);
    CHECK(kill(program.pid, SIGINT) == 0);
    CHECK(program_wait(&program) == 130);
    CHECK(strstr(program.err, "\"finish\": \"interrupt\""));
    CHECK(!strstr(program.err, "hypura: "));
    CHECK(access(partial, F_OK) != 0 && access(path, F_OK) != 0);
}

/* The signal is sent once the first bytes are written; 26 GiB are not written in an instant. */
TEST(an_interrupted_synth_leaves_nothing)
{
    const char *path = program_path("large.gguf"), *partial = program_path("large.gguf.partial");

    program_start(&program, (const char *const[]){"synth", "mixtral-8x7b", path, NULL});
    wait_for_bytes(partial);
    CHECK(kill(program.pid, SIGINT) == 0);
    program_wait(&program);
    if (program.status == 5) TEST_SKIP("26 GiB are not free here");
    CHECK(program.status == 130);
    CHECK(access(partial, F_OK) != 0);
    CHECK(access(path, F_OK) != 0);
    CHECK(program.n_out == 0);
}

/* Both signals wait while it is stopped, so none can be lost and the second finds the first. */
TEST(a_second_signal_ends_at_once_and_removes_the_partial_file)
{
    const char *path = program_path("second.gguf"), *partial = program_path("second.gguf.partial");

    program_start(&program, (const char *const[]){"synth", "mixtral-8x7b", path, NULL});
    wait_for_bytes(partial);
    CHECK(kill(program.pid, SIGSTOP) == 0);
    CHECK(kill(program.pid, SIGINT) == 0 && kill(program.pid, SIGTERM) == 0);
    CHECK(kill(program.pid, SIGCONT) == 0);
    program_wait(&program);
    if (program.status == 5) TEST_SKIP("26 GiB are not free here");
    CHECK(program.status == 130 || program.status == 143);
    CHECK(!strstr(program.err, "interrupted"));
    CHECK(access(partial, F_OK) != 0);
}

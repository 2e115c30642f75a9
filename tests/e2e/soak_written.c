/* Ten thousand tokens of the bundled mixture in a part of its memory: nothing is written to any
 * drive, nothing is locked where nothing may be locked, and memory stays within its budget. */
#include <sys/resource.h>

#include "e2e/group.h"

#define MODEL_PATH HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf"
#define N_TOKENS   10000
#define RUNS_MAX   100

static int run(int seed)
{
    char stats_option[640], seed_text[16];

    snprintf(stats_option, sizeof stats_option, "--stats=%s", stats_path());
    snprintf(seed_text, sizeof seed_text, "%d", seed);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit nothing = {0, 0};
        int null = open("/dev/null", O_WRONLY);
        if (setrlimit(RLIMIT_MEMLOCK, &nothing) != 0) _exit(99);
        dup2(null, 1);
        execl(HYPURA_PROGRAM, "hypura", "run", MODEL_PATH, "--raw", "-q", "--memory", "48M", "-n",
            "1000", "--seed", seed_text, "Once upon a time", stats_option, (char *)NULL);
        _exit(98);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(ten_thousand_tokens_write_nothing)
{
    double n_tokens = 0;
    if (!json_available()) TEST_SKIP("this build has no JSON library");

    for (int i = 0; i < RUNS_MAX && n_tokens < N_TOKENS; i++) {
        CHECK(run(i) == 0);
        Json *stats = read_stats();
        CHECK(number(stats, "written_bytes") == 0);
        CHECK(number(stats, "peak_memory_bytes") <= 48 * 1048576.0);
        n_tokens += number(stats, "generated_tokens");
        json_free(stats);
    }
    CHECK(n_tokens >= N_TOKENS);
}

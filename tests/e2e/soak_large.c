/* A dense model of 4.7 GB with a budget of 2 GiB, inside a memory control group of that and
 * max(5 %, 32 MiB): it generates steadily, touches neither swap nor the page cache, and reads
 * for each token what is missing, no more. Needs 5 GB of free space in the temporary folder. */
#include <sys/statvfs.h>

#include "e2e/group.h"

#define LIMIT_BYTES (((2ull << 30) * 105) / 100)

static const char *make_model(void)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/large.gguf", harness_temporary_folder());
    pid_t child = fork();
    if (child == 0) {
        execl(HYPURA_PROGRAM, "hypura", "synth", "llama-3-8b", path, "-q", (char *)NULL);
        _exit(98);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? path : NULL;
}

TEST(a_model_larger_than_its_budget_stays_inside)
{
    struct statvfs space;
    const char *why, *folder = make_group(&why);
    if (!folder) TEST_SKIP(why);
    if (!json_available()) {
        rmdir(folder);
        TEST_SKIP("this build has no JSON library");
    }
    if (statvfs(harness_temporary_folder(), &space) != 0
        || space.f_bavail * space.f_frsize < 6000000000ull) {
        rmdir(folder);
        TEST_SKIP("the temporary folder has less than 6 GB of free space");
    }
    const char *model = make_model();
    size_t n_pages;

    if (CHECK(model != NULL) && CHECK(write_group(folder, "memory.limit_in_bytes", LIMIT_BYTES))) {
        CHECK(run_in_group(folder, model, "2G", "16") == 0);
        CHECK(read_group(folder, "memory.failcnt") == 0);
        CHECK(read_group(folder, "memory.max_usage_in_bytes") <= LIMIT_BYTES);
        CHECK(read_group(folder, "memory.memsw.max_usage_in_bytes") <= LIMIT_BYTES);
        CHECK(cached_pages(model, &n_pages) <= n_pages / 1000);
        Json *stats = read_stats();
        CHECK(number(stats, "peak_memory_bytes") <= 2147483648.0);
        CHECK(number(stats, "generated_tokens") == 16);
        double missing = number(stats, "missing_bytes_per_token");
        double touched = number(stats, "pass_bytes_per_token");
        const Json *budget = json_get(stats, "budget_bytes");
        CHECK(missing > 0 && missing >= touched - number(budget, "cache"));
        CHECK(missing <= 1.02 * (touched - number(budget, "cache")));
        json_free(stats);
    }
    if (model) unlink(model);
    rmdir(folder);
}

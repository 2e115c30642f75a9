/* The memory promise from outside: a run inside a memory control group of its budget and a
 * little; what its statistics say; and that it leaves nothing of the model in the page cache. */
#include "e2e/group.h"
#include "e2e/program.h"

#define MODEL_PATH HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf"
#define MEMORY_MIB 64
#define SLACK_MIB  32 // the promise: budget + max(5 %, 32 MiB)
#define N_TOKENS   "48"

TEST(a_run_fits_a_control_group_of_its_budget)
{
    const char *why, *folder = make_group(&why);
    if (!folder) TEST_SKIP(why);
    uint64_t limit = (uint64_t)(MEMORY_MIB + SLACK_MIB) << 20;

    if (CHECK(write_group(folder, "memory.limit_in_bytes", limit))) {
        CHECK(run_in_group(folder, MODEL_PATH, "64M", N_TOKENS) == 0);
        CHECK(read_group(folder, "memory.failcnt") == 0);
        CHECK(read_group(folder, "memory.max_usage_in_bytes") > (16u << 20));
        CHECK(read_group(folder, "memory.max_usage_in_bytes") <= limit);
    }
    rmdir(folder);
}

TEST(a_small_group_needs_no_budget_to_be_given)
{
    const char *why, *folder = make_group(&why);
    if (!folder) TEST_SKIP(why);

    if (CHECK(write_group(folder, "memory.limit_in_bytes", 300u << 20))) {
        CHECK(run_in_group(folder, MODEL_PATH, NULL, "8") == 0);
        CHECK(read_group(folder, "memory.failcnt") == 0);
    }
    rmdir(folder);
}

TEST(the_statistics_keep_the_promise)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    CHECK(run_in_group(NULL, MODEL_PATH, "64M", N_TOKENS) == 0);
    Json *stats = read_stats();
    double read = number(stats, "read_bytes");
    double parts = number(stats, "read_missed_bytes") + number(stats, "read_load_bytes")
                   + number(stats, "read_padding_bytes")
                   + number(stats, "read_prefetch_wasted_bytes")
                   + number(stats, "read_again_bytes");

    CHECK(number(stats, "peak_memory_bytes") <= MEMORY_MIB * 1048576.0);
    CHECK(number(stats, "peak_memory_bytes") > 16 * 1048576.0);
    CHECK(number(stats, "written_bytes") == 0);
    CHECK(read > 0);
    CHECK(parts >= 0.995 * read && parts <= 1.005 * read);
    CHECK(number(stats, "generated_tokens") == 48);
    json_free(stats);
}

TEST(the_number_that_a_refusal_names_would_do)
{
    static Program program;
    char named[32] = "";

    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-q", "-n", "1", "--memory", "10M", "a") == 4);
    const char *at = strstr(program.err, " do not do; ");
    if (!CHECK(at && sscanf(at, " do not do; %31[0-9M] would", named) == 1)) return;
    for (int i = 0; i < 5; i++)
        CHECK_CASE(named,
            RUN(&program, "run", MIXTURE, "--raw", "-q", "-n", "1", "--memory", named, "a") == 0);
}

TEST(a_budget_that_is_too_small_is_refused_with_status_4)
{
    CHECK(run_in_group(NULL, MODEL_PATH, "8M", N_TOKENS) == 4);
}

/* On a copy of its own, since other tests read the models of the tree meanwhile. */
TEST(a_run_leaves_the_page_cache_alone)
{
    char path[640], copy[2048];
    size_t n_pages = 0;
    snprintf(path, sizeof path, "%s/copy.gguf", harness_temporary_folder());
    snprintf(copy, sizeof copy, "cp '%s' '%s'", DRAFT, path);
    CHECK(system(copy) == 0);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fsync(fd) == 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    size_t before = cached_pages(path, &n_pages);
    if (before > n_pages / 2)
        TEST_SKIP("this file system keeps the model's pages whatever it is told");

    CHECK(run_in_group(NULL, path, "64M", N_TOKENS) == 0);
    size_t after = cached_pages(path, &n_pages);
    CHECK(after <= before + n_pages / 50); // of the header, read ahead by the kernel
}

/* The memory promise from outside: a run inside a memory control group of its budget and a
 * little; what its statistics say; and that it leaves nothing of the model in the page cache. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/json.h"
#include "harness.h"

#define MODEL_PATH HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf"
#define MEMORY_MIB 64
#define SLACK_MIB  32 // the promise: budget + max(5 %, 32 MiB)
#define N_TOKENS   "48"

/* The folder of a new memory control group (version 1) below our own, or NULL and why not. */
static const char *make_group(const char **why)
{
    static char folder[512];
    char line[256], own[256] = "";
    FILE *stream = fopen("/proc/self/cgroup", "r");

    while (stream && fgets(line, sizeof line, stream)) {
        char *at = strstr(line, ":memory:");
        if (at) snprintf(own, sizeof own, "%s", at + strlen(":memory:"));
    }
    if (stream) fclose(stream);
    own[strcspn(own, "\n")] = '\0';
    snprintf(folder, sizeof folder, "/sys/fs/cgroup/memory%s/hypura-test-%d",
        strcmp(own, "/") == 0 ? "" : own, (int)getpid());
    *why = "this machine lets no memory control group (version 1) be made";
    return own[0] && mkdir(folder, 0755) == 0 ? folder : NULL;
}

static bool write_group(const char *folder, const char *name, uint64_t value)
{
    char path[640];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "w");
    if (!stream) return false;
    bool ok = fprintf(stream, "%llu", (unsigned long long)value) > 0;
    return fclose(stream) == 0 && ok;
}

static uint64_t read_group(const char *folder, const char *name)
{
    char path[640];
    unsigned long long value = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "r");
    if (stream && fscanf(stream, "%llu", &value) != 1) value = 0;
    if (stream) fclose(stream);
    return value;
}

/* Runs the program with `memory`, in the group if there is one; its exit status, or 128 +
 * signal. */
static int run_program(const char *folder, const char *memory, const char *stats)
{
    char stats_option[512];
    snprintf(stats_option, sizeof stats_option, "--stats=%s", stats);
    pid_t child = fork();

    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (folder && !write_group(folder, "tasks", (uint64_t)getpid())) _exit(99);
        dup2(null, 1);
        execl(HYPURA_PROGRAM, "hypura", "run", MODEL_PATH, "--raw", "-q", "--memory", memory,
            "--ctx", "1024", "--threads", "2", "--seed", "1", "-n", N_TOKENS, stats_option,
            "Once upon a time there was a king", (char *)NULL);
        _exit(98);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char *stats_path(void)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/stats.json", harness_temporary_folder());
    return path;
}

static Json *read_stats(void)
{
    static char text[1 << 16];
    FILE *stream = fopen(stats_path(), "r");
    size_t n = stream ? fread(text, 1, sizeof text, stream) : 0;
    if (stream) fclose(stream);
    return json_parse((StringView){text, n}, NULL);
}

static double number(const Json *stats, const char *key)
{
    return json_get_number(json_get(stats, key), -1);
}

TEST(a_run_fits_a_control_group_of_its_budget)
{
    const char *why, *folder = make_group(&why);
    if (!folder) TEST_SKIP(why);
    uint64_t limit = (uint64_t)(MEMORY_MIB + SLACK_MIB) << 20;

    if (CHECK(write_group(folder, "memory.limit_in_bytes", limit))) {
        CHECK(run_program(folder, "64M", stats_path()) == 0);
        CHECK(read_group(folder, "memory.failcnt") == 0);
        CHECK(read_group(folder, "memory.max_usage_in_bytes") > (16u << 20));
        CHECK(read_group(folder, "memory.max_usage_in_bytes") <= limit);
    }
    rmdir(folder);
}

TEST(the_statistics_keep_the_promise)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    CHECK(run_program(NULL, "64M", stats_path()) == 0);
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

TEST(a_budget_that_is_too_small_is_refused_with_status_4)
{
    CHECK(run_program(NULL, "8M", stats_path()) == 4);
}

/* Pages of a file that are in the page cache. */
static size_t cached_pages(const char *path, size_t *n_pages)
{
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) != 0) return 0;
    size_t n_bytes = (size_t)about.st_size, n = 0;
    *n_pages = (n_bytes + 4095) / 4096;
    unsigned char *resident = calloc(*n_pages, 1);
    void *mapping = mmap(NULL, n_bytes, PROT_NONE, MAP_SHARED, fd, 0);
    if (mapping != MAP_FAILED && mincore(mapping, n_bytes, resident) == 0)
        for (size_t i = 0; i < *n_pages; i++) n += resident[i] & 1;
    munmap(mapping, n_bytes);
    free(resident);
    close(fd);
    return n;
}

TEST(a_run_leaves_the_page_cache_alone)
{
    size_t n_pages = 0;
    int fd = open(MODEL_PATH, O_RDONLY);
    CHECK(fd >= 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    size_t before = cached_pages(MODEL_PATH, &n_pages);
    if (before > n_pages / 2)
        TEST_SKIP("this file system keeps the model's pages whatever it is told");

    CHECK(run_program(NULL, "64M", stats_path()) == 0);
    size_t after = cached_pages(MODEL_PATH, &n_pages);
    CHECK(after <= before + n_pages / 50); // of the header, read ahead by the kernel
}

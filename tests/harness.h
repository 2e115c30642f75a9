/*
 * The test harness: one header, one executable per test file. A test is a block
 *
 *     TEST(name_that_claims_something) { CHECK(1 + 1 == 2); }
 *
 * that registers itself. All run in the order of the file; arguments select those whose
 * name contains one of them. A failed check prints file, line, case and condition, the
 * test goes on, and the seed is printed so that the run can be repeated. Exit status: 0
 * passed, 1 failed, 77 when nothing failed and something was skipped (its reason is
 * printed). Checks may be made from the main thread only.
 */
#ifndef HYPURA_TESTS_HARNESS_H
#define HYPURA_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

typedef struct HarnessTest {
    const char *name;
    void (*run)(void);
    struct HarnessTest *next;
} HarnessTest;

static struct {
    HarnessTest *first, *last;
    uint64_t n_checks, n_failed, n_skipped;
    uint64_t seed;
    char folder[64];    // temporary; empty until asked for
    pid_t folder_owner; // a forked child leaves it alone
    char path[4096];    // last answer of harness_shared_path
} harness;

#define TEST(test_name)                                                   \
    static void test_name(void);                                          \
    __attribute__((constructor)) static void register_##test_name(void)   \
    {                                                                     \
        static HarnessTest test = {.name = #test_name, .run = test_name}; \
        harness_register(&test);                                          \
    }                                                                     \
    static void test_name(void)

/* A condition, alone or with the name of the table row that it was made for. */
#define CHECK(condition) harness_check((condition), __FILE__, __LINE__, "", #condition)
#define CHECK_CASE(label, condition) \
    harness_check((condition), __FILE__, __LINE__, (label), #condition)

/* n_bytes at `wanted` and `got` are the same; else the first difference is shown. */
#define CHECK_BITS(wanted, got, n_bytes) \
    harness_check_bits((wanted), (got), (n_bytes), __FILE__, __LINE__, #wanted " == " #got)

/* The Error object (not a pointer) holds this id: CHECK_ERROR(err, ERROR_USAGE). */
#define CHECK_ERROR(error, wanted_id) \
    harness_check_error(&(error), (wanted_id), __FILE__, __LINE__, #wanted_id)

/* Ends the test: the machine lacks what the reason names. */
#define TEST_SKIP(reason)                    \
    do {                                     \
        harness.n_skipped++;                 \
        printf("  skipped: %s\n", (reason)); \
        return;                              \
    } while (0)

static inline void harness_register(HarnessTest *test)
{
    if (harness.last)
        harness.last->next = test;
    else
        harness.first = test;
    harness.last = test;
}

static inline bool harness_check(
    bool passed, const char *file, int line, const char *label, const char *condition)
{
    harness.n_checks++;
    if (passed) return true;
    harness.n_failed++;
    printf("  %s:%d: %s%s%swanted %s\n", file, line, *label ? "case '" : "", label,
        *label ? "': " : "", condition);
    return false;
}

static inline bool harness_check_bits(const void *wanted, const void *got, size_t n_bytes,
    const char *file, int line, const char *condition)
{
    const unsigned char *a = wanted, *b = got;
    size_t i = 0;

    while (i < n_bytes && a[i] == b[i]) i++;
    if (harness_check(i == n_bytes, file, line, "", condition)) return true;
    printf("    byte %zu of %zu: wanted", i, n_bytes);
    for (size_t k = i; k < n_bytes && k < i + 8; k++) printf(" %02x", a[k]);
    printf(", got");
    for (size_t k = i; k < n_bytes && k < i + 8; k++) printf(" %02x", b[k]);
    printf("\n");
    return false;
}

static inline bool harness_check_error(
    const Error *err, ErrorId wanted, const char *file, int line, const char *name)
{
    if (harness_check(err->id == wanted, file, line, "", name)) return true;
    printf("    got E%04d '%s'\n", (int)err->id, err->message);
    return false;
}

/* The seed of this run: HYPURA_SEED, else the clock's. */
static inline uint64_t harness_seed(void)
{
    return harness.seed;
}

static inline void harness_remove_folder(void)
{
    char command[96];

    if (getpid() != harness.folder_owner) return;
    snprintf(command, sizeof(command), "rm -rf '%s'", harness.folder);
    if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", harness.folder);
}

/* An empty folder, removed when the program ends. */
static inline const char *harness_temporary_folder(void)
{
    if (*harness.folder) return harness.folder;
    snprintf(harness.folder, sizeof(harness.folder), "/tmp/hypura-test-XXXXXX");
    if (!mkdtemp(harness.folder)) {
        perror("mkdtemp");
        exit(1);
    }
    harness.folder_owner = getpid();
    atexit(harness_remove_folder);
    return harness.folder;
}

/* A file of the folder of expected data, $HYPURA_SHARED or ../shared beside the source;
 * NULL when it is not there. Valid until the next call. */
static inline const char *harness_shared_path(const char *name)
{
    const char *folder = getenv("HYPURA_SHARED");
    int n = snprintf(harness.path, sizeof(harness.path), "%s/%s",
        folder ? folder : HYPURA_SOURCE_ROOT "/../shared", name);

    if (n < 0 || (size_t)n >= sizeof(harness.path)) return NULL;
    return access(harness.path, R_OK) == 0 ? harness.path : NULL;
}

static inline bool harness_is_selected(const char *name, int n_filters, char **filters)
{
    for (int i = 0; i < n_filters; i++)
        if (strstr(name, filters[i])) return true;
    return n_filters == 0;
}

int main(int argc, char **argv)
{
    const char *seed = getenv("HYPURA_SEED");
    uint64_t n_run = 0;

    harness.seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (HarnessTest *test = harness.first; test; test = test->next) {
        if (!harness_is_selected(test->name, argc - 1, argv + 1)) continue;
        uint64_t n_failed = harness.n_failed;
        printf("%s\n", test->name);
        n_run++;
        test->run();
        if (harness.n_failed > n_failed)
            printf("  FAILED; repeat with HYPURA_SEED=%llu\n", (unsigned long long)harness.seed);
    }
    printf("%llu tests, %llu checks, %llu failed, %llu skipped\n", (unsigned long long)n_run,
        (unsigned long long)harness.n_checks, (unsigned long long)harness.n_failed,
        (unsigned long long)harness.n_skipped);
    if (harness.n_failed > 0 || n_run == 0) return 1;
    return harness.n_skipped > 0 ? 77 : 0;
}

#endif

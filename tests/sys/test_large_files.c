/* tests/sys/test_large_files.c - files to time a drive with (sys/large_files.h) */
#include "sys/large_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/ledger.h"
#include "harness.h"

#define MIB ((uint64_t)1 << 20)

/* A sparse file of that size below the temporary folder. */
static void make_file(const char *name, uint64_t n_bytes)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", harness_temporary_folder(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK_CASE(name, fd >= 0 && ftruncate(fd, (off_t)n_bytes) == 0);
    close(fd);
}

static void make_folder(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", harness_temporary_folder(), name);
    CHECK_CASE(name, mkdir(path, 0700) == 0 || access(path, R_OK) == 0);
}

static const char *below(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", harness_temporary_folder(), name);
    return path;
}

TEST(large_files_below_a_folder_are_found)
{
    LargeFiles large;
    Error err = {0};

    make_folder("few");
    make_folder("few/a");
    make_folder("few/a/b");
    make_folder("few/a/b/c");
    make_folder("few/a/b/c/d");
    make_file("few/one", 20 * MIB);
    make_file("few/small", 16 * MIB - 1);
    make_file("few/a/b/c/deep", 17 * MIB);
    make_file("few/a/b/c/d/too-deep", 18 * MIB);
    CHECK(symlink("one", below("few/link")) == 0);
    CHECK(large_files_open(&large, below("few"), &err));
    CHECK(large.n_files == 2 && large.n_bytes == 37 * MIB);
    large_files_close(&large);
    CHECK(large.n_files == 0);
    large_files_close(&large);
    CHECK(ledger_total() == 0);
}

TEST(of_many_the_largest_are_taken)
{
    LargeFiles large;
    Error err = {0};
    uint64_t least = UINT64_MAX;

    make_folder("many");
    for (uint32_t i = 0; i < LARGE_FILES_MAX + 4; i++) {
        char name[32];
        snprintf(name, sizeof(name), "many/%u", i);
        make_file(name, (16 + i * 7 % 20) * MIB); // 16 to 35 MiB, each once
    }
    CHECK(large_files_open(&large, below("many"), &err));
    CHECK(large.n_files == LARGE_FILES_MAX);
    for (uint32_t i = 0; i < large.n_files; i++)
        if (large.files[i].n_bytes < least) least = large.files[i].n_bytes;
    CHECK(least == 20 * MIB);
    large_files_close(&large);
}

TEST(a_file_stands_for_itself)
{
    LargeFiles large;
    Error err = {0};

    make_file("alone", 16 * MIB);
    CHECK(large_files_open(&large, below("alone"), &err));
    CHECK(large.n_files == 1 && large.files[0].n_bytes == 16 * MIB);
    large_files_close(&large);
}

TEST(nothing_large_is_no_failure)
{
    LargeFiles large;
    Error err = {0};

    make_folder("empty");
    CHECK(large_files_open(&large, below("empty"), &err));
    CHECK(large.n_files == 0 && large.n_bytes == 0);
    large_files_close(&large);
}

TEST(no_such_path_is_named)
{
    LargeFiles large;
    Error err = {0};

    CHECK(!large_files_open(&large, "/nonexistent/folder", &err));
    CHECK_ERROR(err, ERROR_FILE_OPEN);
    CHECK(strstr(err.message, "/nonexistent/folder"));
    CHECK(large.n_files == 0);
}

TEST(each_allocation_may_fail)
{
    make_folder("faults");
    make_file("faults/a", 16 * MIB);
    make_file("faults/b", 16 * MIB);
    for (uint64_t k = 1;; k++) {
        LargeFiles large;
        Error err = {0};
        fault_arm(FAULT_ALLOC, k, false);
        bool ok = large_files_open(&large, below("faults"), &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (!ok) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        large_files_close(&large);
        CHECK(ledger_total() == 0);
        if (ok) {
            CHECK(k == 5); // two paths kept, two files opened
            break;
        }
    }
}

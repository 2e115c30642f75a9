/* tests/cli/test_scratch.c - a file to time a drive with (cli/scratch.h) */
#include "cli/scratch.h"

#include <sys/stat.h>

#include "base/fault.h"
#include "base/ledger.h"
#include "harness.h"

TEST(the_file_is_whole_while_it_is_needed_and_gone_afterwards)
{
    Partial scratch;
    Error err = {0};
    struct stat st;
    char path[256];

    CHECK(scratch_write(&scratch, harness_temporary_folder(), 5 << 20, &err));
    snprintf(path, sizeof(path), "%s", scratch.partial_path);
    CHECK(stat(path, &st) == 0 && st.st_size == 8 << 20); // whole chunks of 4 MiB
    CHECK(st.st_blocks >= (8 << 20) / 512);               // no holes
    CHECK(strncmp(path, harness_temporary_folder(), strlen(harness_temporary_folder())) == 0);
    scratch_remove(&scratch);
    CHECK(stat(path, &st) != 0);
    CHECK(ledger_total() == 0);
}

TEST(one_that_is_there_is_left_alone)
{
    Partial scratch, second;
    Error err = {0};

    CHECK(scratch_write(&scratch, harness_temporary_folder(), 1, &err));
    CHECK(!scratch_write(&second, harness_temporary_folder(), 1, &err));
    CHECK_ERROR(err, ERROR_USAGE);
    CHECK(access(scratch.partial_path, F_OK) == 0);
    scratch_remove(&scratch);
}

TEST(a_folder_that_takes_none_is_named)
{
    Partial scratch;
    Error err = {0};

    CHECK(!scratch_write(&scratch, "/nonexistent", 1, &err));
    CHECK_ERROR(err, ERROR_WRITE);
    CHECK(strstr(err.message, "/nonexistent"));
    CHECK(!scratch_write(&scratch, harness_temporary_folder(), (uint64_t)1 << 60, &err));
    CHECK_ERROR(err, ERROR_DISK_FULL);
    CHECK(ledger_total() == 0);
}

TEST(each_allocation_may_fail_and_leaves_no_file)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/hypura-profile.partial", harness_temporary_folder());
    for (uint64_t k = 1;; k++) {
        Partial scratch = {.fd = -1};
        Error err = {0};
        fault_arm(FAULT_ALLOC, k, false);
        bool ok = scratch_write(&scratch, harness_temporary_folder(), 1, &err);
        bool is_past = fault_count(FAULT_ALLOC) < k;
        fault_arm(FAULT_ALLOC, 0, false);
        if (ok) scratch_remove(&scratch);
        CHECK(ok == is_past);
        CHECK(ok || err.id == ERROR_OUT_OF_MEMORY);
        CHECK(access(path, F_OK) != 0);
        CHECK(ledger_total() == 0);
        if (is_past) break;
    }
}

/* tests/sys/test_extents.c - which bytes of a file are on the drive (sys/extents.h) */
#include "sys/extents.h"

#include <fcntl.h>

#include "base/fault.h"
#include "base/ledger.h"
#include "harness.h"
#include "sys/read_sim.h"

#define MIB ((uint64_t)1 << 20)

/* A file with data in [0, 1) and [3, 4) MiB of 5, a hole between and behind, reserved space in
 * [2, 3) where the file system can. */
static bool make_holed(const char *path)
{
    static uint8_t data[MIB];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0;

    memset(data, 7, sizeof(data));
    ok = ok && ftruncate(fd, 5 * MIB) == 0;
    ok = ok && pwrite(fd, data, sizeof(data), 0) == (ssize_t)sizeof(data);
    ok = ok && pwrite(fd, data, sizeof(data), 3 * MIB) == (ssize_t)sizeof(data);
    if (ok && fallocate(fd, 0, 2 * MIB, MIB) != 0) printf("  no fallocate here\n");
    ok = ok && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

TEST(holes_and_reserved_space_are_left_out)
{
    char path[128];
    FileExtent extents[8];
    Error err = {0};
    File file = {0};
    uint32_t n = 0;

    snprintf(path, sizeof(path), "%s/holed", harness_temporary_folder());
    CHECK(make_holed(path));
    CHECK(file_open(&file, path, &err));
    CHECK(extents_find(&file, 3, extents, COUNT(extents), &n, &err));
    CHECK(n >= 1);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t begin = extents[i].offset_bytes, end = begin + extents[i].n_bytes;
        CHECK(extents[i].file == 3);
        CHECK(end <= file.n_bytes);
        CHECK(i == 0 || begin > extents[i - 1].offset_bytes + extents[i - 1].n_bytes);
        CHECK(end <= MIB || (begin >= 3 * MIB && end <= 4 * MIB));
    }
    CHECK(n == 2 && extents[0].n_bytes == MIB && extents[1].n_bytes == MIB);
    file_close(&file);
}

TEST(no_more_than_there_is_room_for)
{
    char path[128];
    FileExtent extents[2] = {{0}, {.n_bytes = 99}};
    Error err = {0};
    File file = {0};
    uint32_t n = 0;

    snprintf(path, sizeof(path), "%s/holed", harness_temporary_folder());
    CHECK(make_holed(path));
    CHECK(file_open(&file, path, &err));
    CHECK(extents_find(&file, 0, extents, 1, &n, &err));
    CHECK(n == 1 && extents[1].n_bytes == 99);
    file_close(&file);
}

/* memfd has no map; SEEK_DATA answers. The last extent ends with the file, not with its page. */
TEST(a_file_system_without_a_map_is_asked_for_data)
{
    static const uint8_t data[10000] = {1};
    FileExtent extents[2];
    Error err = {0};
    File file = {0};
    uint32_t n = 0;

    CHECK(read_sim_file(&file, data, sizeof(data), &err));
    CHECK(extents_find(&file, 0, extents, 2, &n, &err));
    CHECK(n == 1 && extents[0].offset_bytes == 0 && extents[0].n_bytes == sizeof(data));
    file_close(&file);
}

TEST(an_empty_file_has_none)
{
    FileExtent extents[2];
    Error err = {0};
    File file = {0};
    uint32_t n = 9;

    CHECK(read_sim_file(&file, "", 0, &err));
    CHECK(extents_find(&file, 0, extents, 2, &n, &err));
    CHECK(n == 0);
    file_close(&file);
}

TEST(without_memory_it_fails_cleanly)
{
    FileExtent extents[2];
    Error err = {0};
    File file = {0};
    uint32_t n = 9;

    CHECK(read_sim_file(&file, "x", 1, &err));
    fault_arm(FAULT_ALLOC, 1, false);
    CHECK(!extents_find(&file, 0, extents, 2, &n, &err));
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(n == 9);
    file_close(&file);
    CHECK(ledger_total() == 0);
}

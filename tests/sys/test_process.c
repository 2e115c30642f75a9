/* tests/sys/test_process.c - what the kernel counts for us (sys/process.h) */
#include "sys/process.h"

#include <fcntl.h>

#include "sys/cgroup.h"
#include "sys/child.h"
#include "sys/pages.h"

#define MIB ((uint64_t)1 << 20)

TEST(process_memory_follows_what_is_touched)
{
    Pages pages = {0};
    Error err = {0};
    uint64_t before = process_memory();

    if (before == 0) TEST_SKIP("there is no VmRSS in /proc/self/status");
    CHECK(pages_map(&pages, MEM_OTHER, 32 * MIB, PAGES_ON_DEMAND, &err));
    memset(pages.data, 1, 32 * MIB);
    CHECK(process_memory() >= before + 31 * MIB);
    CHECK(process_peak_memory() >= before + 31 * MIB);
    pages_unmap(&pages, MEM_OTHER);
    CHECK(process_memory() < before + 16 * MIB);
    CHECK(process_peak_memory() >= before + 31 * MIB); // a peak stays
}

static void ask_without_proc(const void *argument)
{
    uint64_t resident = *(const uint64_t *)argument;

    CHECK(refuse_call(SYS_openat, 0, 0, ENOENT));
    CHECK(process_peak_memory() >= 32 * MIB);
    CHECK(process_peak_memory() < resident + 256 * MIB);
    CHECK(process_memory() == process_peak_memory());
}

TEST(process_memory_is_known_without_proc)
{
    Pages pages = {0};
    Error err = {0};

    if (!can_refuse_calls()) TEST_SKIP("this machine has no system call filters");
    CHECK(pages_map(&pages, MEM_OTHER, 40 * MIB, PAGES_NOW, &err));
    uint64_t resident = process_peak_memory();
    CHECK(child_status(ask_without_proc, &resident) == 0);
    pages_unmap(&pages, MEM_OTHER);
}

TEST(process_io_counts_bytes_of_the_drive)
{
    static char text[1 << 20];
    char path[256];
    ProcessIo before = process_io();

    if (!before.known) TEST_SKIP("there is no /proc/self/io");
    snprintf(path, sizeof(path), "%s/written", harness_temporary_folder());
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    CHECK(write(fd, text, sizeof(text)) == (ssize_t)sizeof(text));
    CHECK(fsync(fd) == 0);
    close(fd);
    ProcessIo after = process_io();
    CHECK(after.known);
    CHECK(after.read_bytes >= before.read_bytes);
    if (after.written_bytes == before.written_bytes)
        TEST_SKIP("the temporary folder is not on a drive");
    CHECK(after.written_bytes >= before.written_bytes + sizeof(text));
}

TEST(machine_memory_bounds_what_is_available)
{
    if (machine_memory() == 0) TEST_SKIP("there is no /proc/meminfo");
    CHECK(machine_available_memory() > 0);
    CHECK(machine_available_memory() <= machine_memory());
    CHECK(machine_available_memory() <= cgroup_memory_room(""));
}

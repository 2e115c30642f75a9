/* tests/sys/test_pages.c - large aligned memory (sys/pages.h) */
#include "sys/pages.h"

#include <sys/mman.h>

#include "base/fault.h"
#include "harness.h"
#include "sys/kernel_text.h"

#define MIB ((uint64_t)1 << 20)

/* An emulator may accept this advice and do nothing. */
static bool kernel_populates(void)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char resident = 0;
    void *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(page != MAP_FAILED);
    bool accepted = madvise(page, page_bytes, MADV_POPULATE_WRITE) == 0;
    CHECK(mincore(page, page_bytes, &resident) == 0);
    munmap(page, page_bytes);
    return !accepted || resident;
}

static size_t n_resident_pages(const Pages *pages)
{
    static unsigned char resident[4096];
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t n_pages = (size_t)pages->n_bytes / page_bytes, n = 0;

    CHECK(n_pages <= sizeof(resident));
    CHECK(mincore(pages->data, (size_t)pages->n_bytes, resident) == 0);
    for (size_t i = 0; i < n_pages; i++) n += resident[i] & 1u;
    return n;
}

/* AnonHugePages of the mapping that begins at `data`, in bytes; UINT64_MAX: not found. */
static uint64_t huge_bytes_at(const void *data)
{
    static char text[1 << 20];
    char begin[32];
    uint64_t kilobytes = UINT64_MAX / 1024;

    snprintf(begin, sizeof(begin), "%lx-", (unsigned long)(uintptr_t)data);
    if (!kernel_text_read("/proc/self/smaps", text, sizeof(text))) return UINT64_MAX;
    const char *entry = strstr(text, begin);
    if (!entry || !kernel_text_field(entry, "AnonHugePages:", &kilobytes)) return UINT64_MAX;
    return kilobytes * 1024;
}

TEST(pages_are_aligned_booked_and_zero)
{
    static const uint64_t sizes[] = {1, 4096, 4097, MIB, 2 * MIB, 2 * MIB + 1, 5 * MIB + 4096};
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    for (size_t i = 0; i < COUNT(sizes); i++) {
        Pages pages = {0};
        Error err = {0};
        uint64_t held = ledger_held(MEM_RING);
        CHECK(pages_map(&pages, MEM_RING, sizes[i], PAGES_NOW, &err));
        CHECK(pages.n_bytes >= sizes[i]);
        CHECK(pages.n_bytes < sizes[i] + page_bytes);
        CHECK(pages.n_bytes % page_bytes == 0);
        CHECK((uintptr_t)pages.data % (sizes[i] >= 2 * MIB ? 2 * MIB : page_bytes) == 0);
        CHECK(ledger_held(MEM_RING) == held + pages.n_bytes);
        CHECK(pages.data[0] == 0);
        memset(pages.data, 0xff, (size_t)pages.n_bytes);
        pages_unmap(&pages, MEM_RING);
        CHECK(pages.data == NULL);
        CHECK(ledger_held(MEM_RING) == held);
        pages_unmap(&pages, MEM_RING); // twice is harmless
    }
}

TEST(pages_touched_now_are_all_resident)
{
    static const uint64_t sizes[] = {1, 8192, 2 * MIB, 5 * MIB + 4096};
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    if (!kernel_populates()) TEST_SKIP("this kernel, or an emulator, ignores MADV_POPULATE_WRITE");
    for (size_t i = 0; i < COUNT(sizes); i++) {
        Pages pages = {0};
        Error err = {0};
        CHECK(pages_map(&pages, MEM_RING, sizes[i], PAGES_NOW, &err));
        CHECK(n_resident_pages(&pages) == pages.n_bytes / page_bytes);
        pages_unmap(&pages, MEM_RING);
    }
}

TEST(pages_of_no_bytes_are_empty)
{
    Pages pages = {.n_bytes = 7};
    Error err = {0};

    CHECK(pages_map(&pages, MEM_RING, 0, PAGES_NOW, &err));
    CHECK(pages.data == NULL);
    CHECK(pages.n_bytes == 0);
    pages_unmap(&pages, MEM_RING);
}

TEST(pages_on_demand_take_no_memory_before_use)
{
    Pages pages = {0};
    Error err = {0};

    CHECK(pages_map(&pages, MEM_RING, 4 * MIB, PAGES_ON_DEMAND, &err));
    CHECK(n_resident_pages(&pages) == 0);
    pages.data[0] = 1;
    CHECK(n_resident_pages(&pages) <= 2 * MIB / (size_t)sysconf(_SC_PAGESIZE));
    pages_unmap(&pages, MEM_RING);
}

TEST(pages_are_huge_where_whole_and_small_in_the_tail)
{
    char mode[64];
    Pages pages = {0};
    Error err = {0};

    if (!kernel_text_read("/sys/kernel/mm/transparent_hugepage/enabled", mode, sizeof(mode))
        || strstr(mode, "[never]"))
        TEST_SKIP("this kernel has no transparent huge pages");
    if (!kernel_populates()) TEST_SKIP("this kernel, or an emulator, ignores advice");
    CHECK(pages_map(&pages, MEM_RING, 4 * MIB + 8192, PAGES_NOW, &err));
    uint64_t huge_bytes = huge_bytes_at(pages.data);
    CHECK(huge_bytes == 2 * MIB || huge_bytes == 4 * MIB);
    CHECK(huge_bytes_at(pages.data + 4 * MIB) == 0); // a mapping of its own, by the advice
    pages_unmap(&pages, MEM_RING);
}

static uint64_t mapped_kilobytes(void)
{
    char text[4096];
    uint64_t kilobytes = 0;

    CHECK(kernel_text_read("/proc/self/status", text, sizeof(text)));
    CHECK(kernel_text_field(text, "VmSize:", &kilobytes));
    return kilobytes;
}

TEST(pages_map_no_more_than_they_book)
{
    Pages pages = {0};
    Error err = {0};
    uint64_t before = mapped_kilobytes();

    if (!kernel_populates()) TEST_SKIP("an emulator reserves address space of its own");
    CHECK(pages_map(&pages, MEM_RING, 3 * MIB, PAGES_ON_DEMAND, &err));
    CHECK(mapped_kilobytes() == before + 3 * 1024);
    pages_unmap(&pages, MEM_RING);
    CHECK(mapped_kilobytes() == before);
}

TEST(pages_ask_the_ledger_first)
{
    Pages pages = {.n_bytes = 7};
    Error err = {0};
    uint64_t held = ledger_total();

    ledger_set_limit(held + MIB);
    CHECK(!pages_map(&pages, MEM_CACHE, 2 * MIB, PAGES_NOW, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    CHECK(pages.n_bytes == 7);
    ledger_set_limit(0);
    CHECK(ledger_total() == held);
}

TEST(pages_failure_holds_nothing)
{
    Pages pages = {0};
    Error err = {0};
    uint64_t held = ledger_total();

    fault_arm(FAULT_ALLOC, 1, false);
    CHECK(!pages_map(&pages, MEM_CACHE, MIB, PAGES_NOW, &err));
    CHECK(fault_count(FAULT_ALLOC) == 1);
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(!pages_map(&pages, MEM_CACHE, (uint64_t)1 << 62, PAGES_ON_DEMAND, &err));
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(!pages_map(&pages, MEM_CACHE, UINT64_MAX, PAGES_ON_DEMAND, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    CHECK(pages.data == NULL);
    CHECK(ledger_total() == held);
}

/* Pages of a range that are in memory. */
static uint64_t resident_bytes(const uint8_t *data, uint64_t n_bytes)
{
    static unsigned char resident[16 * 256];
    uint64_t n = 0;

    CHECK(n_bytes / 4096 <= sizeof resident
          && mincore((void *)(uintptr_t)data, n_bytes, resident) == 0);
    for (uint64_t i = 0; i < n_bytes / 4096; i++) n += resident[i] & 1;
    return n * 4096;
}

TEST(pages_are_given_back_and_taken_again)
{
    Pages pages;
    Error err = {0};
    uint64_t held = ledger_total();

    CHECK(pages_map(&pages, MEM_CACHE, 8 * MIB, PAGES_NOW, &err));
    memset(pages.data, 7, 8 * MIB);
    CHECK(pages_give_back(&pages, MEM_CACHE, 2 * MIB, 4 * MIB));
    CHECK(ledger_total() == held + 4 * MIB && ledger_held(MEM_CACHE) == 4 * MIB);
    CHECK(resident_bytes(pages.data, 2 * MIB) == 2 * MIB);
    CHECK(resident_bytes(pages.data + 2 * MIB, 4 * MIB) == 0);
    CHECK(pages.data[2 * MIB - 1] == 7 && pages.data[6 * MIB] == 7);

    ledger_set_limit(ledger_total() + 3 * MIB);
    CHECK(!pages_take_back(&pages, MEM_CACHE, 4 * MIB, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    CHECK(pages_take_back(&pages, MEM_CACHE, 2 * MIB, &err));
    ledger_set_limit(0);
    CHECK(ledger_held(MEM_CACHE) == 6 * MIB);
    pages.data[2 * MIB] = 9;
    CHECK(resident_bytes(pages.data + 2 * MIB, 2 * MIB) >= 4096);
    pages_unmap(&pages, MEM_CACHE); // with 2 MiB given back
    CHECK(ledger_total() == held);
}

TEST(locked_pages_are_not_given_back)
{
    Pages pages, none = {0};
    Error err = {0};

    CHECK(pages_lock(&none)); // nothing to lock
    CHECK(pages_map(&pages, MEM_CACHE, 2 * MIB, PAGES_NOW, &err));
    bool is_locked = pages_lock(&pages);
    if (is_locked) CHECK(!pages_give_back(&pages, MEM_CACHE, 0, 2 * MIB));
    CHECK(ledger_held(MEM_CACHE) == 2 * MIB);
    pages_unmap(&pages, MEM_CACHE);
    if (!is_locked) TEST_SKIP("no 2 MiB may be locked in memory (RLIMIT_MEMLOCK)");
}

/* Large memory, taken once. The direct reads of a drive go through lists of physically
 * contiguous pieces: 256 of them for 1 MiB in small pages, one in a huge page, and that is
 * most of the difference in throughput. The ledger is asked first, and what it books is
 * the most that can become resident: a huge page never reaches past n_bytes. */
#include "sys/pages.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/size.h"

#define HUGE_PAGE_BYTES ((uint64_t)2 << 20)

static void *map_anonymous(uint64_t n_bytes)
{
    void *data =
        mmap(NULL, (size_t)n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? NULL : data;
}

/* Maps one huge page more than wanted and gives back what lies outside the aligned part. */
static uint8_t *map_aligned(uint64_t n_bytes)
{
    uint64_t n_mapped;

    if (!size_add(n_bytes, HUGE_PAGE_BYTES, &n_mapped)) return NULL;
    uint8_t *mapped = map_anonymous(n_mapped);
    if (!mapped) return NULL;

    uint64_t head = size_align_up((uintptr_t)mapped, HUGE_PAGE_BYTES) - (uintptr_t)mapped;
    uint64_t tail = n_mapped - head - n_bytes;
    if (head > 0) munmap(mapped, (size_t)head);
    if (tail > 0) munmap(mapped + head + n_bytes, (size_t)tail);
    return mapped + head;
}

/* Advice only: a kernel without transparent huge pages refuses, and all is well. */
static void advise_page_sizes(uint8_t *data, uint64_t n_bytes)
{
    uint64_t huge = size_align_down(n_bytes, HUGE_PAGE_BYTES);

    if (huge > 0) (void)madvise(data, (size_t)huge, MADV_HUGEPAGE);
    if (huge < n_bytes) (void)madvise(data + huge, (size_t)(n_bytes - huge), MADV_NOHUGEPAGE);
}

static bool touch_all(uint8_t *data, uint64_t n_bytes, uint64_t page_bytes)
{
    if (madvise(data, (size_t)n_bytes, MADV_POPULATE_WRITE) == 0) return true;
    if (errno != EINVAL && errno != EINTR && errno != EAGAIN) return false;

    // Linux before 5.14. The memory is fresh, so writing zeros changes nothing.
    volatile uint8_t *bytes = data;
    for (uint64_t i = 0; i < n_bytes; i += page_bytes) bytes[i] = 0;
    return true;
}

bool pages_map(Pages *pages, MemKind kind, uint64_t n_bytes, PagesTouch touch, Error *err)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t wanted;
    uint8_t *data;

    if (n_bytes == 0) {
        *pages = (Pages){0};
        return true;
    }
    if (!size_add(n_bytes, page_bytes - 1, &wanted))
        return error_set(err, ERROR_TOO_LARGE, "%" PRIu64 " bytes of %s do not fit any memory",
            n_bytes, mem_kind_name(kind));
    wanted = size_align_down(wanted, page_bytes);
    if (fault_hits(FAULT_ALLOC))
        return error_set(err, ERROR_OUT_OF_MEMORY, "%" PRIu64 " bytes of %s: fault on purpose",
            wanted, mem_kind_name(kind));
    if (!ledger_book(kind, wanted, err)) return false;

    data = wanted >= HUGE_PAGE_BYTES ? map_aligned(wanted) : map_anonymous(wanted);
    if (!data) goto fail;
    advise_page_sizes(data, wanted);
    if (touch == PAGES_NOW && !touch_all(data, wanted, page_bytes)) goto fail;
    *pages = (Pages){.data = data, .n_bytes = wanted, .mapping = data, .mapping_bytes = wanted};
    return true;

fail:
    error_set(err, ERROR_OUT_OF_MEMORY, "%" PRIu64 " bytes of %s: %s", wanted, mem_kind_name(kind),
        strerror(errno));
    if (data) munmap(data, (size_t)wanted);
    ledger_release(kind, wanted);
    return false;
}

void pages_unmap(Pages *pages, MemKind kind)
{
    if (pages->mapping) {
        munmap(pages->mapping, (size_t)pages->mapping_bytes);
        ledger_release(kind, pages->n_bytes - pages->n_bytes_back);
    }
    *pages = (Pages){0};
}

bool pages_give_back(Pages *pages, MemKind kind, uint64_t offset_bytes, uint64_t n_bytes)
{
    assert(n_bytes <= pages->n_bytes - pages->n_bytes_back);
    assert(offset_bytes <= pages->n_bytes - n_bytes);
    if (n_bytes == 0) return true;
    if (madvise(pages->data + offset_bytes, (size_t)n_bytes, MADV_DONTNEED) != 0) return false;
    pages->n_bytes_back += n_bytes;
    ledger_release(kind, n_bytes);
    return true;
}

bool pages_take_back(Pages *pages, MemKind kind, uint64_t n_bytes, Error *err)
{
    assert(n_bytes <= pages->n_bytes_back);
    if (!ledger_book(kind, n_bytes, err)) return false;
    pages->n_bytes_back -= n_bytes;
    return true;
}

bool pages_lock(const Pages *pages)
{
    return pages->n_bytes == 0 || mlock2(pages->data, (size_t)pages->n_bytes, MLOCK_ONFAULT) == 0;
}

/* Page-aligned anonymous memory, in huge pages where the kernel gives them: reads into
 * huge pages are 1.7 to 3.2 times as fast as into small ones. */
#ifndef HYPURA_SYS_PAGES_H
#define HYPURA_SYS_PAGES_H

#include "base/error.h"
#include "base/ledger.h"

typedef struct Pages {
    uint8_t *data;         // 2 MiB aligned when n_bytes >= 2 MiB, else page aligned
    uint64_t n_bytes;      // multiple of the page size; as booked, but for what is given back
    uint64_t n_bytes_back; // of these, given back for the time being
    void *mapping;         // what munmap gets
    uint64_t mapping_bytes;
} Pages;

typedef enum PagesTouch { PAGES_ON_DEMAND, PAGES_NOW } PagesTouch;

/* Books n_bytes (rounded up to a page) as `kind`, maps and, with PAGES_NOW, touches it.
 * Resident memory never exceeds what is booked: the tail that does not fill a huge page
 * is advised to use small ones. On failure nothing is held. Fault point FAULT_ALLOC. */
CHECKED bool pages_map(Pages *pages, MemKind kind, uint64_t n_bytes, PagesTouch touch, Error *err);
void pages_unmap(Pages *pages, MemKind kind);

/* Gives a range of whole pages back to the system and to the ledger, for a time: what was in it
 * is lost, the addresses stay. Whole huge pages are free at once; of others a rest may stay until
 * the system looks for memory. False: the system keeps it (it is locked), nothing has changed.
 * Memory that a ring has registered would not become free: it must not be. */
bool pages_give_back(Pages *pages, MemKind kind, uint64_t offset_bytes, uint64_t n_bytes);

/* Books such a range again; its pages come with their first use. BUDGET: nothing has changed. */
CHECKED bool pages_take_back(Pages *pages, MemKind kind, uint64_t n_bytes, Error *err);

/* Keeps it from being swapped, page by page as it is touched. False: not permitted
 * (RLIMIT_MEMLOCK), and nothing depends on it. */
bool pages_lock(const Pages *pages);

#endif

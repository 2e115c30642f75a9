/* Places: page-aligned memory, handed out once to the slots that will live in it. Huge
 * pages under all of them; no slot ever gives its place back. */
#ifndef HYPURA_STORE_PLACES_H
#define HYPURA_STORE_PLACES_H

#include "sys/pages.h"

typedef struct Places {
    Pages pages;
    MemKind kind;
    uint32_t alignment;
    uint64_t
        begin_bytes; // where the first place starts: the alignment's first multiple in the pages
    uint64_t taken_bytes; // places handed out, from begin_bytes on
} Places;

/* The unit of every place: whole pages, and whole alignments. */
uint32_t places_unit_bytes(uint32_t alignment);

/* What places of n_bytes together (a multiple of the unit) need from the ledger. */
uint64_t places_held_bytes(uint64_t n_bytes, uint32_t alignment);

/* Memory for places of n_bytes together; 0: none. On failure nothing is held. */
CHECKED bool places_init(Places *places, MemKind kind, uint64_t n_bytes, uint32_t alignment,
    PagesTouch touch, Error *err);
void places_destroy(Places *places);

/* The next n_bytes, rounded up to the unit; the sum of all is what places_init was given. */
uint8_t *places_take(Places *places, uint64_t n_bytes);

#endif

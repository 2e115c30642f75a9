/* Memory for slots, taken from the ledger once and cut up once.
 *
 * Everything that is ever read lands here, so these pages are what the reader registers.
 * Places are whole pages: sums of places are then exactly what the ledger books. */
#include "store/places.h"

#include <assert.h>

#include "base/size.h"

#define PAGE_BYTES 4096u

uint32_t places_unit_bytes(uint32_t alignment)
{
    return alignment > PAGE_BYTES ? alignment : PAGE_BYTES;
}

uint64_t places_held_bytes(uint64_t n_bytes, uint32_t alignment)
{
    if (n_bytes == 0) return 0;
    return n_bytes + places_unit_bytes(alignment) - PAGE_BYTES; // small mappings begin at any page
}

bool places_init(Places *places, MemKind kind, uint64_t n_bytes, uint32_t alignment,
    PagesTouch touch, Error *err)
{
    uint64_t held_bytes = places_held_bytes(n_bytes, alignment);

    *places = (Places){.kind = kind, .alignment = alignment};
    assert(n_bytes % places_unit_bytes(alignment) == 0);
    if (n_bytes == 0) return true;
    if (!pages_map(&places->pages, kind, held_bytes, touch, err)) return false;
    uint64_t address = (uintptr_t)places->pages.data;
    places->begin_bytes = size_align_up(address, places_unit_bytes(alignment)) - address;
    return true;
}

void places_destroy(Places *places)
{
    if (places->pages.data) pages_unmap(&places->pages, places->kind);
    *places = (Places){0};
}

uint8_t *places_take(Places *places, uint64_t n_bytes)
{
    uint64_t place_bytes = size_align_up(n_bytes, places_unit_bytes(places->alignment));
    uint8_t *place = places->pages.data + places->begin_bytes + places->taken_bytes;

    places->taken_bytes += place_bytes;
    assert(places->begin_bytes + places->taken_bytes <= places->pages.n_bytes);
    return place;
}

/* The table of ggml types. One row a type in traits.h; nothing else knows block sizes.
 *
 * Files are little-endian, and so is every machine this builds for: blocks are read in
 * place, without swapping. */
#include "quant/traits.h"

#include <assert.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blocks are read in place");

#define X(number, name, elements, bytes) [number] = {#name, elements, bytes},
static const QuantTraits quant_traits[QUANT_TYPES_END] = {QUANT_TYPES(X)};
#undef X

const QuantTraits *quant_find(uint32_t number)
{
    if (number >= COUNT(quant_traits) || !quant_traits[number].name) return NULL;
    return &quant_traits[number];
}

const QuantTraits *quant_get(QuantType type)
{
    const QuantTraits *traits = quant_find((uint32_t)type);
    assert(traits);
    return traits;
}

bool quant_find_name(const char *name, QuantType *out)
{
    for (uint32_t number = 0; number < COUNT(quant_traits); number++) {
        if (!quant_traits[number].name || strcmp(quant_traits[number].name, name) != 0) continue;
        *out = (QuantType)number;
        return true;
    }
    return false;
}

uint64_t quant_row_bytes(QuantType type, uint64_t n_cols)
{
    const QuantTraits *traits = quant_get(type);
    assert(n_cols % traits->block_elements == 0);
    assert(n_cols / traits->block_elements <= UINT64_MAX / traits->block_bytes);
    return n_cols / traits->block_elements * traits->block_bytes;
}

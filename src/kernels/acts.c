/* Sizes of activation records; acts.h has the layout, the kernel tables fill it. */
#include "kernels/acts.h"

#include "base/size.h"

uint32_t acts_n_units(const Acts *acts)
{
    if (!acts_in_panels(acts->kind, acts->n_rows)) return acts->n_rows;
    return (acts->n_rows - 1) / ACTS_PANEL_ROWS + 1;
}

uint64_t acts_bytes(ActKind kind, uint32_t n_rows, uint32_t n_cols)
{
    Acts acts = {.kind = kind, .n_rows = n_rows, .n_cols = n_cols};
    uint64_t n_bytes;

    if (!size_mul(acts_n_units(&acts), acts_record_bytes(kind, n_rows, n_cols), &n_bytes))
        return UINT64_MAX;
    return n_bytes;
}

/* For the kernel tests: the tables that this machine can run, and row-by-row calls. */
#ifndef HYPURA_TESTS_KERNELS_TABLES_H
#define HYPURA_TESTS_KERNELS_TABLES_H

#include "kernels/kernels.h"
#include "sys/cpu.h"

#include <assert.h>
#include <stdlib.h>

/* The next table of this CPU after `table` (NULL: the first); NULL: no more. */
static inline const Kernels *next_table(const Kernels *table)
{
    bool passed = table == NULL;

    for (uint32_t i = 0; i < kernels_n_tables(); i++) {
        const Kernels *candidate = kernels_table(i);
        bool runs = (candidate->cpu_features & ~cpu_features()) == 0;
        if (passed && runs) return candidate;
        if (candidate == table) passed = true;
    }
    return NULL;
}

/* Room for acts, and all its units filled from rows that follow each other. */
static inline Acts acts_of(
    const Kernels *table, ActKind kind, const float *x, uint32_t n_rows, uint32_t n_cols)
{
    Acts acts = {.kind = kind, .n_rows = n_rows, .n_cols = n_cols};
    uint64_t n_bytes = acts_bytes(kind, n_rows, n_cols);

    acts.data = aligned_alloc(ACTS_ALIGNMENT, n_bytes ? n_bytes : ACTS_ALIGNMENT);
    assert(acts.data);
    for (uint32_t unit = 0; unit < acts_n_units(&acts); unit++)
        table->acts_fill(&acts, x, n_cols, NULL, unit);
    return acts;
}

static inline void acts_drop(Acts *acts)
{
    free(acts->data);
    *acts = (Acts){0};
}

/* One weight row times one activation row. `w` is readable 64 bytes past its end. */
static inline float dot_row(
    const Kernels *table, QuantType type, const uint8_t *w, const float *x, uint32_t n_cols)
{
    Acts acts = acts_of(table, kernels_act_kind(type), x, 1, n_cols);
    float y = 0;

    table->matmul[type](&y, 1, w, quant_row_bytes(type, n_cols), 1, &acts);
    acts_drop(&acts);
    return y;
}

#endif

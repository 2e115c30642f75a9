/* Which functions a CPU runs: one row per instruction set, from the definition upwards. A
 * row names only what it does better; the rest falls back to the row before, once, so that
 * callers see complete tables. */
#include "kernels/kernels.h"

#include "kernels/ref/ref.h"
#include "sys/cpu.h"
#ifdef __x86_64__
#    include "kernels/avx2/avx2.h"
#    include "kernels/avx512/avx512.h"
#endif

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const Kernels *const rows[] = {
    &kernels_ref,
#ifdef __x86_64__
    &kernels_avx2,
    &kernels_avx512,
#endif
};

/* Every name that HYPURA_ISA may hold, with or without a row in this build. */
static const char *const isa_names[] = {
    "scalar", "avx2", "avx512", "amx", "neon", "dotprod", "i8mm"};

/* The rows with their gaps filled; constant from fill_tables() on. */
static Kernels tables[COUNT(rows)];
static pthread_once_t tables_filled = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    tables[0] = *rows[0];
    for (size_t i = 1; i < COUNT(rows); i++) {
        tables[i] = tables[i - 1];
        tables[i].isa = rows[i]->isa;
        tables[i].cpu_features = rows[i]->cpu_features;
        for (size_t type = 0; type < QUANT_TYPES_END; type++)
            if (rows[i]->matmul[type]) tables[i].matmul[type] = rows[i]->matmul[type];
#define X(entry) \
    if (rows[i]->entry) tables[i].entry = rows[i]->entry;
        KERNEL_ENTRIES(X)
#undef X
    }
}

uint32_t kernels_n_tables(void)
{
    return COUNT(rows);
}

const Kernels *kernels_table(uint32_t index)
{
    assert(index < COUNT(rows));
    pthread_once(&tables_filled, fill_tables);
    return &tables[index];
}

static bool cpu_has_row(uint32_t cpu_features, const Kernels *row)
{
    return (row->cpu_features & ~cpu_features) == 0;
}

/* "scalar, avx2": the rows that these features can run. */
static void list_rows(uint32_t cpu_features, char *out, size_t out_bytes)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < COUNT(rows) && n < out_bytes; i++)
        if (cpu_has_row(cpu_features, rows[i]))
            n += (size_t)snprintf(out + n, out_bytes - n, "%s%s", n > 0 ? ", " : "", rows[i]->isa);
}

static bool isa_is_known(const char *name)
{
    for (size_t i = 0; i < COUNT(isa_names); i++)
        if (strcmp(isa_names[i], name) == 0) return true;
    return false;
}

const Kernels *kernels_select(uint32_t cpu_features, const char *isa_limit, Error *err)
{
    bool limited = isa_limit && *isa_limit;
    char present[64];

    for (uint32_t i = COUNT(rows); i-- > 0;) {
        const Kernels *table = kernels_table(i);
        if (!cpu_has_row(cpu_features, table)) continue;
        if (!limited || strcmp(isa_limit, table->isa) == 0) return table;
    }
    list_rows(cpu_features, present, sizeof present);
    error_set(err, ERROR_USAGE, "HYPURA_ISA=%s: %s; this machine has %s", isa_limit,
        isa_is_known(isa_limit) ? "not available here" : "no such instruction set", present);
    return NULL;
}

ActKind kernels_act_kind(QuantType type)
{
#define X(function, name, act) [QUANT_##name] = act,
    static const ActKind kinds[QUANT_TYPES_END] = {MATMUL_TYPES(X)};
#undef X
    _Static_assert(ACT_F32 == 0, "the kind of types without a row");

    return kinds[type];
}

/* The proof that overlays repeat the definition: each entry of each table that this CPU can
 * run is called beside ref/ on the same inputs, and the outputs are compared by bits (after
 * checkasm of FFmpeg and dav1d, but without tolerance: canonical arithmetic has none). The
 * list of checks is made from the list of entries, so that none can be forgotten. */
#include "kernels/kcheck.h"

#include "base/mem.h"
#include "kernels/internal.h"
#include "kernels/ref/ref.h"
#include "quant/f16.h"
#include "sys/cpu.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    CheckFn *check;
} entry_checks[] = {
#define X(entry) {#entry, check_##entry},
    KERNEL_ENTRIES(X)
#undef X
};

uint32_t check_pick(Check *check, const uint32_t *list, size_t n)
{
    return list[rng_below(&check->rng, n)];
}

static float finite_bits(Rng *rng)
{
    uint32_t bits;

    do bits = (uint32_t)rng_next(rng);
    while ((bits & 0x7f800000u) == 0x7f800000u);
    return f32_from_bits(bits);
}

static float draw(Rng *rng, CheckData data)
{
    float plain = rng_unit(rng) * 8.0f - 4.0f;
    uint64_t die = rng_below(rng, 1024);

    switch (data) {
    case DATA_PLAIN: return plain;
    case DATA_WIDE: return finite_bits(rng);
    case DATA_TINY: return plain * 1e-30f;
    case DATA_OUTLIER: return die % 64 == 0 ? plain * 300.0f : plain;
    case DATA_ZEROS: return plain; // see shrink_runs
    case DATA_TIES: return die % 64 == 0 ? 127.0f : rintf(plain * 31.0f) + 0.5f;
    case DATA_POISON:
        if (die == 0) return NAN;
        return die == 1 ? -INFINITY : plain;
    case DATA_KINDS: break;
    }
    return plain;
}

/* Makes runs of zeros, of denormals, and of what lies around 2^-80, where quantising begins
 * to see a block as zero (section 3). */
static void shrink_runs(Rng *rng, float *x, size_t n)
{
    static const float factors[] = {0.0f, 0x1p-140f, 0x1p-84f, 0x1p-81f, 0x1p-81f};
    uint64_t run = 0;

    for (size_t i = 0; i < n; i++) {
        if (i % 256 == 0 || (i % 32 == 0 && rng_below(rng, 8) == 0)) run = rng_below(rng, 6);
        if (run < COUNT(factors))
            x[i] = x[i] * factors[run];
        else
            x[i] = copysignf(i % 7 == 0 ? 0x1p-80f : 0.0f, x[i]); // the limit itself
    }
}

float *check_input(Check *check, uint32_t index, size_t n, CheckData data)
{
    float *x = (float *)(void *)check_bytes(check, index + COUNT(check->bytes), n * 4, 4);
    float factor = 1.0f + rng_unit(&check->rng); // else x * inverse and x / d agree on ties

    for (size_t i = 0; i < n; i++) x[i] = draw(&check->rng, data);
    if (data == DATA_ZEROS) shrink_runs(&check->rng, x, n);
    for (size_t i = 0; data == DATA_TIES && i < n; i++) x[i] = x[i] * factor;
    return x;
}

uint8_t *check_bytes(Check *check, uint32_t index, size_t n, size_t alignment)
{
    bool is_input = index >= COUNT(check->bytes);
    CheckBuffer *buffer =
        is_input ? &check->inputs[index - COUNT(check->bytes)] : &check->bytes[index];

    assert(n + alignment <= buffer->n_bytes);
    uintptr_t start = (uintptr_t)(buffer->data + buffer->n_bytes - n);
    return buffer->data + buffer->n_bytes - n - start % alignment;
}

float *check_output(Check *check, uint32_t which, size_t n)
{
    assert(n + 2 * CHECK_GUARD <= CHECK_OUTPUT_FLOATS);
    check->n_output = n;
    memset(check->outputs[which].data, 0xa5, (n + 2 * CHECK_GUARD) * sizeof(float));
    return (float *)(void *)check->outputs[which].data + CHECK_GUARD;
}

static bool same_float(float a, float b)
{
    return f32_to_bits(a) == f32_to_bits(b) || (isnan(a) && isnan(b));
}

static void count_case(KcheckRow *row, bool same)
{
    row->n_cases++;
    if (!same) row->n_mismatches++;
}

void check_outputs(Check *check, uint32_t t, const char *label)
{
    KcheckRow *row = &check->rows[t];
    const float *want = (const float *)(const void *)check->outputs[0].data;
    const float *got = (const float *)(const void *)check->outputs[1].data;
    size_t n = check->n_output + 2 * CHECK_GUARD, i = 0;

    while (i < n && same_float(want[i], got[i])) i++;
    if (i < n && row->n_mismatches == 0)
        snprintf(row->first_mismatch, sizeof row->first_mismatch, "%s: [%td] %08x, not %08x", label,
            (ptrdiff_t)i - CHECK_GUARD, f32_to_bits(got[i]), f32_to_bits(want[i]));
    count_case(row, i == n);
}

void check_same_bytes(
    Check *check, uint32_t t, const void *want, const void *got, size_t n_bytes, const char *label)
{
    KcheckRow *row = &check->rows[t];
    const uint8_t *a = want, *b = got;
    size_t i = 0;

    while (i < n_bytes && a[i] == b[i]) i++;
    if (i < n_bytes && row->n_mismatches == 0)
        snprintf(row->first_mismatch, sizeof row->first_mismatch,
            "%s: byte %zu of %zu: %02x, not %02x", label, i, n_bytes, b[i], a[i]);
    count_case(row, i == n_bytes);
}

static bool buffer_init(CheckBuffer *buffer, size_t n_bytes, Error *err)
{
    buffer->data = mem_alloc(MEM_OTHER, n_bytes, err);
    buffer->n_bytes = n_bytes;
    return buffer->data != NULL;
}

static void check_destroy(Check *check)
{
    for (size_t i = 0; i < COUNT(check->inputs); i++) mem_free(MEM_OTHER, check->inputs[i].data);
    for (size_t i = 0; i < COUNT(check->bytes); i++) mem_free(MEM_OTHER, check->bytes[i].data);
    for (size_t i = 0; i < COUNT(check->outputs); i++) mem_free(MEM_OTHER, check->outputs[i].data);
}

static bool check_init(Check *check, uint64_t seed, Error *err)
{
    *check = (Check){.rng = rng_seeded(seed)};
    for (uint32_t i = 0; i < kernels_n_tables(); i++) {
        const Kernels *table = kernels_table(i);
        if ((table->cpu_features & ~cpu_features()) != 0) continue;
        assert(check->n_tables < CHECK_TABLES_MAX);
        check->tables[check->n_tables++] = table;
    }
    for (size_t i = 0; i < COUNT(check->inputs); i++)
        if (!buffer_init(&check->inputs[i], CHECK_INPUT_FLOATS * sizeof(float), err)) return false;
    for (size_t i = 0; i < COUNT(check->bytes); i++)
        if (!buffer_init(&check->bytes[i], CHECK_BYTES, err)) return false;
    for (size_t i = 0; i < COUNT(check->outputs); i++)
        if (!buffer_init(&check->outputs[i], CHECK_OUTPUT_FLOATS * sizeof(float), err))
            return false;
    return true;
}

/* Names the next rows of the report, one a table, and makes them those at hand. */
static void begin_entry(Check *check, KcheckReport *report, const char *name, const char *variant)
{
    check->rows = report->rows + report->n_rows;
    for (uint32_t t = 0; t < check->n_tables; t++) {
        check->rows[t] = (KcheckRow){.isa = check->tables[t]->isa};
        snprintf(check->rows[t].entry, sizeof check->rows[t].entry, "%s%s%s", name,
            *variant ? " " : "", variant);
    }
    report->n_rows += check->n_tables;
}

static bool has_matmul(const Check *check, QuantType type)
{
    for (uint32_t t = 0; t < check->n_tables; t++)
        if (check->tables[t]->matmul[type]) return true;
    return false;
}

static void check_all(Check *check, bool bench, KcheckReport *report)
{
    for (uint32_t number = 0; number < QUANT_TYPES_END; number++) {
        QuantType type = (QuantType)number;
        if (!has_matmul(check, type)) continue;
        begin_entry(check, report, "matmul", quant_get(type)->name);
        check_matmul(check, type);
        for (uint32_t t = 0; bench && t < check->n_tables; t++) bench_matmul(check, t, type);
    }
    for (size_t i = 0; i < COUNT(entry_checks); i++) {
        begin_entry(check, report, entry_checks[i].name, "");
        entry_checks[i].check(check);
        for (uint32_t t = 0; bench && t < check->n_tables; t++)
            bench_entry(check, t, entry_checks[i].name);
    }
    for (size_t i = 0; i < report->n_rows; i++)
        report->n_mismatches += report->rows[i].n_mismatches;
}

bool kcheck_run(uint64_t seed, bool bench, KcheckReport *report, Error *err)
{
    size_t n_rows = (QUANT_TYPES_END + COUNT(entry_checks)) * (size_t)kernels_n_tables();
    KcheckRow *rows = mem_alloc_array(MEM_OTHER, n_rows, sizeof(KcheckRow), err);
    Check check = {0};
    bool done = false;

    if (!rows) return false;
    if (!check_init(&check, seed, err)) goto out;
    *report = (KcheckReport){.seed = seed, .rows = rows};
    check_all(&check, bench, report);
    done = true;

out:
    check_destroy(&check);
    if (!done) mem_free(MEM_OTHER, rows);
    return done;
}

void kcheck_free(KcheckReport *report)
{
    mem_free(MEM_OTHER, report->rows);
    *report = (KcheckReport){0};
}

/* kcheck as its users see it: all rows of this machine agree with the definition, and a table
 * that is wrong in one bit is caught. */
#include "harness.h"
#include "kernels/kcheck.h"
#include "kernels/tables.h"

#include "base/fault.h"
#include "base/ledger.h"

/* One run without faults, made when first asked for; what it allocated is counted. */
static const KcheckReport *whole_run(uint64_t *n_allocations)
{
    static KcheckReport report;
    static uint64_t n;
    Error err = {0};

    if (!report.rows) {
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK(kcheck_run(harness_seed(), false, &report, &err));
        n = fault_count(FAULT_ALLOC);
    }
    if (n_allocations) *n_allocations = n;
    return &report;
}

TEST(every_entry_of_every_table_repeats_the_definition)
{
    const KcheckReport *report = whole_run(NULL);

    CHECK(report->seed == harness_seed());
    CHECK(report->n_mismatches == 0);
    for (size_t i = 0; i < report->n_rows; i++) {
        const KcheckRow *row = &report->rows[i];
        CHECK_CASE(row->entry, row->n_cases > 0);
        if (CHECK_CASE(row->entry, row->n_mismatches == 0)) continue;
        printf("    %s on %s: %s\n", row->entry, row->isa, row->first_mismatch);
    }
}

TEST(report_has_a_row_for_each_entry_and_table)
{
    const KcheckReport *report = whole_run(NULL);
    size_t n_tables = 0, n_entries = 0;

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) n_tables++;
#define X(entry) n_entries++;
    KERNEL_ENTRIES(X)
#undef X
    for (size_t type = 0; type < QUANT_TYPES_END; type++)
        if (kernels_table(0)->matmul[type]) n_entries++;

    CHECK(report->n_rows == n_entries * n_tables);
    CHECK(strcmp(report->rows[0].entry, "matmul F32") == 0);
    CHECK(strcmp(report->rows[0].isa, "scalar") == 0);
    CHECK(strcmp(report->rows[report->n_rows - 1].entry, "attention_finish") == 0);
}

TEST(kcheck_without_memory_fails_and_holds_nothing)
{
    uint64_t n_allocations;

    whole_run(&n_allocations);
    CHECK(n_allocations > 0);
    for (uint64_t nth = 1; nth <= n_allocations; nth++) {
        KcheckReport report = {.seed = 77};
        Error err = {0};
        uint64_t held = ledger_total();
        fault_arm(FAULT_ALLOC, nth, false);
        CHECK(!kcheck_run(1, false, &report, &err));
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(report.seed == 77 && !report.rows);
        CHECK(ledger_total() == held);
    }
}

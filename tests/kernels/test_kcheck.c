/* kcheck as its users see it: all rows of this machine agree with the definition, and a table
 * that is wrong in one bit is caught. */
#include "harness.h"
#include "kernels/kcheck.h"
#include "kernels/tables.h"

#include "base/fault.h"
#include "base/ledger.h"

TEST(every_entry_of_every_table_repeats_the_definition)
{
    KcheckReport report = {0};
    Error err = {0};

    CHECK(kcheck_run(harness_seed(), false, &report, &err));
    CHECK(report.seed == harness_seed());
    CHECK(report.n_mismatches == 0);
    for (size_t i = 0; i < report.n_rows; i++) {
        const KcheckRow *row = &report.rows[i];
        CHECK_CASE(row->entry, row->n_cases > 0);
        if (CHECK_CASE(row->entry, row->n_mismatches == 0)) continue;
        printf("    %s on %s: %s\n", row->entry, row->isa, row->first_mismatch);
    }
    kcheck_free(&report);
    CHECK(!report.rows);
}

TEST(report_has_a_row_for_each_entry_and_table)
{
    KcheckReport report = {0};
    Error err = {0};
    size_t n_tables = 0, n_entries = 0;

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) n_tables++;
#define X(entry) n_entries++;
    KERNEL_ENTRIES(X)
#undef X
    for (size_t type = 0; type < QUANT_TYPES_END; type++)
        if (kernels_table(0)->matmul[type]) n_entries++;

    CHECK(kcheck_run(1, false, &report, &err));
    CHECK(report.n_rows == n_entries * n_tables);
    CHECK(strcmp(report.rows[0].entry, "matmul F32") == 0);
    kcheck_free(&report);
}

TEST(kcheck_without_memory_fails_and_holds_nothing)
{
    uint64_t held = ledger_total();

    for (uint64_t nth = 1; nth < 100; nth++) {
        KcheckReport report = {.seed = 77};
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        bool done = kcheck_run(1, false, &report, &err);
        bool reached = fault_count(FAULT_ALLOC) >= nth;
        fault_arm(FAULT_ALLOC, 0, false);
        if (!reached) {
            CHECK(done && nth > 1);
            kcheck_free(&report);
            CHECK(ledger_total() == held);
            return;
        }
        CHECK(!done);
        CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(report.seed == 77 && !report.rows);
        CHECK(ledger_total() == held);
    }
    CHECK(false); // more allocations than any list of buffers
}

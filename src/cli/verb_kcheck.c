/* `hypura kcheck`: the proof of the kernels on this machine, and with --bench their speed. */
#include "cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "kernels/kcheck.h"
#include "sys/cpu.h"

#define SEED_DEFAULT 1

static void write_table(const KcheckReport *report, bool bench)
{
    printf("%-28s %-8s %10s %10s", "kernel", "isa", "cases", "differ");
    printf("%s\n", bench ? "       GB/s       Gop/s" : "");
    for (size_t i = 0; i < report->n_rows; i++) {
        const KcheckRow *row = &report->rows[i];
        printf("%-28s %-8s %10" PRIu64 " %10" PRIu64, row->entry, row->isa, row->n_cases,
            row->n_mismatches);
        if (bench) printf(" %10.2f  %10.2f", row->bytes_per_s / 1e9, row->ops_per_s / 1e9);
        printf("%s%s\n", row->n_mismatches > 0 ? "  " : "", row->first_mismatch);
    }
    printf("%s, seed %" PRIu64 ": %s\n", cpu_model_name(), report->seed,
        report->n_mismatches == 0 ? "all the same bits" : "NOT the same bits");
}

static Json *row_json(const KcheckRow *row, bool bench)
{
    Json *out = json_object();

    json_set_text(out, "kernel", view_of(row->entry));
    json_set_text(out, "isa", view_of(row->isa));
    json_set_u64(out, "cases", row->n_cases);
    json_set_u64(out, "mismatches", row->n_mismatches);
    json_set(
        out, "first_mismatch", row->n_mismatches ? json_text(view_of(row->first_mismatch)) : NULL);
    if (bench) {
        json_set_f64(out, "bytes_per_s", row->bytes_per_s);
        json_set_f64(out, "ops_per_s", row->ops_per_s);
    }
    return out;
}

static int write_json(const KcheckReport *report, bool bench)
{
    Json *out = json_object(), *rows = json_list();

    for (size_t i = 0; i < report->n_rows; i++) json_add(rows, row_json(&report->rows[i], bench));
    json_set_text(out, "cpu", view_of(cpu_model_name()));
    json_set_u64(out, "seed", report->seed);
    json_set_u64(out, "mismatches", report->n_mismatches);
    json_set(out, "kernels", rows);
    return terminal_write_json("kcheck", out);
}

int verb_kcheck(const Options *options)
{
    uint64_t seed = options->seed.is_given ? options->seed.value : SEED_DEFAULT;
    KcheckReport report = {0};
    Error err = {0};
    int status = STATUS_OK;

    if (!kcheck_run(seed, options->bench, &report, &err)) return report_error("kcheck", &err);
    if (options->json)
        status = write_json(&report, options->bench);
    else
        write_table(&report, options->bench);
    if (status == STATUS_OK && report.n_mismatches > 0) {
        error_set(&err, ERROR_CHECK_FAILED, "%" PRIu64 " cases differ from the scalar reference",
            report.n_mismatches);
        status = report_error("kcheck", &err);
    }
    kcheck_free(&report);
    return status;
}

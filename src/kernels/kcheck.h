/* The proof of the overlays: every entry of every table against `ref`, by bits. */
#ifndef HYPURA_KERNELS_KCHECK_H
#define HYPURA_KERNELS_KCHECK_H

#include "kernels/kernels.h"

typedef struct KcheckRow {
    const char *entry; // "matmul Q4_K", "rms_norm"
    const char *isa;
    uint64_t n_cases;
    uint64_t n_mismatches;
    char first_mismatch[96]; // sizes and position; empty: none
    double bytes_per_s;      // with bench: weight bytes (matmul), else 0
    double ops_per_s;        // with bench: multiply-adds
} KcheckRow;

typedef struct KcheckReport {
    uint64_t seed;
    size_t n_rows;
    KcheckRow *rows; // owned
    uint64_t n_mismatches;
} KcheckReport;

/* Checks all tables that this CPU has. With `bench`, times each entry as well. */
CHECKED bool kcheck_run(uint64_t seed, bool bench, KcheckReport *report, Error *err);
void kcheck_free(KcheckReport *report);

#endif

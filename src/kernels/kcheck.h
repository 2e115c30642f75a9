/* The proof of the overlays: every entry of every table against `ref`, by bits. */
#ifndef HYPURA_KERNELS_KCHECK_H
#define HYPURA_KERNELS_KCHECK_H

#include "kernels/kernels.h"

typedef struct KcheckRow {
    char entry[24];  // "matmul Q4_K", "rms_norm"
    const char *isa; // "avx2"
    uint64_t n_cases;
    uint64_t n_mismatches;
    char first_mismatch[96]; // sizes and place; empty: none
    double bytes_per_s;      // with bench, matmul only: weight bytes, one activation row
    double ops_per_s;        // with bench: multiply-adds of 64 rows (matmul), of attention, or
                             // elements (the other entries)
} KcheckRow;

typedef struct KcheckReport {
    uint64_t seed;
    size_t n_rows;
    KcheckRow *rows; // owned; by entry, then by table
    uint64_t n_mismatches;
} KcheckReport;

/*
 * Checks all tables that this CPU has, with inputs from `seed`; the scalar table too, against
 * itself, so that a guard or an input that it breaks shows. With `bench`, times each entry
 * as well, about 20 ms each, on the calling thread. A mismatch is a result, not a failure:
 * see n_mismatches. On failure (memory) `report` is unchanged. End it with kcheck_free.
 */
CHECKED bool kcheck_run(uint64_t seed, bool bench, KcheckReport *report, Error *err);
void kcheck_free(KcheckReport *report);

#endif

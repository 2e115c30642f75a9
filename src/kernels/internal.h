/* What the files of kcheck share: inputs from a seed, buffers whose ends are guarded, and the
 * comparison by bits. */
#ifndef HYPURA_KERNELS_INTERNAL_H
#define HYPURA_KERNELS_INTERNAL_H

#include "base/rng.h"
#include "kernels/kcheck.h"

#define CHECK_TABLES_MAX    8
#define CHECK_GUARD         17 // floats around an output, and its misalignment
#define CHECK_INPUT_FLOATS  (1u << 18)
#define CHECK_OUTPUT_FLOATS (1u << 14)
#define CHECK_BYTES         (1u << 21)

/* How inputs look. Random values, but: */
typedef enum CheckData {
    DATA_PLAIN,   // -4..4
    DATA_WIDE,    // any finite bits
    DATA_TINY,    // about 1e-30
    DATA_OUTLIER, // few are 300 times larger
    DATA_ZEROS,   // runs of +0, -0, denormals, and what counts as zero for activations
    DATA_TIES,    // between two codes, as nearly as floats can be
    DATA_POISON,  // few are Inf or NaN
    DATA_KINDS
} CheckData;

/* Inputs lie at the ends of their allocations, so that a sanitizer sees a read beyond. */
typedef struct CheckBuffer {
    uint8_t *data; // owned
    size_t n_bytes;
} CheckBuffer;

typedef struct Check {
    Rng rng;
    uint32_t n_tables;
    const Kernels *tables[CHECK_TABLES_MAX];
    KcheckRow *rows;        // of the entry at hand, one a table
    CheckBuffer inputs[4];  // floats
    CheckBuffer bytes[4];   // weights, activations, pages
    CheckBuffer outputs[2]; // what ref says, what a table says
    size_t n_output;        // floats between the guards
} Check;

typedef void CheckFn(Check *check);

uint32_t check_pick(Check *check, const uint32_t *list, size_t n);
/* n floats of a kind in input buffer `index`. */
float *check_input(Check *check, uint32_t index, size_t n, CheckData data);
/* The last n bytes of byte buffer `index`, starting at a multiple of `alignment`. */
uint8_t *check_bytes(Check *check, uint32_t index, size_t n, size_t alignment);

/* Fills both outputs, guards included, with one pattern; returns the place of n floats in
 * `outputs[which]`, which: 0 for ref, 1 for a table. */
float *check_output(Check *check, uint32_t which, size_t n);

/* Counts a case of table `t`: are the outputs the same, guards included? Floats count as
 * the same when both are NaN. The label says which case, for the report. */
void check_outputs(Check *check, uint32_t t, const char *label);
/* The same for n bytes from anywhere. */
void check_same_bytes(
    Check *check, uint32_t t, const void *want, const void *got, size_t n_bytes, const char *label);

/* One check for each entry of the table (kernels.h). */
#define X(entry) CheckFn check_##entry;
KERNEL_ENTRIES(X)
#undef X
void check_matmul(Check *check, QuantType type);

/* Times an entry on one table; the row's rates are set. Inputs come from the check. */
void bench_matmul(Check *check, uint32_t t, QuantType type);
void bench_entry(Check *check, uint32_t t, const char *entry);

#endif

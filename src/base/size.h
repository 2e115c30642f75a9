/* Checked arithmetic on sizes from outside, and sizes as users write them. */
#ifndef HYPURA_BASE_SIZE_H
#define HYPURA_BASE_SIZE_H

#include "base/error.h"

/* *out = a * b or a + b; false (out unchanged) when it does not fit. */
CHECKED bool size_mul(uint64_t a, uint64_t b, uint64_t *out);
CHECKED bool size_add(uint64_t a, uint64_t b, uint64_t *out);

/* Rounds up or down to a multiple of `alignment`, a power of two. */
uint64_t size_align_up(uint64_t n, uint64_t alignment);
uint64_t size_align_down(uint64_t n, uint64_t alignment);

/*
 * Reads a size as the command line accepts it: a decimal number, a fraction allowed,
 * then nothing or B (bytes), K M G T or KiB MiB GiB TiB (powers of 1024), KB MB GB TB
 * (powers of 1000). Bytes have no fraction: "1.5" lacks its unit. On failure `n_bytes` is
 * unchanged and `err` (USAGE) quotes the text.
 */
CHECKED bool size_parse(const char *text, uint64_t *n_bytes, Error *err);

/* A budget as the command line accepts it: a size, "50%", "all", "min". */
typedef enum BudgetUnit {
    BUDGET_DEFAULT,
    BUDGET_BYTES,
    BUDGET_PERCENT,
    BUDGET_ALL,
    BUDGET_MIN
} BudgetUnit;

typedef struct Budget {
    BudgetUnit unit;
    uint64_t n_bytes; // BUDGET_BYTES
    double percent;   // BUDGET_PERCENT, above 0 up to 100
} Budget;

CHECKED bool budget_parse(const char *text, Budget *out, Error *err);

/* "14.0 MiB" for people. `out` needs 24 bytes; returns it. */
const char *size_format(uint64_t n_bytes, char *out);

#endif

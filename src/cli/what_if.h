/* The value of --what-if: "memory=8G,drive=7GB/s,compute=30GB/s". */
#ifndef HYPURA_CLI_WHAT_IF_H
#define HYPURA_CLI_WHAT_IF_H

#include "base/error.h"

#define WHAT_IF_SIZE_BYTES 32

/* A rate (with "/s") is a ceiling of the machine; a size is a budget, in --memory's or --weights'
 * place. 0 and "": not given. */
typedef struct WhatIf {
    double drive_bytes_per_s, memory_bytes_per_s, compute_bytes_per_s;
    char memory[WHAT_IF_SIZE_BYTES], weights[WHAT_IF_SIZE_BYTES];
} WhatIf;

/* On failure (USAGE) `out` is unchanged. NULL: nothing is given. */
CHECKED bool what_if_parse(const char *text, WhatIf *out, Error *err);

#endif

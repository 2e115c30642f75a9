/* What the AVX2 matmul files share: sums across lanes, and the walk over weight rows.
 *
 * The float chain of an output may not be cut (canonical arithmetic, section 4), so lanes
 * are outputs: eight weight rows where there are few activation rows, eight activation rows
 * of a panel where there are many. */
#ifndef HYPURA_KERNELS_AVX2_MATMUL_H
#define HYPURA_KERNELS_AVX2_MATMUL_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#endif

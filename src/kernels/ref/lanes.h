/* The 16 virtual lanes of canonical arithmetic (section 5): element k of a long float sum
 * belongs to lane k mod 16, and the lanes are added in one fixed tree. */
#ifndef HYPURA_KERNELS_REF_LANES_H
#define HYPURA_KERNELS_REF_LANES_H

#include <stddef.h>

#define LANES 16

typedef struct Lanes {
    float sum[LANES]; // all +0 at the start
} Lanes;

/* tree16: 8 + 8, 4 + 4, 2 + 2, 1 + 1. */
static inline float lanes_total(Lanes lanes)
{
    for (size_t n = LANES / 2; n >= 1; n /= 2)
        for (size_t i = 0; i < n; i++) lanes.sum[i] = lanes.sum[i] + lanes.sum[i + n];
    return lanes.sum[0];
}

#endif

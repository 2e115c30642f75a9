/* The avx2 row of the kernel table. Each function repeats its namesake in ref/ bit for bit. */
#ifndef HYPURA_KERNELS_AVX2_AVX2_H
#define HYPURA_KERNELS_AVX2_AVX2_H

#include "kernels/kernels.h"

extern const Kernels kernels_avx2;

#endif

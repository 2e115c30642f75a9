/* The avx512 row of the kernel table. Each function repeats its namesake in ref/ bit for bit. */
#ifndef HYPURA_KERNELS_AVX512_AVX512_H
#define HYPURA_KERNELS_AVX512_AVX512_H

#include "kernels/kernels.h"

extern const Kernels kernels_avx512;

#endif

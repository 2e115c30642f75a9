/* The avx2 row: AVX2, FMA and F16C. Entries that are missing are those of ref/. */
#include "kernels/avx2/avx2.h"

#include "sys/cpu.h"

const Kernels kernels_avx2 = {
    .isa = "avx2",
    .cpu_features = CPU_AVX2,
};

/* The avx512 row: AVX-512 F, BW, VL, DQ and VNNI. Entries that are missing are those of the
 * avx2 row, whose instructions these CPUs have too. */
#include "kernels/avx512/avx512.h"

#include "sys/cpu.h"

const Kernels kernels_avx512 = {
    .isa = "avx512",
    .cpu_features = CPU_AVX2 | CPU_AVX512 | CPU_VNNI512,
};

/* The avx512 row: AVX-512 F, BW, VL, DQ and VNNI. Entries that are missing are those of the
 * avx2 row: where a chain of fma or the cache is the bound (norms, residuals, rope), wider
 * registers gain 10 % or nothing (Zen 5). */
#include "kernels/avx512/avx512.h"

#include "sys/cpu.h"

#define X(function, type) [QUANT_##type] = matmul_##function##_avx512,
const Kernels kernels_avx512 = {
    .isa = "avx512",
    .cpu_features = CPU_AVX2 | CPU_AVX512 | CPU_VNNI512,
    .matmul = {MATMUL_TYPES_AVX512(X)},
    .acts_fill = acts_fill_avx512,
    .softmax = softmax_avx512,
    .sigmoid = sigmoid_avx512,
    .activate = activate_avx512,
    .activate_mul = activate_mul_avx512,
    .softcap = softcap_avx512,
    .attention_chunk = attention_chunk_avx512,
};
#undef X

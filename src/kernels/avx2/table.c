/* The avx2 row: AVX2, FMA and F16C. Entries that are missing are those of ref/. */
#include "kernels/avx2/avx2.h"

#include "sys/cpu.h"

#define X(function, type) [QUANT_##type] = matmul_##function##_avx2,
const Kernels kernels_avx2 = {
    .isa = "avx2",
    .cpu_features = CPU_AVX2,
    .matmul = {MATMUL_TYPES_AVX2(X)},
    .acts_fill = acts_fill_avx2,
    .rms_norm = rms_norm_avx2,
    .layer_norm = layer_norm_avx2,
    .softmax = softmax_avx2,
    .sigmoid = sigmoid_avx2,
    .activate = activate_avx2,
    .activate_mul = activate_mul_avx2,
    .softcap = softcap_avx2,
    .add = add_avx2,
    .scale = scale_avx2,
    .add_scaled = add_scaled_avx2,
    .rope = rope_avx2,
    .kv_put = kv_put_avx2,
    .attention_chunk = attention_chunk_avx2,
    .attention_merge = attention_merge_avx2,
    .attention_finish = attention_finish_avx2,
};
#undef X

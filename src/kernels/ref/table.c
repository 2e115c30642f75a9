/* The scalar row of the kernel table: complete, since other rows fall back to it. */
#include "kernels/ref/ref.h"

const Kernels kernels_ref = {
    .isa = "scalar",
    .cpu_features = 0,
#define X(function, type, act) [QUANT_##type] = matmul_##function##_ref,
    .matmul = {MATMUL_TYPES(X)},
#undef X
    .acts_fill = acts_fill_ref,
    .rms_norm = rms_norm_ref,
    .layer_norm = layer_norm_ref,
    .softmax = softmax_ref,
    .sigmoid = sigmoid_ref,
    .activate_mul = activate_mul_ref,
    .activate = activate_ref,
    .softcap = softcap_ref,
    .add = add_ref,
    .scale = scale_ref,
    .add_scaled = add_scaled_ref,
    .rope = rope_ref,
    .kv_put = kv_put_ref,
    .attention_chunk = attention_chunk_ref,
    .attention_merge = attention_merge_ref,
    .attention_finish = attention_finish_ref,
};

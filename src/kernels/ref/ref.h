/* The definition: one plain function per entry of the kernel table. The contracts stand
 * beside the entries in kernels.h; the arithmetic is docs/arithmetic.md. */
#ifndef HYPURA_KERNELS_REF_REF_H
#define HYPURA_KERNELS_REF_REF_H

#include "kernels/kernels.h"

extern const Kernels kernels_ref;

/* The weight types that can be multiplied with: X(function, TYPE, activations). */
// clang-format off
#define MATMUL_FLOAT_TYPES(X) \
    X(f32, F32, ACT_F32) X(f16, F16, ACT_F32) X(bf16, BF16, ACT_F32)
#define MATMUL_QUANTISED_TYPES(X) \
    X(q4_0,   Q4_0,   ACT_A32)  X(q4_1,  Q4_1,  ACT_A32)  X(q5_0, Q5_0, ACT_A32) \
    X(q5_1,   Q5_1,   ACT_A32)  X(q8_0,  Q8_0,  ACT_A32) \
    X(iq4_nl, IQ4_NL, ACT_A32)  X(mxfp4, MXFP4, ACT_A32) \
    X(q2_k,   Q2_K,   ACT_A256) X(q3_k,  Q3_K,  ACT_A256) X(q4_k, Q4_K, ACT_A256) \
    X(q5_k,   Q5_K,   ACT_A256) X(q6_k,  Q6_K,  ACT_A256) X(iq4_xs, IQ4_XS, ACT_A256)
#define MATMUL_TYPES(X) MATMUL_FLOAT_TYPES(X) MATMUL_QUANTISED_TYPES(X)
// clang-format on

#define X(function, type, act) MatmulFn matmul_##function##_ref;
MATMUL_TYPES(X)
#undef X

void acts_fill_ref(
    Acts *acts, const float *x, size_t x_stride, const uint32_t *index, uint32_t unit);

void rms_norm_ref(float *y, const float *x, const float *weight, size_t n, float eps);
void layer_norm_ref(
    float *y, const float *x, const float *weight, const float *bias, size_t n, float eps);
void softmax_ref(float *y, const float *x, size_t n);
void sigmoid_ref(float *y, const float *x, size_t n);
void activate_mul_ref(Activation f, float *y, const float *gate, const float *up, size_t n);
void activate_ref(Activation f, float *y, const float *x, size_t n);
void softcap_ref(float *x, float cap, size_t n);
void add_ref(float *y, const float *x, size_t n);
void scale_ref(float *x, float factor, size_t n);
void add_scaled_ref(float *y, float factor, const float *x, size_t n);
void rope_ref(RopeStyle style, float *x, const float *cos, const float *sin, uint32_t n_rot);

void kv_put_ref(const KvShape *shape, uint8_t *page, uint32_t key, const float *k, const float *v);
void attention_chunk_ref(const AttentionChunk *chunk, const float *q, size_t q_stride,
    uint32_t n_query, uint32_t first, uint32_t end, float *m, float *l, float *o);
void attention_merge_ref(
    float *M, float *L, float *O, float m, float l, const float *o, uint32_t d_v);
void attention_finish_ref(float *out, float M, float L, float *O, const float *sink, uint32_t d_v);

#endif

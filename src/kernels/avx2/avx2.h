/* The avx2 row of the kernel table: AVX2, FMA and F16C. Each function repeats its namesake in
 * ref/ bit for bit; the contracts stand in kernels.h. */
#ifndef HYPURA_KERNELS_AVX2_AVX2_H
#define HYPURA_KERNELS_AVX2_AVX2_H

#include "kernels/kernels.h"

extern const Kernels kernels_avx2;

void acts_fill_avx2(
    Acts *acts, const float *x, size_t x_stride, const uint32_t *index, uint32_t unit);

/* The weight types with a matrix product in this row: X(function, TYPE). */
// clang-format off
#define MATMUL_TYPES_AVX2(X) \
    X(f32, F32) X(f16, F16) X(bf16, BF16) \
    X(q4_0, Q4_0) X(q4_1, Q4_1) X(q5_0, Q5_0) X(q5_1, Q5_1) X(q8_0, Q8_0) \
    X(iq4_nl, IQ4_NL) X(mxfp4, MXFP4) \
    X(q2_k, Q2_K) X(q3_k, Q3_K) X(q4_k, Q4_K) X(q5_k, Q5_K) X(q6_k, Q6_K) X(iq4_xs, IQ4_XS)
// clang-format on

#define X(function, type) MatmulFn matmul_##function##_avx2;
MATMUL_TYPES_AVX2(X)
#undef X

void rms_norm_avx2(float *y, const float *x, const float *weight, size_t n, float eps);
void layer_norm_avx2(
    float *y, const float *x, const float *weight, const float *bias, size_t n, float eps);
void softmax_avx2(float *y, const float *x, size_t n);
void sigmoid_avx2(float *y, const float *x, size_t n);
void activate_avx2(Activation f, float *y, const float *x, size_t n);
void activate_mul_avx2(Activation f, float *y, const float *gate, const float *up, size_t n);
void softcap_avx2(float *x, float cap, size_t n);
void add_avx2(float *y, const float *x, size_t n);
void scale_avx2(float *x, float factor, size_t n);
void add_scaled_avx2(float *y, float factor, const float *x, size_t n);
void rope_avx2(RopeStyle style, float *x, const float *cos, const float *sin, uint32_t n_rot);

void kv_put_avx2(const KvShape *shape, uint8_t *page, uint32_t key, const float *k, const float *v);
void attention_chunk_avx2(const AttentionChunk *chunk, const float *q, size_t q_stride,
    uint32_t n_query, uint32_t first, uint32_t end, float *m, float *l, float *o);
void attention_merge_avx2(
    float *M, float *L, float *O, float m, float l, const float *o, uint32_t d_v);
void attention_finish_avx2(float *out, float M, float L, float *O, const float *sink, uint32_t d_v);

#endif

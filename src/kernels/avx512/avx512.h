/* The avx512 row of the kernel table: AVX-512 F, BW, VL, DQ and VNNI. Each function repeats
 * its namesake in ref/ bit for bit; the contracts stand in kernels.h. */
#ifndef HYPURA_KERNELS_AVX512_AVX512_H
#define HYPURA_KERNELS_AVX512_AVX512_H

#include "kernels/kernels.h"

extern const Kernels kernels_avx512;

void acts_fill_avx512(
    Acts *acts, const float *x, size_t x_stride, const uint32_t *index, uint32_t unit);

/* The weight types with a matrix product in this row: X(function, TYPE). */
// clang-format off
#define MATMUL_TYPES_AVX512(X) \
    X(f32, F32) X(f16, F16) X(bf16, BF16) \
    X(q8_0, Q8_0) X(q4_0, Q4_0) X(q4_1, Q4_1) X(q5_0, Q5_0) X(q5_1, Q5_1) X(iq4_nl, IQ4_NL) \
    X(mxfp4, MXFP4) X(q2_k, Q2_K) X(q3_k, Q3_K) X(q4_k, Q4_K) X(q5_k, Q5_K) X(q6_k, Q6_K) \
    X(iq4_xs, IQ4_XS)
// clang-format on

#define X(function, type) MatmulFn matmul_##function##_avx512;
MATMUL_TYPES_AVX512(X)
#undef X

void softmax_avx512(float *y, const float *x, size_t n);
void sigmoid_avx512(float *y, const float *x, size_t n);
void activate_avx512(Activation f, float *y, const float *x, size_t n);
void activate_mul_avx512(Activation f, float *y, const float *gate, const float *up, size_t n);
void softcap_avx512(float *x, float cap, size_t n);

void attention_chunk_avx512(const AttentionChunk *chunk, const float *q, size_t q_stride,
    uint32_t n_query, uint32_t first, uint32_t end, float *m, float *l, float *o);

#endif

/* Layouts of the 256-element super-blocks, as they lie in files: little-endian, unpadded,
 * packed because rows may start at any byte. docs/formats/blocks.md has the same in words.
 *
 * Each is cut into groups of 16 or 32 consecutive elements with small integer scales (and
 * minima), which the f16 `d` (and `dmin`) multiply. The functions below bring the numbers
 * into element order; they say which bit is where and are written for reading. */
#ifndef HYPURA_QUANT_BLOCK_K_H
#define HYPURA_QUANT_BLOCK_K_H

#include <stdint.h>

#define BLOCK_K_ELEMENTS 256

/* w[i] = d * (scales[j] & 15) * q - dmin * (scales[j] >> 4),  j = i / 16 */
typedef struct __attribute__((packed)) BlockQ2_K {
    uint8_t scales[16];
    uint8_t q[64];
    uint16_t d;
    uint16_t dmin;
} BlockQ2_K;
_Static_assert(sizeof(BlockQ2_K) == 84, "ggml Q2_K block");

/* w[i] = d * (scale[j] - 32) * (q - 4),  j = i / 16; hmask has the third bit of q */
typedef struct __attribute__((packed)) BlockQ3_K {
    uint8_t hmask[32];
    uint8_t q[64];
    uint8_t scales[12];
    uint16_t d;
} BlockQ3_K;
_Static_assert(sizeof(BlockQ3_K) == 110, "ggml Q3_K block");

/* w[i] = d * scale[j] * q - dmin * min[j],  j = i / 32 */
typedef struct __attribute__((packed)) BlockQ4_K {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t q[128];
} BlockQ4_K;
_Static_assert(sizeof(BlockQ4_K) == 144, "ggml Q4_K block");

/* As Q4_K, with the fifth bit of q in qh. */
typedef struct __attribute__((packed)) BlockQ5_K {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t q[128];
} BlockQ5_K;
_Static_assert(sizeof(BlockQ5_K) == 176, "ggml Q5_K block");

/* w[i] = d * scales[j] * (q - 32),  j = i / 16 */
typedef struct __attribute__((packed)) BlockQ6_K {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
} BlockQ6_K;
_Static_assert(sizeof(BlockQ6_K) == 210, "ggml Q6_K block");

/* w[i] = d * (scale[j] - 32) * iq4_values[q],  j = i / 32 */
typedef struct __attribute__((packed)) BlockIQ4_XS {
    uint16_t d;
    uint16_t scales_h;
    uint8_t scales_l[4];
    uint8_t q[128];
} BlockIQ4_XS;
_Static_assert(sizeof(BlockIQ4_XS) == 136, "ggml IQ4_XS block");

/* q[i] in 0..3: bits 2j, 2j+1 of byte i % 32 of its half, j = (i % 128) / 32. */
static inline void q2_k_unpack(const BlockQ2_K *block, uint8_t q[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t byte = block->q[(i / 128) * 32 + i % 32];
        q[i] = (byte >> (i % 128 / 32 * 2)) & 3u;
    }
}

/* q[i] in 0..7: two low bits as in Q2_K; the third is bit i / 32 of hmask[i % 32]. */
static inline void q3_k_unpack(const BlockQ3_K *block, uint8_t q[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t byte = block->q[(i / 128) * 32 + i % 32];
        uint32_t low = (byte >> (i % 128 / 32 * 2)) & 3u;
        uint32_t high = (block->hmask[i % 32] >> (i / 32)) & 1u;
        q[i] = (uint8_t)(low | (high << 2));
    }
}

/* The 16 scales in 0..63 (the weight's factor is scale - 32): four low bits of two scales
 * in each of bytes 0-7, two high bits of four scales in each of bytes 8-11. */
static inline void q3_k_unpack_scales(const uint8_t scales[12], uint8_t out[16])
{
    for (uint32_t j = 0; j < 16; j++) {
        uint32_t low = (scales[j % 8] >> (j / 8 * 4)) & 15u;
        uint32_t high = (scales[8 + j % 4] >> (j / 4 * 2)) & 3u;
        out[j] = (uint8_t)(low | (high << 4));
    }
}

/* The 8 scales and minima of Q4_K and Q5_K, each in 0..63. The first four lie in the low
 * six bits of bytes 0-3 and 4-7; of the last four, bytes 8-11 have the low nibbles (scale
 * below, minimum above) and the two top bits of bytes 0-7 have the rest. */
static inline void q4_k_unpack_scales(
    const uint8_t scales[12], uint8_t out_scales[8], uint8_t out_mins[8])
{
    for (uint32_t j = 0; j < 4; j++) {
        out_scales[j] = scales[j] & 63u;
        out_mins[j] = scales[j + 4] & 63u;
        out_scales[j + 4] = (uint8_t)((scales[j + 8] & 15u) | ((scales[j] >> 6) * 16u));
        out_mins[j + 4] = (uint8_t)((scales[j + 8] >> 4) | ((scales[j + 4] >> 6) * 16u));
    }
}

/* q[i] in 0..15: byte i % 32 of the 32 bytes of pair i / 64; low nibble first. */
static inline void q4_k_unpack(const uint8_t packed[128], uint8_t q[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t byte = packed[i / 64 * 32 + i % 32];
        q[i] = (byte >> (i % 64 / 32 * 4)) & 15u;
    }
}

/* q[i] in 0..31: nibbles as in Q4_K; the fifth bit is bit i / 32 of qh[i % 32]. */
static inline void q5_k_unpack(const BlockQ5_K *block, uint8_t q[256])
{
    q4_k_unpack(block->q, q);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t high = (block->qh[i % 32] >> (i / 32)) & 1u;
        q[i] = (uint8_t)(q[i] | (high << 4));
    }
}

/* q[i] in 0..63 (the weight's factor is q - 32). In each half of 128: element i % 128 = 32 j + l
 * has its low nibble in ql[l + 32 (j % 2)], the lower one for j < 2, and bits 2j, 2j+1 of qh[l]. */
static inline void q6_k_unpack(const BlockQ6_K *block, uint8_t q[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t half = i / 128, j = i % 128 / 32;
        uint32_t low = (block->ql[half * 64 + i % 64] >> (j / 2 * 4)) & 15u;
        uint32_t high = (block->qh[half * 32 + i % 32] >> (j * 2)) & 3u;
        q[i] = (uint8_t)(low | (high << 4));
    }
}

/* The 8 scales in 0..63 (the weight's factor is scale - 32). */
static inline void iq4_xs_unpack_scales(const BlockIQ4_XS *block, uint8_t out[8])
{
    for (uint32_t j = 0; j < 8; j++) {
        uint32_t low = (block->scales_l[j / 2] >> (j % 2 * 4)) & 15u;
        uint32_t high = ((uint32_t)block->scales_h >> (j * 2)) & 3u;
        out[j] = (uint8_t)(low | (high << 4));
    }
}

/* The codes in 0..15: in each group of 32, nibbles as in Q4_0. */
static inline void iq4_xs_unpack(const BlockIQ4_XS *block, uint8_t q[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t byte = block->q[i / 32 * 16 + i % 16];
        q[i] = (byte >> (i % 32 / 16 * 4)) & 15u;
    }
}

#endif

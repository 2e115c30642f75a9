/* Layouts of the 32-element blocks, as they lie in files: little-endian, unpadded.
 * The structs are packed because rows may start at any byte. docs/formats/blocks.md has
 * the same in words. `d` scales, `m` offsets; both are f16 bits. */
#ifndef HYPURA_QUANT_BLOCK_Q_H
#define HYPURA_QUANT_BLOCK_Q_H

#include <stdint.h>

#define BLOCK_Q_ELEMENTS 32

/* w[i] = d * (q - 8). Element i < 16 is the low nibble of q[i], i + 16 the high one. */
typedef struct __attribute__((packed)) BlockQ4_0 {
    uint16_t d;
    uint8_t q[16];
} BlockQ4_0;
_Static_assert(sizeof(BlockQ4_0) == 18, "ggml Q4_0 block");

/* w[i] = d * q + m. Nibbles as in Q4_0. */
typedef struct __attribute__((packed)) BlockQ4_1 {
    uint16_t d;
    uint16_t m;
    uint8_t q[16];
} BlockQ4_1;
_Static_assert(sizeof(BlockQ4_1) == 20, "ggml Q4_1 block");

/* w[i] = d * (q - 16). Nibbles as in Q4_0; the fifth bit of element i is bit i of qh. */
typedef struct __attribute__((packed)) BlockQ5_0 {
    uint16_t d;
    uint8_t qh[4];
    uint8_t q[16];
} BlockQ5_0;
_Static_assert(sizeof(BlockQ5_0) == 22, "ggml Q5_0 block");

/* w[i] = d * q + m. Bits as in Q5_0. */
typedef struct __attribute__((packed)) BlockQ5_1 {
    uint16_t d;
    uint16_t m;
    uint8_t qh[4];
    uint8_t q[16];
} BlockQ5_1;
_Static_assert(sizeof(BlockQ5_1) == 24, "ggml Q5_1 block");

/* w[i] = d * q[i] */
typedef struct __attribute__((packed)) BlockQ8_0 {
    uint16_t d;
    int8_t q[32];
} BlockQ8_0;
_Static_assert(sizeof(BlockQ8_0) == 34, "ggml Q8_0 block");

/* w[i] = d * iq4_values[q]. Nibbles as in Q4_0. */
typedef struct __attribute__((packed)) BlockIQ4_NL {
    uint16_t d;
    uint8_t q[16];
} BlockIQ4_NL;
_Static_assert(sizeof(BlockIQ4_NL) == 18, "ggml IQ4_NL block");

/* w[i] = 2^(e - 128) * mxfp4_values[q]. Nibbles as in Q4_0; e = 255 makes the block NaN. */
typedef struct __attribute__((packed)) BlockMXFP4 {
    uint8_t e;
    uint8_t q[16];
} BlockMXFP4;
_Static_assert(sizeof(BlockMXFP4) == 17, "ggml MXFP4 block");

/* The code book of IQ4_NL and IQ4_XS. */
static const int8_t iq4_values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* The E2M1 values of MXFP4, doubled to be integers. Both zeros are +0. */
static const int8_t mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* The 32 nibbles of a block in element order. */
static inline void block_unpack_nibbles(const uint8_t q[16], uint8_t out[32])
{
    for (uint32_t i = 0; i < 16; i++) {
        out[i] = q[i] & 15u;
        out[i + 16] = q[i] >> 4;
    }
}

/* The 32 five-bit numbers of Q5_0 and Q5_1 in element order. */
static inline void block_unpack_q5(const uint8_t q[16], const uint8_t qh[4], uint8_t out[32])
{
    block_unpack_nibbles(q, out);
    for (uint32_t i = 0; i < 32; i++) {
        uint32_t high = (qh[i / 8] >> (i % 8)) & 1u;
        out[i] = (uint8_t)(out[i] | (high << 4));
    }
}

#endif

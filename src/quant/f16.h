/* Small float formats to float32 and back, exact, in portable C.
 *
 * These are the definitions: overlays may use F16C or NEON instructions where those give
 * the same bits (they do, for NaN too: the quiet bit is set and the payload kept).
 * IEEE 754-2019 binary16; bfloat16 is the upper half of binary32; E8M0 is the scale of
 * the OCP Microscaling Formats specification 1.0, section 5.4.1. */
#ifndef HYPURA_QUANT_F16_H
#define HYPURA_QUANT_F16_H

#include <stdint.h>
#include <string.h>

static inline uint32_t f32_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Exact for every value, denormals included. */
static inline float f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 31u;
    uint32_t mantissa = half & 1023u;

    if (exponent == 31 && mantissa != 0)
        return f32_from_bits(sign | 0x7fc00000u | (mantissa << 13));
    if (exponent == 31) return f32_from_bits(sign | 0x7f800000u);
    if (exponent == 0) // mantissa * 2^-24 is a normal float32 or zero
        return f32_from_bits(sign | f32_to_bits((float)mantissa * 0x1p-24f));
    return f32_from_bits(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

/* Rounds to nearest, ties to even; 65520 and above become infinite. */
static inline uint16_t f32_to_f16(float value)
{
    uint32_t bits = f32_to_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u) // NaN
        return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 1023u));
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); // 65520
    if (magnitude < 0x38800000u) {
        // Below 2^-14: the last place of numbers near 0.5 is 2^-24, that of an f16
        // denormal, so this addition rounds as wanted.
        float shifted = f32_from_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (f32_to_bits(shifted) - 0x3f000000u));
    }
    uint32_t rebased = magnitude - (112u << 23);
    uint32_t is_odd = (rebased >> 13) & 1u;
    return (uint16_t)(sign | ((rebased + 0xfffu + is_odd) >> 13));
}

/* Exact. */
static inline float bf16_to_f32(uint16_t half)
{
    return f32_from_bits((uint32_t)half << 16);
}

/* 2^(exponent - 127), exact: 0 gives the denormal 2^-127, 255 gives NaN. */
static inline float e8m0_to_f32(uint8_t exponent)
{
    if (exponent == 0) return 0x1p-127f;
    if (exponent == 255) return f32_from_bits(0x7fc00000u);
    return f32_from_bits((uint32_t)exponent << 23);
}

#endif

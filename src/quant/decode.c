/* Weights to float32, one block at a time.
 *
 * The order of operations is part of the format: bit-equal results need the same products
 * and sums, each rounded once, so nothing here may be contracted to an FMA
 * (-ffp-contract=off) or regrouped. Integers up to 2^24 are exact as float32, which is why
 * (float)(q - 8) rounds nothing. Speed is the business of kernels/; this is what they are
 * compared with. */
#include "quant/decode.h"

#include <assert.h>
#include <string.h>

#include "quant/block_k.h"
#include "quant/block_q.h"
#include "quant/f16.h"

/* out[0..n) from whole blocks at `data`. */
typedef void DecodeFn(const uint8_t *data, float *out, size_t n);

static void decode_f32(const uint8_t *data, float *out, size_t n)
{
    if (n > 0) memcpy(out, data, n * sizeof *out);
}

static uint16_t load_u16(const uint8_t *data)
{
    return (uint16_t)(data[0] | data[1] << 8);
}

static void decode_f16(const uint8_t *data, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = f16_to_f32(load_u16(data + 2 * i));
}

static void decode_bf16(const uint8_t *data, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = bf16_to_f32(load_u16(data + 2 * i));
}

static void decode_q4_0(const uint8_t *data, float *out, size_t n)
{
    const BlockQ4_0 *block = (const BlockQ4_0 *)data;

    for (size_t at = 0; at < n; at += BLOCK_Q_ELEMENTS, block++) {
        float d = f16_to_f32(block->d);
        uint8_t q[BLOCK_Q_ELEMENTS];
        block_unpack_nibbles(block->q, q);
        for (size_t i = 0; i < BLOCK_Q_ELEMENTS; i++) out[at + i] = (float)(q[i] - 8) * d;
    }
}

static void decode_q4_1(const uint8_t *data, float *out, size_t n)
{
    const BlockQ4_1 *block = (const BlockQ4_1 *)data;

    for (size_t at = 0; at < n; at += BLOCK_Q_ELEMENTS, block++) {
        float d = f16_to_f32(block->d), m = f16_to_f32(block->m);
        uint8_t q[BLOCK_Q_ELEMENTS];
        block_unpack_nibbles(block->q, q);
        for (size_t i = 0; i < BLOCK_Q_ELEMENTS; i++) out[at + i] = (float)q[i] * d + m;
    }
}

static void decode_q5_0(const uint8_t *data, float *out, size_t n)
{
    const BlockQ5_0 *block = (const BlockQ5_0 *)data;

    for (size_t at = 0; at < n; at += BLOCK_Q_ELEMENTS, block++) {
        float d = f16_to_f32(block->d);
        uint8_t q[BLOCK_Q_ELEMENTS];
        block_unpack_q5(block->q, block->qh, q);
        for (size_t i = 0; i < BLOCK_Q_ELEMENTS; i++) out[at + i] = (float)(q[i] - 16) * d;
    }
}

static void decode_q5_1(const uint8_t *data, float *out, size_t n)
{
    const BlockQ5_1 *block = (const BlockQ5_1 *)data;

    for (size_t at = 0; at < n; at += BLOCK_Q_ELEMENTS, block++) {
        float d = f16_to_f32(block->d), m = f16_to_f32(block->m);
        uint8_t q[BLOCK_Q_ELEMENTS];
        block_unpack_q5(block->q, block->qh, q);
        for (size_t i = 0; i < BLOCK_Q_ELEMENTS; i++) out[at + i] = (float)q[i] * d + m;
    }
}

static void decode_q8_0(const uint8_t *data, float *out, size_t n)
{
    const BlockQ8_0 *block = (const BlockQ8_0 *)data;

    for (size_t at = 0; at < n; at += BLOCK_Q_ELEMENTS, block++) {
        float d = f16_to_f32(block->d);
        for (size_t i = 0; i < BLOCK_Q_ELEMENTS; i++) out[at + i] = (float)block->q[i] * d;
    }
}

static void decode_iq4_nl(const uint8_t *data, float *out, size_t n)
{
    const BlockIQ4_NL *block = (const BlockIQ4_NL *)data;

    for (size_t at = 0; at < n; at += BLOCK_Q_ELEMENTS, block++) {
        float d = f16_to_f32(block->d);
        uint8_t q[BLOCK_Q_ELEMENTS];
        block_unpack_nibbles(block->q, q);
        for (size_t i = 0; i < BLOCK_Q_ELEMENTS; i++) out[at + i] = d * (float)iq4_values[q[i]];
    }
}

static void decode_mxfp4(const uint8_t *data, float *out, size_t n)
{
    const BlockMXFP4 *block = (const BlockMXFP4 *)data;

    for (size_t at = 0; at < n; at += BLOCK_Q_ELEMENTS, block++) {
        float d = e8m0_to_f32(block->e) * 0.5f; // exact; the values are doubled
        uint8_t q[BLOCK_Q_ELEMENTS];
        block_unpack_nibbles(block->q, q);
        for (size_t i = 0; i < BLOCK_Q_ELEMENTS; i++) out[at + i] = (float)mxfp4_values[q[i]] * d;
    }
}

static void decode_q2_k(const uint8_t *data, float *out, size_t n)
{
    const BlockQ2_K *block = (const BlockQ2_K *)data;

    for (size_t at = 0; at < n; at += BLOCK_K_ELEMENTS, block++) {
        float d = f16_to_f32(block->d), dmin = f16_to_f32(block->dmin);
        uint8_t q[BLOCK_K_ELEMENTS];
        q2_k_unpack(block, q);
        for (size_t i = 0; i < BLOCK_K_ELEMENTS; i++) {
            uint8_t scale = block->scales[i / 16];
            float group_d = d * (float)(scale & 15), group_min = dmin * (float)(scale >> 4);
            out[at + i] = group_d * (float)q[i] - group_min;
        }
    }
}

static void decode_q3_k(const uint8_t *data, float *out, size_t n)
{
    const BlockQ3_K *block = (const BlockQ3_K *)data;

    for (size_t at = 0; at < n; at += BLOCK_K_ELEMENTS, block++) {
        float d = f16_to_f32(block->d);
        uint8_t q[BLOCK_K_ELEMENTS], scales[16];
        q3_k_unpack(block, q);
        q3_k_unpack_scales(block->scales, scales);
        for (size_t i = 0; i < BLOCK_K_ELEMENTS; i++) {
            float group_d = d * (float)(scales[i / 16] - 32);
            out[at + i] = group_d * (float)(q[i] - 4);
        }
    }
}

/* Q4_K and Q5_K differ in the width of q alone. */
static void decode_scales_and_mins(
    uint16_t d_bits, uint16_t dmin_bits, const uint8_t packed[12], const uint8_t *q, float *out)
{
    float d = f16_to_f32(d_bits), dmin = f16_to_f32(dmin_bits);
    uint8_t scales[8], mins[8];

    q4_k_unpack_scales(packed, scales, mins);
    for (size_t i = 0; i < BLOCK_K_ELEMENTS; i++) {
        float group_d = d * (float)scales[i / 32], group_min = dmin * (float)mins[i / 32];
        out[i] = group_d * (float)q[i] - group_min;
    }
}

static void decode_q4_k(const uint8_t *data, float *out, size_t n)
{
    const BlockQ4_K *block = (const BlockQ4_K *)data;

    for (size_t at = 0; at < n; at += BLOCK_K_ELEMENTS, block++) {
        uint8_t q[BLOCK_K_ELEMENTS];
        q4_k_unpack(block->q, q);
        decode_scales_and_mins(block->d, block->dmin, block->scales, q, out + at);
    }
}

static void decode_q5_k(const uint8_t *data, float *out, size_t n)
{
    const BlockQ5_K *block = (const BlockQ5_K *)data;

    for (size_t at = 0; at < n; at += BLOCK_K_ELEMENTS, block++) {
        uint8_t q[BLOCK_K_ELEMENTS];
        q5_k_unpack(block, q);
        decode_scales_and_mins(block->d, block->dmin, block->scales, q, out + at);
    }
}

static void decode_q6_k(const uint8_t *data, float *out, size_t n)
{
    const BlockQ6_K *block = (const BlockQ6_K *)data;

    for (size_t at = 0; at < n; at += BLOCK_K_ELEMENTS, block++) {
        float d = f16_to_f32(block->d);
        uint8_t q[BLOCK_K_ELEMENTS];
        q6_k_unpack(block, q);
        for (size_t i = 0; i < BLOCK_K_ELEMENTS; i++) {
            float group_d = d * (float)block->scales[i / 16];
            out[at + i] = group_d * (float)(q[i] - 32);
        }
    }
}

static void decode_iq4_xs(const uint8_t *data, float *out, size_t n)
{
    const BlockIQ4_XS *block = (const BlockIQ4_XS *)data;

    for (size_t at = 0; at < n; at += BLOCK_K_ELEMENTS, block++) {
        float d = f16_to_f32(block->d);
        uint8_t q[BLOCK_K_ELEMENTS], scales[8];
        iq4_xs_unpack(block, q);
        iq4_xs_unpack_scales(block, scales);
        for (size_t i = 0; i < BLOCK_K_ELEMENTS; i++) {
            float group_d = d * (float)(scales[i / 32] - 32);
            out[at + i] = group_d * (float)iq4_values[q[i]];
        }
    }
}

static DecodeFn *const decoders[QUANT_TYPES_END] = {
    [QUANT_F32] = decode_f32,
    [QUANT_F16] = decode_f16,
    [QUANT_BF16] = decode_bf16,
    [QUANT_Q4_0] = decode_q4_0,
    [QUANT_Q4_1] = decode_q4_1,
    [QUANT_Q5_0] = decode_q5_0,
    [QUANT_Q5_1] = decode_q5_1,
    [QUANT_Q8_0] = decode_q8_0,
    [QUANT_Q2_K] = decode_q2_k,
    [QUANT_Q3_K] = decode_q3_k,
    [QUANT_Q4_K] = decode_q4_k,
    [QUANT_Q5_K] = decode_q5_k,
    [QUANT_Q6_K] = decode_q6_k,
    [QUANT_IQ4_NL] = decode_iq4_nl,
    [QUANT_IQ4_XS] = decode_iq4_xs,
    [QUANT_MXFP4] = decode_mxfp4,
};

bool quant_can_decode(QuantType type)
{
    return (uint32_t)type < COUNT(decoders) && decoders[type];
}

void quant_decode(QuantType type, const uint8_t *data, float *out, size_t n)
{
    assert(quant_can_decode(type));
    assert(n % quant_get(type)->block_elements == 0);
    decoders[type](data, out, n);
}

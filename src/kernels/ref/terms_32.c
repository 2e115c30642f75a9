/* Block terms of the types with 32-element blocks. */
#include "kernels/ref/terms.h"

#include "quant/block_q.h"
#include "quant/f16.h"

static int32_t sum_codes(const int8_t *a)
{
    int32_t sum = 0;

    for (uint32_t i = 0; i < BLOCK_Q_ELEMENTS; i++) sum += a[i];
    return sum;
}

/* sum of (q[i] - bias) * a[i] */
static int32_t dot_biased(const uint8_t *q, int32_t bias, const int8_t *a)
{
    int32_t sum = 0;

    for (uint32_t i = 0; i < BLOCK_Q_ELEMENTS; i++) sum += ((int32_t)q[i] - bias) * a[i];
    return sum;
}

/* sum of values[q[i]] * a[i] */
static int32_t dot_looked_up(const uint8_t *q, const int8_t values[16], const int8_t *a)
{
    int32_t sum = 0;

    for (uint32_t i = 0; i < BLOCK_Q_ELEMENTS; i++) sum += values[q[i]] * a[i];
    return sum;
}

BlockTerms terms_q4_0(const uint8_t *block, const int8_t *a)
{
    const BlockQ4_0 *w = (const void *)block;
    uint8_t q[32];

    block_unpack_nibbles(w->q, q);
    return (BlockTerms){.dw = f16_to_f32(w->d), .isum = dot_biased(q, 8, a)};
}

BlockTerms terms_q4_1(const uint8_t *block, const int8_t *a)
{
    const BlockQ4_1 *w = (const void *)block;
    uint8_t q[32];

    block_unpack_nibbles(w->q, q);
    return (BlockTerms){.dw = f16_to_f32(w->d),
        .isum = dot_biased(q, 0, a),
        .has_minimum = true,
        .mw = f16_to_f32(w->m),
        .msum = sum_codes(a)};
}

BlockTerms terms_q5_0(const uint8_t *block, const int8_t *a)
{
    const BlockQ5_0 *w = (const void *)block;
    uint8_t q[32];

    block_unpack_q5(w->q, w->qh, q);
    return (BlockTerms){.dw = f16_to_f32(w->d), .isum = dot_biased(q, 16, a)};
}

BlockTerms terms_q5_1(const uint8_t *block, const int8_t *a)
{
    const BlockQ5_1 *w = (const void *)block;
    uint8_t q[32];

    block_unpack_q5(w->q, w->qh, q);
    return (BlockTerms){.dw = f16_to_f32(w->d),
        .isum = dot_biased(q, 0, a),
        .has_minimum = true,
        .mw = f16_to_f32(w->m),
        .msum = sum_codes(a)};
}

BlockTerms terms_q8_0(const uint8_t *block, const int8_t *a)
{
    const BlockQ8_0 *w = (const void *)block;
    int32_t isum = 0;

    for (uint32_t i = 0; i < BLOCK_Q_ELEMENTS; i++) isum += w->q[i] * a[i];
    return (BlockTerms){.dw = f16_to_f32(w->d), .isum = isum};
}

BlockTerms terms_iq4_nl(const uint8_t *block, const int8_t *a)
{
    const BlockIQ4_NL *w = (const void *)block;
    uint8_t q[32];

    block_unpack_nibbles(w->q, q);
    return (BlockTerms){.dw = f16_to_f32(w->d), .isum = dot_looked_up(q, iq4_values, a)};
}

/* The table holds doubled values, hence the half; both products are exact. */
BlockTerms terms_mxfp4(const uint8_t *block, const int8_t *a)
{
    const BlockMXFP4 *w = (const void *)block;
    uint8_t q[32];

    block_unpack_nibbles(w->q, q);
    return (BlockTerms){.dw = e8m0_to_f32(w->e) * 0.5f, .isum = dot_looked_up(q, mxfp4_values, a)};
}

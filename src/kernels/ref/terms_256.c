/* Block terms of the types with 256-element super-blocks: groups of 16 or 32 elements with
 * small integer scales, which stay integer through the block. */
#include "kernels/ref/terms.h"

#include "quant/block_k.h"
#include "quant/block_q.h"
#include "quant/f16.h"

/* sum over the groups j of scales[j] * sum of (q[i] - bias) * a[i],  i in group j */
static int32_t dot_scaled(
    const uint8_t *q, int32_t bias, const int32_t *scales, uint32_t group, const int8_t *a)
{
    int32_t total = 0;

    for (uint32_t i = 0; i < BLOCK_K_ELEMENTS; i++)
        total += scales[i / group] * (((int32_t)q[i] - bias) * a[i]);
    return total;
}

/* sum over the groups j of mins[j] * sum of a[i],  i in group j */
static int32_t sum_scaled(const uint8_t *mins, uint32_t group, const int8_t *a)
{
    int32_t total = 0;

    for (uint32_t i = 0; i < BLOCK_K_ELEMENTS; i++) total += mins[i / group] * a[i];
    return total;
}

BlockTerms terms_q2_k(const uint8_t *block, const int8_t *a)
{
    const BlockQ2_K *w = (const void *)block;
    uint8_t q[256], mins[16];
    int32_t scales[16];

    q2_k_unpack(w, q);
    for (uint32_t j = 0; j < 16; j++) {
        scales[j] = w->scales[j] & 15;
        mins[j] = w->scales[j] >> 4;
    }
    return (BlockTerms){.dw = f16_to_f32(w->d),
        .isum = dot_scaled(q, 0, scales, 16, a),
        .has_minimum = true,
        .mw = -f16_to_f32(w->dmin),
        .msum = sum_scaled(mins, 16, a)};
}

BlockTerms terms_q3_k(const uint8_t *block, const int8_t *a)
{
    const BlockQ3_K *w = (const void *)block;
    uint8_t q[256], packed[16];
    int32_t scales[16];

    q3_k_unpack(w, q);
    q3_k_unpack_scales(w->scales, packed);
    for (uint32_t j = 0; j < 16; j++) scales[j] = (int32_t)packed[j] - 32;
    return (BlockTerms){.dw = f16_to_f32(w->d), .isum = dot_scaled(q, 4, scales, 16, a)};
}

/* Q4_K and Q5_K differ only in where the bits of q are. */
static BlockTerms terms_of_8_groups(
    uint16_t d, uint16_t dmin, const uint8_t packed[12], const uint8_t *q, const int8_t *a)
{
    uint8_t small_scales[8], mins[8];
    int32_t scales[8];

    q4_k_unpack_scales(packed, small_scales, mins);
    for (uint32_t j = 0; j < 8; j++) scales[j] = small_scales[j];
    return (BlockTerms){.dw = f16_to_f32(d),
        .isum = dot_scaled(q, 0, scales, 32, a),
        .has_minimum = true,
        .mw = -f16_to_f32(dmin),
        .msum = sum_scaled(mins, 32, a)};
}

BlockTerms terms_q4_k(const uint8_t *block, const int8_t *a)
{
    const BlockQ4_K *w = (const void *)block;
    uint8_t q[256];

    q4_k_unpack(w->q, q);
    return terms_of_8_groups(w->d, w->dmin, w->scales, q, a);
}

BlockTerms terms_q5_k(const uint8_t *block, const int8_t *a)
{
    const BlockQ5_K *w = (const void *)block;
    uint8_t q[256];

    q5_k_unpack(w, q);
    return terms_of_8_groups(w->d, w->dmin, w->scales, q, a);
}

BlockTerms terms_q6_k(const uint8_t *block, const int8_t *a)
{
    const BlockQ6_K *w = (const void *)block;
    uint8_t q[256];
    int32_t scales[16];

    q6_k_unpack(w, q);
    for (uint32_t j = 0; j < 16; j++) scales[j] = w->scales[j];
    return (BlockTerms){.dw = f16_to_f32(w->d), .isum = dot_scaled(q, 32, scales, 16, a)};
}

BlockTerms terms_iq4_xs(const uint8_t *block, const int8_t *a)
{
    const BlockIQ4_XS *w = (const void *)block;
    uint8_t q[256], scales[8];
    int32_t isum = 0;

    iq4_xs_unpack(w, q);
    iq4_xs_unpack_scales(w, scales);
    for (uint32_t i = 0; i < 256; i++)
        isum += ((int32_t)scales[i / 32] - 32) * (iq4_values[q[i]] * a[i]);
    return (BlockTerms){.dw = f16_to_f32(w->d), .isum = isum};
}

/* Quantising activations (canonical arithmetic, section 3) into either form of acts.h. */
#include "kernels/acts.h"

#include "kernels/ref/ref.h"
#include "quant/f16.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/*
 * q[i] = rint(x[i] * (127 / max|x|)), returns the scale max|x| / 127.
 * A block with an Inf or NaN is poison: scale NaN, codes 0. One below 2^-80 is zero.
 */
static float quantise_block(const float *x, uint32_t n, int8_t *q)
{
    uint32_t max_bits = 0;

    memset(q, 0, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits = f32_to_bits(x[i]) & 0x7fffffffu;
        if (bits > max_bits) max_bits = bits;
    }
    if (max_bits >= 0x7f800000u) return NAN;

    float max = f32_from_bits(max_bits);
    if (max < 0x1p-80f) return 0.0f;

    float inverse = 127.0f / max;
    for (uint32_t i = 0; i < n; i++) q[i] = (int8_t)rintf(x[i] * inverse);
    return max / 127.0f;
}

static int16_t codes_sum(const int8_t *q, uint32_t n)
{
    int32_t sum = 0;

    for (uint32_t i = 0; i < n; i++) sum += q[i];
    return (int16_t)sum; // at most 32 * 127
}

/* Quantises one row into lane `lane` of a record of `n_lanes` rows. */
static void fill_lane(
    const Acts *acts, ActsRecord record, const float *x, uint32_t lane, uint32_t n_lanes)
{
    uint32_t n = acts_block_elements(acts->kind);
    int8_t q[256];

    for (uint32_t b = 0; b < acts->n_cols / n; b++) {
        size_t block = (size_t)b * n_lanes + lane;
        record.d[block] = quantise_block(x + (size_t)b * n, n, q);

        for (uint32_t i = 0; i < n; i++) {
            size_t k = (size_t)b * n + i;
            record.q[(k / 4 * n_lanes + lane) * 4 + k % 4] = q[i];
        }
        if (acts->kind == ACT_A32) {
            record.sums[block] = codes_sum(q, 32);
            continue;
        }
        for (uint32_t g = 0; g < 16; g++) {
            size_t pair = ((size_t)b * 8 + g / 2) * n_lanes + lane;
            record.bs16[pair * 2 + g % 2] = codes_sum(q + g * 16, 16);
        }
        for (uint32_t g = 0; g < 8; g++) {
            size_t pair = ((size_t)b * 4 + g / 2) * n_lanes + lane;
            record.bs32[pair * 2 + g % 2] = codes_sum(q + g * 32, 32);
        }
    }
}

void acts_fill_ref(
    Acts *acts, const float *x, size_t x_stride, const uint32_t *index, uint32_t unit)
{
    assert(unit < acts_n_units(acts));
    uint64_t record_bytes = acts_record_bytes(acts->kind, acts->n_rows, acts->n_cols);
    uint32_t n_lanes = acts_in_panels(acts->kind, acts->n_rows) ? ACTS_PANEL_ROWS : 1;
    ActsRecord record = acts_record(acts, unit);

    memset(acts->data + unit * record_bytes, 0, record_bytes); // padding and absent rows
    for (uint32_t lane = 0; lane < n_lanes; lane++) {
        uint32_t t = unit * n_lanes + lane;
        if (t >= acts->n_rows) return;
        const float *row = x + (index ? index[t] : t) * x_stride;
        if (acts->kind == ACT_F32)
            memcpy(record.x, row, acts->n_cols * sizeof(float));
        else
            fill_lane(acts, record, row, lane, n_lanes);
    }
}

/* Weights times activations (canonical arithmetic, sections 4 and 5): every output is one
 * chain over the blocks of its weight row, in ascending order, whatever the form of the
 * activations and however many rows there are. */
#include "kernels/ref/lanes.h"
#include "kernels/ref/ref.h"
#include "kernels/ref/terms.h"
#include "quant/f16.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define CHAINS 32 // weight rows per fetch of a block of codes; no result depends on it

/* Block `b` of activation row `t` from either form: codes into q, the scale returned. */
static float acts_block(const Acts *acts, uint32_t t, uint32_t b, int8_t *q)
{
    uint32_t n = acts_block_elements(acts->kind);
    uint32_t n_lanes = acts_in_panels(acts->kind, acts->n_rows) ? ACTS_PANEL_ROWS : 1;
    ActsRecord record = acts_record(acts, t / n_lanes);
    uint32_t lane = t % n_lanes;

    for (uint32_t i = 0; i < n; i++) {
        size_t k = (size_t)b * n + i;
        q[i] = record.q[(k / 4 * n_lanes + lane) * 4 + k % 4];
    }
    return record.d[(size_t)b * n_lanes + lane];
}

static float chain_step(float acc, BlockTerms terms, float da)
{
    acc = fmaf(terms.dw * da, (float)terms.isum, acc);
    if (terms.has_minimum) acc = fmaf(terms.mw * da, (float)terms.msum, acc);
    return acc;
}

/* y[0..n) from n weight rows, at most CHAINS, and activation row t. */
static void matmul_chains(BlockTermsFn *block_terms, float *y, const uint8_t *w, size_t row_bytes,
    uint32_t block_bytes, uint32_t n, const Acts *acts, uint32_t t)
{
    uint32_t n_blocks = acts->n_cols / acts_block_elements(acts->kind);
    float acc[CHAINS] = {0};
    int8_t a[256];

    for (uint32_t b = 0; b < n_blocks; b++) {
        float da = acts_block(acts, t, b, a);
        const uint8_t *block = w + (size_t)b * block_bytes;
        for (uint32_t r = 0; r < n; r++)
            acc[r] = chain_step(acc[r], block_terms(block + r * row_bytes, a), da);
    }
    memcpy(y, acc, n * sizeof acc[0]);
}

static void matmul_quantised(QuantType type, BlockTermsFn *block_terms, float *y, size_t y_stride,
    const uint8_t *w, size_t row_bytes, uint32_t n_out, const Acts *acts)
{
    uint32_t block_bytes = quant_get(type)->block_bytes;
    assert(acts_block_elements(acts->kind) == quant_get(type)->block_elements);

    for (uint32_t t = 0; t < acts->n_rows; t++)
        for (uint32_t r = 0; r < n_out; r += CHAINS) {
            uint32_t n = n_out - r < CHAINS ? n_out - r : CHAINS;
            matmul_chains(block_terms, y + t * y_stride + r, w + r * row_bytes, row_bytes,
                block_bytes, n, acts, t);
        }
}

static float widen_f32(const uint8_t *w)
{
    float value;
    memcpy(&value, w, sizeof value);
    return value;
}

static uint16_t read_u16(const uint8_t *w)
{
    uint16_t value;
    memcpy(&value, w, sizeof value);
    return value;
}

static float widen_f16(const uint8_t *w)
{
    return f16_to_f32(read_u16(w));
}

static float widen_bf16(const uint8_t *w)
{
    return bf16_to_f32(read_u16(w));
}

static void matmul_floats(QuantType type, float (*widen)(const uint8_t *), float *y,
    size_t y_stride, const uint8_t *w, size_t row_bytes, uint32_t n_out, const Acts *acts)
{
    size_t element_bytes = quant_get(type)->block_bytes;
    assert(acts->kind == ACT_F32);

    for (uint32_t t = 0; t < acts->n_rows; t++) {
        const float *x = acts_record(acts, t).x;
        for (uint32_t r = 0; r < n_out; r++) {
            const uint8_t *row = w + r * row_bytes;
            Lanes lanes = {0};
            for (uint32_t k = 0; k < acts->n_cols; k++)
                lanes.sum[k % LANES] =
                    fmaf(widen(row + k * element_bytes), x[k], lanes.sum[k % LANES]);
            y[t * y_stride + r] = lanes_total(lanes);
        }
    }
}

#define X(function, type, act)                                                                  \
    void matmul_##function##_ref(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes, \
        uint32_t n_out, const Acts *acts)                                                       \
    {                                                                                           \
        matmul_floats(QUANT_##type, widen_##function, y, y_stride, w, row_bytes, n_out, acts);  \
    }
MATMUL_FLOAT_TYPES(X)
#undef X

#define X(function, type, act)                                                                    \
    void matmul_##function##_ref(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes,   \
        uint32_t n_out, const Acts *acts)                                                         \
    {                                                                                             \
        matmul_quantised(QUANT_##type, terms_##function, y, y_stride, w, row_bytes, n_out, acts); \
    }
MATMUL_QUANTISED_TYPES(X)
#undef X

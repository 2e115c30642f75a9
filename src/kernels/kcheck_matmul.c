/* The check of the matrix products: every type, few rows and panels, lengths around all
 * unroll factors, codes and scales at their extremes, poison in the activations. */
#include "base/size.h"
#include "kernels/internal.h"
#include "kernels/ref/ref.h"
#include "quant/block_k.h"
#include "quant/block_q.h"

#include <stdio.h>
#include <string.h>

#define CASES 72

static const uint32_t row_counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 19, 31, 32, 33, 40};
static const uint32_t out_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 35};
static const uint32_t block_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17};
static const uint32_t float_counts[] = {
    1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 47, 63, 64, 65, 100, 129, 256, 257};

/* Where the f16 scales of a block are. Types without a row take their bytes as they come. */
typedef struct ScalePlaces {
    QuantType type;
    uint32_t n;
    size_t offsets[2];
} ScalePlaces;

static const ScalePlaces scale_places[] = {
    {QUANT_Q4_0, 1, {offsetof(BlockQ4_0, d)}},
    {QUANT_Q5_0, 1, {offsetof(BlockQ5_0, d)}},
    {QUANT_Q8_0, 1, {offsetof(BlockQ8_0, d)}},
    {QUANT_IQ4_NL, 1, {offsetof(BlockIQ4_NL, d)}},
    {QUANT_Q3_K, 1, {offsetof(BlockQ3_K, d)}},
    {QUANT_Q6_K, 1, {offsetof(BlockQ6_K, d)}},
    {QUANT_IQ4_XS, 1, {offsetof(BlockIQ4_XS, d)}},
    {QUANT_Q4_1, 2, {offsetof(BlockQ4_1, d), offsetof(BlockQ4_1, m)}},
    {QUANT_Q5_1, 2, {offsetof(BlockQ5_1, d), offsetof(BlockQ5_1, m)}},
    {QUANT_Q2_K, 2, {offsetof(BlockQ2_K, d), offsetof(BlockQ2_K, dmin)}},
    {QUANT_Q4_K, 2, {offsetof(BlockQ4_K, d), offsetof(BlockQ4_K, dmin)}},
    {QUANT_Q5_K, 2, {offsetof(BlockQ5_K, d), offsetof(BlockQ5_K, dmin)}},
};

/* An f16 of any kind that files may hold; 1 in 32 is what they should not. */
static uint16_t draw_half(Rng *rng)
{
    uint32_t sign = (uint32_t)rng_below(rng, 2) << 15;
    uint32_t mantissa = (uint32_t)rng_below(rng, 1024);

    switch (rng_below(rng, 32)) {
    case 0: return (uint16_t)sign;                         // zero
    case 1: return (uint16_t)(sign | mantissa);            // subnormal
    case 2: return (uint16_t)(sign | (30u << 10) | 1023u); // the largest
    case 3: return (uint16_t)(sign | (31u << 10));         // infinite
    default: return (uint16_t)(sign | ((5u + rng_below(rng, 12)) << 10) | mantissa);
    }
}

static void draw_codes(Rng *rng, uint8_t *out, size_t n)
{
    static const uint8_t extremes[] = {0x00, 0x80, 0xff, 0x7f, 0x88, 0x08, 0xf0};

    if (rng_below(rng, 4) == 0)
        memset(out, extremes[rng_below(rng, COUNT(extremes))], n);
    else
        rng_fill(rng, out, n);
}

/* Random weights; the scales replaced by f16 of all kinds, float weights by moderate ones. */
static void draw_weights(Rng *rng, QuantType type, uint8_t *w, size_t n_bytes)
{
    uint32_t block_bytes = quant_get(type)->block_bytes;

    for (size_t at = 0; at + block_bytes <= n_bytes; at += block_bytes) {
        draw_codes(rng, w + at, block_bytes);
        for (size_t i = 0; i < COUNT(scale_places); i++)
            for (uint32_t s = 0; scale_places[i].type == type && s < scale_places[i].n; s++) {
                uint16_t half = draw_half(rng);
                memcpy(w + at + scale_places[i].offsets[s], &half, sizeof half);
            }
        if (type == QUANT_MXFP4 && rng_below(rng, 16) > 0)
            w[at] = (uint8_t)(100 + rng_below(rng, 40));
        if (type == QUANT_F16) {
            uint16_t half = draw_half(rng);
            if ((half & 0x7c00u) == 0x7c00u) half &= 0x8000u; // else each sum is infinite
            memcpy(w + at, &half, sizeof half);
        }
        // A float of moderate size, so that sums stay finite: 2^-20 to 2^11.
        if (type == QUANT_BF16 || type == QUANT_F32)
            w[at + block_bytes - 1] = (uint8_t)((w[at] & 0x80) | (0x36 + rng_below(rng, 15)));
    }
}

typedef struct MatmulCase {
    QuantType type;
    uint32_t n_rows, n_out, n_cols;
    CheckData data;
    size_t row_bytes, y_stride;
    const uint8_t *w;
    Acts acts;
} MatmulCase;

static void run_case(Check *check, const MatmulCase *c)
{
    size_t n = (size_t)(c->n_rows - 1) * c->y_stride + c->n_out;
    char label[64];

    snprintf(label, sizeof label, "%u rows, %u out, %u cols, data %d", c->n_rows, c->n_out,
        c->n_cols, (int)c->data);
    float *want = check_output(check, 0, n);
    kernels_ref.matmul[c->type](want, c->y_stride, c->w, c->row_bytes, c->n_out, &c->acts);
    for (uint32_t t = 0; t < check->n_tables; t++) {
        float *got = check_output(check, 1, n);
        check->tables[t]->matmul[c->type](got, c->y_stride, c->w, c->row_bytes, c->n_out, &c->acts);
        check_outputs(check, t, label);
    }
}

/* Draws weights and activations for the sizes of the case, and runs it. */
static void draw_case(Check *check, MatmulCase *c)
{
    Rng *rng = &check->rng;
    ActKind kind = kernels_act_kind(c->type);
    size_t x_count = (size_t)c->n_rows * c->n_cols;

    // Rows may have a gap after them, and start anywhere.
    c->row_bytes = (size_t)quant_row_bytes(c->type, c->n_cols) + rng_below(rng, 2) * 5;
    c->y_stride = c->n_out + rng_below(rng, 3);
    size_t w_bytes = c->row_bytes * c->n_out;
    uint8_t *w = check_bytes(check, 0, w_bytes + 64 + rng_below(rng, 2), 1);
    for (uint32_t r = 0; r < c->n_out; r++)
        draw_weights(rng, c->type, w + r * c->row_bytes, c->row_bytes);
    c->w = w;

    const float *x = check_input(check, 0, x_count, c->data);
    c->acts = (Acts){.kind = kind, .n_rows = c->n_rows, .n_cols = c->n_cols};
    c->acts.data =
        check_bytes(check, 1, (size_t)acts_bytes(kind, c->n_rows, c->n_cols), ACTS_ALIGNMENT);
    for (uint32_t unit = 0; unit < acts_n_units(&c->acts); unit++)
        acts_fill_ref(&c->acts, x, c->n_cols, NULL, unit);
    run_case(check, c);
}

void check_matmul(Check *check, QuantType type)
{
    uint32_t block = quant_get(type)->block_elements;

    for (uint32_t i = 0; i < CASES; i++) {
        MatmulCase c = {.type = type,
            .n_rows = row_counts[i % COUNT(row_counts)],
            .n_out = check_pick(check, out_counts, COUNT(out_counts)),
            .n_cols = block == 1 ? check_pick(check, float_counts, COUNT(float_counts))
                                 : check_pick(check, block_counts, COUNT(block_counts)) * block,
            .data = (CheckData)(i % DATA_KINDS)};
        draw_case(check, &c);
    }
    // Longer than any tile: rows of weights, columns, and both forms of activations.
    MatmulCase tall = {.type = type, .n_rows = 2, .n_out = 139, .n_cols = 512};
    MatmulCase broad = {.type = type, .n_rows = 17, .n_out = 9, .n_cols = 4352};
    MatmulCase panels = {.type = type, .n_rows = 70, .n_out = 67, .n_cols = 256};
    draw_case(check, &tall);
    draw_case(check, &broad);
    draw_case(check, &panels);
}

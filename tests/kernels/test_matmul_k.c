/* Products of quantised weights (matmul_k, matmul_q) where overlays can go wrong by
 * themselves: codes, scales and activations at their bounds, where a 16-bit sum would
 * saturate; and every number of weight rows around the width of a strip or a tile. Every
 * table of this machine against ref, by bits. */
#include "harness.h"
#include "kernels/tables.h"

#include "base/rng.h"
#include "quant/block_k.h"

#define OUT_MAX    40
#define ROWS_LIMIT 33
#define COLS_LIMIT 1280
#define GUARD      3 // floats after each row of the output, and bytes before the weights

static float x[ROWS_LIMIT * COLS_LIMIT];
static uint8_t w[GUARD + OUT_MAX * COLS_LIMIT * 2 + 64];
static float want[ROWS_LIMIT * (OUT_MAX + GUARD)], got[ROWS_LIMIT * (OUT_MAX + GUARD)];

/* Where the f16 factors of a block are; the others have theirs at the start. */
static size_t factor_offset(QuantType type)
{
    if (type == QUANT_Q2_K) return offsetof(BlockQ2_K, d);
    if (type == QUANT_Q3_K) return offsetof(BlockQ3_K, d);
    return type == QUANT_Q6_K ? offsetof(BlockQ6_K, d) : 0;
}

static bool has_minimum(QuantType type)
{
    return type == QUANT_Q4_1 || type == QUANT_Q5_1 || type == QUANT_Q2_K || type == QUANT_Q4_K
           || type == QUANT_Q5_K;
}

/* Makes the factors of all blocks 1 (f16), or for MXFP4 near it. */
static void set_factors(QuantType type)
{
    static const uint8_t one[2] = {0x00, 0x3c};
    uint32_t block_bytes = quant_get(type)->block_bytes;

    for (size_t at = GUARD; at + block_bytes <= sizeof w; at += block_bytes) {
        if (type == QUANT_MXFP4) {
            w[at] = 128;
            continue;
        }
        memcpy(w + at + factor_offset(type), one, sizeof one);
        if (has_minimum(type)) memcpy(w + at + factor_offset(type) + 2, one, sizeof one);
    }
}

/* Is `table` like ref for these sizes, and does it leave what is beyond its rows? */
static bool same_as_ref(
    const Kernels *table, QuantType type, uint32_t n_rows, uint32_t n_out, uint32_t n_cols)
{
    const Kernels *ref = kernels_table(0);
    Acts acts = acts_of(ref, kernels_act_kind(type), x, n_rows, n_cols);
    size_t row_bytes = (size_t)quant_row_bytes(type, n_cols);

    memset(want, 0x5a, sizeof want);
    memset(got, 0x5a, sizeof got);
    ref->matmul[type](want, n_out + GUARD, w + GUARD, row_bytes, n_out, &acts);
    table->matmul[type](got, n_out + GUARD, w + GUARD, row_bytes, n_out, &acts);
    acts_drop(&acts);
    return memcmp(want, got, sizeof want) == 0;
}

/* The activations with the largest codes: all 127, all -127, or by turns in runs of `run`. */
static void fill_rows(uint32_t run)
{
    for (size_t i = 0; i < COUNT(x); i++) x[i] = run == 0 || i / run % 2 == 0 ? 1.0f : -1.0f;
    if (run == 0)
        for (size_t i = 0; i < COUNT(x); i += 2 * COLS_LIMIT)
            for (size_t k = 0; k < COLS_LIMIT; k++) x[i + k] = -1.0f;
}

TEST(no_sum_saturates_where_all_factors_are_at_their_bounds)
{
    static const uint8_t patterns[] = {0x00, 0xff, 0x80, 0x7f, 0x77, 0x0f, 0xf0, 0x88, 0x3f};
    static const uint32_t runs[] = {0, 1, 2, 16, 32}, row_counts[] = {1, 2, 19};

    for (uint32_t number = 0; number < QUANT_TYPES_END; number++) {
        QuantType type = (QuantType)number;
        if (!kernels_table(0)->matmul[type] || kernels_act_kind(type) == ACT_F32) continue;
        for (size_t p = 0; p < COUNT(patterns); p++) {
            memset(w, patterns[p], sizeof w);
            set_factors(type);
            for (size_t i = 0; i < COUNT(runs); i++) {
                fill_rows(runs[i]);
                for (const Kernels *table = next_table(NULL); table; table = next_table(table))
                    for (size_t n = 0; n < COUNT(row_counts); n++)
                        CHECK_CASE(
                            quant_get(type)->name, same_as_ref(table, type, row_counts[n], 5, 512));
            }
        }
    }
}

TEST(every_number_of_weight_rows_is_whole)
{
    static const uint32_t row_counts[] = {1, 2, 3, 4, 5, 16, 17, 33}, block_counts[] = {1, 3, 5};
    Rng rng = rng_seeded(harness_seed());

    for (size_t i = 0; i < COUNT(x); i++) x[i] = rng_unit(&rng) * 2.0f - 1.0f;
    for (uint32_t number = 0; number < QUANT_TYPES_END; number++) {
        QuantType type = (QuantType)number;
        if (!kernels_table(0)->matmul[type] || kernels_act_kind(type) == ACT_F32) continue;
        rng_fill(&rng, w, sizeof w);
        set_factors(type);
        for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
            if (table == kernels_table(0)) continue;
            for (uint32_t n_out = 1; n_out <= OUT_MAX; n_out++) {
                uint32_t n_rows = row_counts[n_out % COUNT(row_counts)];
                uint32_t n_blocks = block_counts[n_out % COUNT(block_counts)];
                CHECK_CASE(quant_get(type)->name, same_as_ref(table, type, n_rows, n_out,
                                                      n_blocks * quant_get(type)->block_elements));
            }
        }
    }
}

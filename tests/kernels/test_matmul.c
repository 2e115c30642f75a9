/* What holds for all matrix products: a row's result does not depend on its company (batch
 * and panels), nor on how the weight rows are shared out; only poison spreads, and only in
 * its own row. All by bits, on each table of this machine. */
#include "harness.h"
#include "kernels/tables.h"

#include "base/rng.h"

#include <math.h>

#define OUT      37
#define ROWS_MAX 40
#define COLS_MAX 1024
#define COLS_F32 500 // not a multiple of 16

static float x[ROWS_MAX * COLS_MAX];
static uint8_t w[OUT * COLS_MAX * 4 + 64];
static float single[ROWS_MAX * OUT], batch[ROWS_MAX * OUT];

static uint32_t columns_of(QuantType type)
{
    return kernels_act_kind(type) == ACT_F32 ? COLS_F32 : COLS_MAX;
}

/* Random bytes as weights, with scales that are finite: every type keeps them at either end
 * of a block. F32 values get an exponent near 1. */
static void fill_weights(Rng *rng, QuantType type)
{
    uint32_t block_bytes = quant_get(type)->block_bytes;

    rng_fill(rng, w, sizeof w);
    for (size_t at = 0; at + block_bytes <= sizeof w; at += block_bytes) {
        if (type == QUANT_MXFP4) {
            w[at] = (uint8_t)(120 + rng_below(rng, 10));
            continue;
        }
        if (type == QUANT_F32 || type == QUANT_BF16) {
            w[at + block_bytes - 1] = 0x3f;
            continue;
        }
        static const size_t high_bytes[] = {1, 3};
        for (size_t i = 0; i < COUNT(high_bytes); i++) {
            w[at + high_bytes[i] % block_bytes] &= 0x3f;
            w[at + block_bytes - high_bytes[i] % block_bytes] &= 0x3f;
        }
    }
}

static void fill_rows(Rng *rng)
{
    for (size_t i = 0; i < COUNT(x); i++) x[i] = rng_unit(rng) * 2.0f - 1.0f;
}

static void multiply(const Kernels *table, QuantType type, float *y, const float *rows,
    uint32_t n_rows, uint32_t first_out, uint32_t n_out)
{
    uint32_t n_cols = columns_of(type);
    size_t row_bytes = quant_row_bytes(type, n_cols);
    Acts acts = acts_of(table, kernels_act_kind(type), rows, n_rows, n_cols);

    table->matmul[type](y, OUT, w + first_out * row_bytes, row_bytes, n_out, &acts);
    acts_drop(&acts);
}

/* The same bits, or NaN in both places. */
static bool same_results(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

TEST(rows_have_the_same_bits_alone_and_in_company)
{
    static const uint32_t row_counts[] = {1, 2, 3, 7, 8, 15, 16, 17, 19, 33, 40};
    Rng rng = rng_seeded(harness_seed());

    fill_rows(&rng);
    for (uint32_t number = 0; number < QUANT_TYPES_END; number++) {
        QuantType type = (QuantType)number;
        if (!kernels_table(0)->matmul[type]) continue;
        fill_weights(&rng, type);
        for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
            uint32_t n_finite = 0;
            for (uint32_t t = 0; t < ROWS_MAX; t++)
                multiply(table, type, single + t * OUT, x + t * columns_of(type), 1, 0, OUT);
            for (size_t i = 0; i < COUNT(single); i++) n_finite += isfinite(single[i]) ? 1 : 0;
            CHECK_CASE(quant_get(type)->name, n_finite == COUNT(single)); // else little is proven

            for (size_t i = 0; i < COUNT(row_counts); i++) {
                memset(batch, 0xa5, sizeof batch);
                multiply(table, type, batch, x, row_counts[i], 0, OUT);
                CHECK_CASE(quant_get(type)->name,
                    memcmp(single, batch, row_counts[i] * OUT * sizeof(float)) == 0);
            }
        }
    }
}

TEST(weight_rows_may_be_shared_out_in_any_way)
{
    static const uint32_t cuts[] = {0, 1, 2, 5, 9, 16, 32, OUT};
    static const uint32_t row_counts[] = {1, 3, 20};
    Rng rng = rng_seeded(harness_seed());

    fill_rows(&rng);
    for (uint32_t number = 0; number < QUANT_TYPES_END; number++) {
        QuantType type = (QuantType)number;
        if (!kernels_table(0)->matmul[type]) continue;
        fill_weights(&rng, type);
        for (const Kernels *table = next_table(NULL); table; table = next_table(table))
            for (size_t i = 0; i < COUNT(row_counts); i++) {
                uint32_t n_rows = row_counts[i];
                multiply(table, type, single, x, n_rows, 0, OUT);
                for (size_t c = 0; c + 1 < COUNT(cuts); c++)
                    multiply(
                        table, type, batch + cuts[c], x, n_rows, cuts[c], cuts[c + 1] - cuts[c]);
                CHECK_CASE(quant_get(type)->name, same_results(single, batch, n_rows * OUT));
            }
    }
}

TEST(poison_reaches_its_own_row_and_no_other)
{
    Rng rng = rng_seeded(harness_seed());
    const uint32_t n_rows = 20, poisoned = 6;

    for (uint32_t number = 0; number < QUANT_TYPES_END; number++) {
        QuantType type = (QuantType)number;
        if (!kernels_table(0)->matmul[type]) continue;
        fill_weights(&rng, type);
        for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
            bool spread = false, reached = true;
            fill_rows(&rng);
            multiply(table, type, single, x, n_rows, 0, OUT);
            x[poisoned * columns_of(type) + 300] = NAN;
            multiply(table, type, batch, x, n_rows, 0, OUT);
            for (uint32_t t = 0; t < n_rows; t++)
                for (uint32_t r = 0; r < OUT; r++) {
                    size_t i = t * OUT + r;
                    if (t == poisoned)
                        reached = reached && isnan(batch[i]);
                    else
                        spread = spread || memcmp(&single[i], &batch[i], sizeof(float)) != 0;
                }
            CHECK_CASE(quant_get(type)->name, reached);
            CHECK_CASE(quant_get(type)->name, !spread);
        }
    }
}

TEST(decoded_product_is_that_of_section_5)
{
    Rng rng = rng_seeded(harness_seed());
    const Kernels *scalar = kernels_table(0);
    size_t row_bytes = quant_row_bytes(QUANT_F32, COLS_F32);
    float direct[OUT], decoded[OUT];

    fill_rows(&rng);
    fill_weights(&rng, QUANT_F32);
    Acts acts = acts_of(scalar, ACT_F32, x, 1, COLS_F32);
    scalar->matmul[QUANT_F32](direct, OUT, w, row_bytes, OUT, &acts);
    kernels_matmul_decoded(QUANT_F32, decoded, OUT, w, row_bytes, OUT, &acts);
    CHECK_BITS(direct, decoded, sizeof direct);
    acts_drop(&acts);
}

/* The layout of activations (kernels/acts.h): sizes, both forms of the same codes, zeros in
 * all padding. */
#include "harness.h"
#include "kernels/tables.h"

#include <math.h>

#define ROWS 21
#define COLS 768

static const float *rows(void)
{
    static float x[ROWS * COLS];

    for (uint32_t i = 0; i < ROWS * COLS; i++)
        x[i] = (float)((i * 2654435761u) >> 16) / 32768.0f - 1.0f;
    x[3 * COLS + 5] = INFINITY;                                // poison in row 3
    for (uint32_t i = 0; i < 256; i++) x[7 * COLS + i] = 0.0f; // a zero block in row 7
    return x;
}

TEST(bytes_and_units_follow_the_form)
{
    Acts acts = {.kind = ACT_A256, .n_rows = ACTS_PANEL_ROWS_MIN - 1, .n_cols = 512};
    CHECK(acts_n_units(&acts) == ACTS_PANEL_ROWS_MIN - 1);
    // codes, two scales, 32 sums of 16, 16 sums of 32; each padded to 64 bytes
    CHECK(acts_record_bytes(ACT_A256, 1, 512) == 512 + 64 + 64 + 64);
    CHECK(acts_bytes(ACT_A256, 4, 512) == 4 * acts_record_bytes(ACT_A256, 1, 512));

    acts.n_rows = ACTS_PANEL_ROWS_MIN;
    CHECK(acts_n_units(&acts) == 1);
    acts.n_rows = 33;
    CHECK(acts_n_units(&acts) == 3);
    CHECK(acts_bytes(ACT_A256, 33, 512) == 3 * acts_record_bytes(ACT_A256, 33, 512));

    acts.kind = ACT_F32; // never in panels
    acts.n_cols = 17;
    CHECK(acts_n_units(&acts) == 33);
    CHECK(acts_bytes(ACT_F32, 33, 17) == 33 * 128);
}

TEST(bytes_grow_with_rows)
{
    static const ActKind kinds[] = {ACT_F32, ACT_A32, ACT_A256};

    for (size_t i = 0; i < COUNT(kinds); i++) {
        uint64_t before = 0;
        for (uint32_t n_rows = 0; n_rows <= 70; n_rows++) {
            uint64_t n_bytes = acts_bytes(kinds[i], n_rows, 256);
            CHECK(n_bytes >= before && n_bytes % ACTS_ALIGNMENT == 0);
            before = n_bytes;
        }
    }
}

TEST(bytes_that_cannot_be_addressed_are_said_to_be_so)
{
    CHECK(acts_bytes(ACT_F32, UINT32_MAX, UINT32_MAX) == UINT64_MAX);
}

static bool same_float(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* Block b of row t in a panel against the row form; false at the first difference. */
static bool block_is_the_same(
    ActKind kind, ActsRecord row, ActsRecord panel, uint32_t lane, uint32_t b)
{
    uint32_t n = acts_block_elements(kind);
    bool same = same_float(row.d[b], panel.d[b * 16 + lane]);

    for (uint32_t k = b * n; k < (b + 1) * n; k++)
        same = same && row.q[k] == panel.q[(k / 4 * 16 + lane) * 4 + k % 4];
    if (kind == ACT_A32) return same && row.sums[b] == panel.sums[b * 16 + lane];
    for (uint32_t g = 0; g < 16; g++) {
        int16_t sum = panel.bs16[((b * 8 + g / 2) * 16 + lane) * 2 + g % 2];
        same = same && row.bs16[b * 16 + g] == sum;
    }
    for (uint32_t g = 0; g < 8; g++) {
        int16_t sum = panel.bs32[((b * 4 + g / 2) * 16 + lane) * 2 + g % 2];
        same = same && row.bs32[b * 8 + g] == sum;
    }
    return same;
}

TEST(both_forms_hold_the_same_numbers)
{
    static const ActKind kinds[] = {ACT_A32, ACT_A256};

    for (const Kernels *table = next_table(NULL); table; table = next_table(table))
        for (size_t i = 0; i < COUNT(kinds); i++) {
            Acts panels = acts_of(table, kinds[i], rows(), ROWS, COLS);
            for (uint32_t t = 0; t < ROWS; t++) {
                Acts row = acts_of(table, kinds[i], rows() + t * COLS, 1, COLS);
                ActsRecord a = acts_record(&row, 0), b = acts_record(&panels, t / 16);
                for (uint32_t k = 0; k < COLS / acts_block_elements(kinds[i]); k++)
                    CHECK_CASE(table->isa, block_is_the_same(kinds[i], a, b, t % 16, k));
                acts_drop(&row);
            }
            acts_drop(&panels);
        }
}

TEST(sums_are_those_of_the_codes_and_poison_has_none)
{
    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        Acts acts = acts_of(table, ACT_A256, rows(), 4, COLS);
        for (uint32_t t = 0; t < 4; t++) {
            ActsRecord record = acts_record(&acts, t);
            if (!CHECK(record.q && record.bs16)) return;
            for (uint32_t g = 0; g < COLS / 16; g++) {
                int32_t sum = 0;
                for (uint32_t i = 0; i < 16; i++) sum += record.q[g * 16 + i];
                CHECK_CASE(table->isa, sum == record.bs16[g]);
            }
        }
        ActsRecord poisoned = acts_record(&acts, 3);
        if (!CHECK(poisoned.d && poisoned.q && poisoned.bs32)) return;
        CHECK_CASE(table->isa, isnan(poisoned.d[0]) && !isnan(poisoned.d[1]));
        CHECK_CASE(table->isa, poisoned.q[0] == 0 && poisoned.bs32[0] == 0);
        acts_drop(&acts);
    }
}

/* Where the rounded product with 127 / max and the quotient by the scale lie on two sides of
 * a tie, the product counts (docs/arithmetic.md, section 3). */
TEST(codes_come_from_the_product_with_the_inverse)
{
    float x[256] = {0x1.1c28f6p+0f, 0x1.038c38p-3f, -0x1.04aa9ep+0f, 0x1.0805cep-2f};
    static const int8_t want[4] = {127, 15, -117, 30}; // the quotients round to 14, -116, 29

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        Acts a32 = acts_of(table, ACT_A32, x, 1, 256), a256 = acts_of(table, ACT_A256, x, 1, 256);
        CHECK_BITS(want, acts_record(&a32, 0).q, sizeof want);
        CHECK_BITS(want, acts_record(&a256, 0).q, sizeof want);
        acts_drop(&a32);
        acts_drop(&a256);
    }
}

TEST(rows_can_be_picked_by_index)
{
    static const uint32_t index[] = {20, 0, 3, 3, 1, 7};

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        Acts picked = acts_of(table, ACT_A32, rows(), COUNT(index), COLS);
        for (uint32_t unit = 0; unit < acts_n_units(&picked); unit++)
            table->acts_fill(&picked, rows(), COLS, index, unit);
        for (uint32_t t = 0; t < COUNT(index); t++) {
            Acts row = acts_of(table, ACT_A32, rows() + index[t] * COLS, 1, COLS);
            ActsRecord a = acts_record(&row, 0), b = acts_record(&picked, 0);
            for (uint32_t k = 0; k < COLS / 32; k++)
                CHECK_CASE(table->isa, block_is_the_same(ACT_A32, a, b, t, k));
            acts_drop(&row);
        }
        acts_drop(&picked);
    }
}

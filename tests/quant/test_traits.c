/* tests/quant/test_traits.c - the numbers, names and sizes of types. */
#include "quant/traits.h"

#include "harness.h"

#include "quant/block_k.h"
#include "quant/block_q.h"

TEST(types_are_found_by_number_and_name)
{
    static const struct {
        uint32_t number;
        const char *name;
        QuantType type;
    } cases[] = {{0, "F32", QUANT_F32}, {1, "F16", QUANT_F16}, {8, "Q8_0", QUANT_Q8_0},
        {12, "Q4_K", QUANT_Q4_K}, {23, "IQ4_XS", QUANT_IQ4_XS}, {30, "BF16", QUANT_BF16},
        {39, "MXFP4", QUANT_MXFP4}, {42, "Q2_0", QUANT_Q2_0}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        const QuantTraits *traits = quant_find(cases[i].number);
        QuantType type = QUANT_TYPES_END;
        if (!CHECK_CASE(cases[i].name, traits)) continue;
        CHECK_CASE(cases[i].name, strcmp(traits->name, cases[i].name) == 0);
        CHECK_CASE(cases[i].name, traits == quant_get(cases[i].type));
        CHECK_CASE(cases[i].name, quant_find_name(cases[i].name, &type));
        CHECK_CASE(cases[i].name, type == cases[i].type);
    }
}

TEST(unassigned_numbers_and_names_are_not_found)
{
    static const uint32_t numbers[] = {
        4, 5, 31, 32, 33, 36, 37, 38, 43, 1000, 1u << 31, UINT32_MAX};
    static const char *const names[] = {"", "q4_k", "Q4", "Q4_K_M", "(null)"};

    for (size_t i = 0; i < COUNT(numbers); i++) CHECK(!quant_find(numbers[i]));
    for (size_t i = 0; i < COUNT(names); i++) {
        QuantType type = QUANT_F64;
        CHECK_CASE(names[i], !quant_find_name(names[i], &type));
        CHECK_CASE(names[i], type == QUANT_F64);
    }
}

/* Bits per weight as publishers quote them; a typing error in the table shows here. */
TEST(block_sizes_give_the_known_rates)
{
    static const struct {
        QuantType type;
        double bits;
    } cases[] = {{QUANT_F32, 32}, {QUANT_F16, 16}, {QUANT_BF16, 16}, {QUANT_Q4_0, 4.5},
        {QUANT_Q4_1, 5}, {QUANT_Q5_0, 5.5}, {QUANT_Q5_1, 6}, {QUANT_Q8_0, 8.5}, {QUANT_Q2_K, 2.625},
        {QUANT_Q3_K, 3.4375}, {QUANT_Q4_K, 4.5}, {QUANT_Q5_K, 5.5}, {QUANT_Q6_K, 6.5625},
        {QUANT_IQ2_XXS, 2.0625}, {QUANT_IQ2_XS, 2.3125}, {QUANT_IQ3_XXS, 3.0625},
        {QUANT_IQ1_S, 1.5625}, {QUANT_IQ4_NL, 4.5}, {QUANT_IQ3_S, 3.4375}, {QUANT_IQ2_S, 2.5625},
        {QUANT_IQ4_XS, 4.25}, {QUANT_IQ1_M, 1.75}, {QUANT_TQ1_0, 1.6875}, {QUANT_TQ2_0, 2.0625},
        {QUANT_MXFP4, 4.25}, {QUANT_NVFP4, 4.5}, {QUANT_Q1_0, 1.125}, {QUANT_Q2_0, 2.25}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        const QuantTraits *traits = quant_get(cases[i].type);
        CHECK_CASE(
            traits->name, traits->block_bytes * 8.0 / traits->block_elements == cases[i].bits);
    }
}

TEST(block_structs_have_the_sizes_of_the_table)
{
    CHECK(sizeof(BlockQ4_0) == quant_get(QUANT_Q4_0)->block_bytes);
    CHECK(sizeof(BlockQ4_1) == quant_get(QUANT_Q4_1)->block_bytes);
    CHECK(sizeof(BlockQ5_0) == quant_get(QUANT_Q5_0)->block_bytes);
    CHECK(sizeof(BlockQ5_1) == quant_get(QUANT_Q5_1)->block_bytes);
    CHECK(sizeof(BlockQ8_0) == quant_get(QUANT_Q8_0)->block_bytes);
    CHECK(sizeof(BlockIQ4_NL) == quant_get(QUANT_IQ4_NL)->block_bytes);
    CHECK(sizeof(BlockMXFP4) == quant_get(QUANT_MXFP4)->block_bytes);
    CHECK(sizeof(BlockQ2_K) == quant_get(QUANT_Q2_K)->block_bytes);
    CHECK(sizeof(BlockQ3_K) == quant_get(QUANT_Q3_K)->block_bytes);
    CHECK(sizeof(BlockQ4_K) == quant_get(QUANT_Q4_K)->block_bytes);
    CHECK(sizeof(BlockQ5_K) == quant_get(QUANT_Q5_K)->block_bytes);
    CHECK(sizeof(BlockQ6_K) == quant_get(QUANT_Q6_K)->block_bytes);
    CHECK(sizeof(BlockIQ4_XS) == quant_get(QUANT_IQ4_XS)->block_bytes);
}

TEST(rows_are_as_long_as_their_blocks)
{
    CHECK(quant_row_bytes(QUANT_F32, 0) == 0);
    CHECK(quant_row_bytes(QUANT_F32, 7) == 28);
    CHECK(quant_row_bytes(QUANT_Q4_K, 4096) == 2304);
    CHECK(quant_row_bytes(QUANT_Q8_0, UINT64_C(1) << 31) == (UINT64_C(1) << 26) * 34);
}

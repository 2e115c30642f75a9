/* Which table a machine gets, and what HYPURA_ISA may say. */
#include "harness.h"
#include "kernels/kernels.h"
#include "sys/cpu.h"

#define ALL_X86 (CPU_AVX2 | CPU_AVX512 | CPU_VNNI512 | CPU_AMX)

TEST(scalar_is_the_first_table_and_needs_nothing)
{
    CHECK(strcmp(kernels_table(0)->isa, "scalar") == 0);
    CHECK(kernels_table(0)->cpu_features == 0);
    CHECK(kernels_select(0, NULL, NULL) == kernels_table(0));
    CHECK(kernels_select(0, "", NULL) == kernels_table(0));
}

TEST(every_entry_is_filled_in_every_table)
{
    for (uint32_t i = 0; i < kernels_n_tables(); i++) {
        const Kernels *table = kernels_table(i);
#define X(entry) CHECK_CASE(table->isa, table->entry != NULL);
        KERNEL_ENTRIES(X)
#undef X
        for (size_t type = 0; type < QUANT_TYPES_END; type++)
            if (kernels_table(0)->matmul[type]) CHECK_CASE(table->isa, table->matmul[type] != NULL);
    }
}

TEST(products_exist_for_the_types_of_the_list)
{
    static const QuantType types[] = {QUANT_F32, QUANT_F16, QUANT_BF16, QUANT_Q4_0, QUANT_Q4_1,
        QUANT_Q5_0, QUANT_Q5_1, QUANT_Q8_0, QUANT_Q2_K, QUANT_Q3_K, QUANT_Q4_K, QUANT_Q5_K,
        QUANT_Q6_K, QUANT_IQ4_NL, QUANT_IQ4_XS, QUANT_MXFP4};

    for (size_t i = 0; i < COUNT(types); i++) {
        uint32_t block = quant_get(types[i])->block_elements;
        CHECK_CASE(quant_get(types[i])->name, kernels_table(0)->matmul[types[i]] != NULL);
        ActKind kind = kernels_act_kind(types[i]);
        CHECK_CASE(quant_get(types[i])->name, acts_block_elements(kind) == block);
    }
    CHECK(!kernels_table(0)->matmul[QUANT_I32]);
    CHECK(kernels_act_kind(QUANT_IQ1_S) == ACT_F32); // only decoded
}

#ifdef __x86_64__
TEST(best_table_of_the_features_is_taken)
{
    CHECK(strcmp(kernels_select(CPU_AVX2, NULL, NULL)->isa, "avx2") == 0);
    CHECK(strcmp(kernels_select(ALL_X86, NULL, NULL)->isa, "avx512") == 0);
    // AVX-512 without VNNI is not enough.
    CHECK(strcmp(kernels_select(CPU_AVX2 | CPU_AVX512, NULL, NULL)->isa, "avx2") == 0);
}

TEST(limit_is_obeyed)
{
    CHECK(strcmp(kernels_select(ALL_X86, "scalar", NULL)->isa, "scalar") == 0);
    CHECK(strcmp(kernels_select(ALL_X86, "avx2", NULL)->isa, "avx2") == 0);
}

TEST(limit_that_the_machine_lacks_is_refused_with_what_it_has)
{
    static const char *const names[] = {"avx512", "amx", "neon", "dotprod", "i8mm"};

    for (size_t i = 0; i < COUNT(names); i++) {
        Error err = {0};
        CHECK_CASE(names[i], !kernels_select(CPU_AVX2, names[i], &err));
        CHECK_ERROR(err, ERROR_USAGE);
        CHECK_CASE(names[i], strstr(err.message, names[i]));
        CHECK_CASE(names[i], strstr(err.message, "has scalar, avx2"));
        CHECK_CASE(names[i], strstr(err.message, "not available"));
    }
}
#endif

TEST(unknown_limit_is_refused)
{
    Error err = {0};

    CHECK(!kernels_select(ALL_X86, "AVX2", &err)); // names are lower case
    CHECK_ERROR(err, ERROR_USAGE);
    CHECK(strstr(err.message, "HYPURA_ISA=AVX2"));
    CHECK(strstr(err.message, "no such instruction set"));
}

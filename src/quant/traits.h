/* The ggml types: number, name, block size. docs/formats/blocks.md has the layouts. */
#ifndef HYPURA_QUANT_TRAITS_H
#define HYPURA_QUANT_TRAITS_H

#include "base/error.h"

// clang-format off
/* number  name  elements  bytes   (of one block) */
#define QUANT_TYPES(X) \
    X(  0, F32,      1,   4) X(  1, F16,      1,   2) X(  2, Q4_0,    32,  18) X(  3, Q4_1,    32,  20) \
    X(  6, Q5_0,    32,  22) X(  7, Q5_1,    32,  24) X(  8, Q8_0,    32,  34) X(  9, Q8_1,    32,  36) \
    X( 10, Q2_K,   256,  84) X( 11, Q3_K,   256, 110) X( 12, Q4_K,   256, 144) X( 13, Q5_K,   256, 176) \
    X( 14, Q6_K,   256, 210) X( 15, Q8_K,   256, 292) X( 16, IQ2_XXS,256,  66) X( 17, IQ2_XS, 256,  74) \
    X( 18, IQ3_XXS,256,  98) X( 19, IQ1_S,  256,  50) X( 20, IQ4_NL,  32,  18) X( 21, IQ3_S,  256, 110) \
    X( 22, IQ2_S,  256,  82) X( 23, IQ4_XS, 256, 136) X( 24, I8,       1,   1) X( 25, I16,      1,   2) \
    X( 26, I32,      1,   4) X( 27, I64,      1,   8) X( 28, F64,      1,   8) X( 29, IQ1_M,  256,  56) \
    X( 30, BF16,     1,   2) X( 34, TQ1_0,  256,  54) X( 35, TQ2_0,  256,  66) X( 39, MXFP4,   32,  17) \
    X( 40, NVFP4,   64,  36) X( 41, Q1_0,   128,  18) X( 42, Q2_0,    64,  18)
// clang-format on

#define X(number, name, elements, bytes) QUANT_##name = number,
typedef enum QuantType { QUANT_TYPES(X) QUANT_TYPES_END } QuantType;
#undef X

typedef struct QuantTraits {
    const char *name; // as in file names and tables; NULL: number not assigned
    uint32_t block_elements;
    uint32_t block_bytes;
} QuantTraits;

/* The traits of a type number read from a file, or NULL where this build knows none. */
const QuantTraits *quant_find(uint32_t number);

/* The traits of a known type. */
const QuantTraits *quant_get(QuantType type);

/* The number of a type by its name ("Q4_K"); false: no such type. */
bool quant_find_name(const char *name, QuantType *out);

/* Bytes of a row of n_cols elements; n_cols must be a multiple of the block (asserted). */
uint64_t quant_row_bytes(QuantType type, uint64_t n_cols);

#endif

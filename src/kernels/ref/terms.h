/* What one weight block and the activation codes over it give (canonical arithmetic,
 * section 4, the table): integers that are exact in any order, and the weight's factors.
 *
 *   acc = fma(dw * da, isum, acc)    and, where a type has a minimum,
 *   acc = fma(mw * da, msum, acc)                                                        */
#ifndef HYPURA_KERNELS_REF_TERMS_H
#define HYPURA_KERNELS_REF_TERMS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct BlockTerms {
    float dw;
    int32_t isum;
    bool has_minimum;
    float mw; // with has_minimum
    int32_t msum;
} BlockTerms;

/* block: one weight block, any alignment; a: its 32 or 256 activation codes. */
typedef BlockTerms BlockTermsFn(const uint8_t *block, const int8_t *a);

BlockTermsFn terms_q4_0, terms_q4_1, terms_q5_0, terms_q5_1, terms_q8_0, terms_iq4_nl, terms_mxfp4;
BlockTermsFn terms_q2_k, terms_q3_k, terms_q4_k, terms_q5_k, terms_q6_k, terms_iq4_xs;

#endif

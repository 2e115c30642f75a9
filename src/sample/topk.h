/*
 * The k best of many logits, in order: larger first, equal ones by id. The order is
 * total, so that the result does not depend on how it is found.
 */
#ifndef HYPURA_SAMPLE_TOPK_H
#define HYPURA_SAMPLE_TOPK_H

#include "sample/sampler.h"

/*
 * Writes the best min(k, number of finite logits) of logits[0..n) to out, best first, and
 * returns their number. Logits are no NaN and no +Inf; -Inf is never taken; -0 equals +0.
 * `out` and `spare` have room for n each. Time is linear in n, whatever the logits.
 */
uint32_t topk_select(const float *logits, uint32_t n, uint32_t k, Candidate *out, Candidate *spare);

#endif

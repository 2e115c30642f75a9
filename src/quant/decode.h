/* Scalar decoding of weights to float32, bit for bit as ggml defines the formats. */
#ifndef HYPURA_QUANT_DECODE_H
#define HYPURA_QUANT_DECODE_H

#include "quant/traits.h"

/* Can this build decode the type? */
bool quant_can_decode(QuantType type);

/* out[0..n) from n elements (a multiple of the block) at `data` (any alignment). The type
 * must be decodable. */
void quant_decode(QuantType type, const uint8_t *data, float *out, size_t n);

#endif

/* Verification (--f32-activations): weights of any type decoded to float32, activations as
 * they are, the 16 lanes of canonical arithmetic section 5. Slow on purpose: it exists to be
 * compared with oracles that do not quantise activations. */
#include "kernels/ref/lanes.h"
#include "kernels/ref/ref.h"
#include "quant/decode.h"

#include <assert.h>
#include <math.h>

#define PIECE 256 // elements decoded at a time: whole blocks of every type, whole turns of lanes

void kernels_matmul_decoded(QuantType type, float *y, size_t y_stride, const uint8_t *w,
    size_t row_bytes, uint32_t n_out, const Acts *acts)
{
    float decoded[PIECE];

    assert(acts->kind == ACT_F32);
    assert(quant_can_decode(type));
    for (uint32_t r = 0; r < n_out; r++)
        for (uint32_t t = 0; t < acts->n_rows; t++) {
            const float *x = acts_record(acts, t).x;
            Lanes lanes = {0};
            for (uint32_t k = 0; k < acts->n_cols; k += PIECE) {
                uint32_t n = acts->n_cols - k < PIECE ? acts->n_cols - k : PIECE;
                quant_decode(type, w + r * row_bytes + quant_row_bytes(type, k), decoded, n);
                for (uint32_t i = 0; i < n; i++)
                    lanes.sum[i % LANES] = fmaf(decoded[i], x[k + i], lanes.sum[i % LANES]);
            }
            y[t * y_stride + r] = lanes_total(lanes);
        }
}

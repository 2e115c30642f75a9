/* Frequencies of rotary embeddings (Su et al. 2021, arXiv:2104.09864) with the scalings that
 * models carry: divisors per frequency (Llama 3), linear interpolation, YaRN (Peng et al. 2023,
 * arXiv:2309.00071). All in float64, so that the float32 angles are the same everywhere
 * (canonical arithmetic, section 8). */
#include "model/positions.h"

#include <math.h>

#include "base/mem.h"

/* The rotary dimension at which a wave turns n_turns times within the original context (YaRN,
 * section 3.2). */
static double yarn_dimension(const Shape *shape, double n_turns)
{
    double two_pi = 0x1.921fb54442d18p+2;
    double turns = (double)shape->rope_n_ctx_original / (n_turns * two_pi);
    return (double)shape->n_rot * canonical_log(turns) / (2 * canonical_log(shape->rope_base));
}

/*
 * inv[i] = mix of interpolated and extrapolated frequency:
 *   ramp = 1 - clamp((i - low) / max(0.001, high - low), 0, 1)
 *   inv  = (inv / factor) * (1 - ramp) + inv * ramp
 */
static void apply_yarn(Positions *positions, const Shape *shape)
{
    double low = floor(yarn_dimension(shape, shape->yarn_beta_fast));
    double high = ceil(yarn_dimension(shape, shape->yarn_beta_slow));
    double last = (double)shape->n_rot - 1;

    if (low < 0) low = 0;
    if (high > last) high = last;
    double width = high - low > 0.001 ? high - low : 0.001;
    for (uint32_t i = 0; i < positions->n_half; i++) {
        double place = ((double)i - low) / width;
        double ramp = 1 - (place < 0 ? 0 : place > 1 ? 1 : place);
        double squeezed = positions->inv[i] / shape->rope_factor;
        positions->inv[i] = squeezed * (1 - ramp) + positions->inv[i] * ramp;
    }
    positions->magnitude *= 1 + 0.1 * canonical_log(shape->rope_factor);
}

bool positions_init(Positions *positions, const Shape *shape, const float *factors, Error *err)
{
    *positions =
        (Positions){.n_half = shape->n_rot / 2, .magnitude = shape->rope_magnitude, .step = 1};
    positions->inv = mem_alloc_array(MEM_OTHER, positions->n_half, sizeof(double), err);
    if (!positions->inv) return false;

    rope_inverse_frequencies(positions->inv, shape->n_rot, shape->rope_base);
    for (uint32_t i = 0; factors && i < positions->n_half; i++) {
        if (!(factors[i] > 0)) {
            positions_destroy(positions);
            return error_set(
                err, ERROR_MODEL_SHAPE, "tensor 'rope_freqs.weight': factor %u is not above 0", i);
        }
        positions->inv[i] = positions->inv[i] / (double)factors[i];
    }
    switch (shape->rope_scaling) {
    case ROPE_SCALING_NONE: break;
    case ROPE_SCALING_LINEAR: positions->step = 1 / shape->rope_factor; break;
    case ROPE_SCALING_YARN: apply_yarn(positions, shape); break;
    }
    return true;
}

void positions_destroy(Positions *positions)
{
    mem_free(MEM_OTHER, positions->inv);
    *positions = (Positions){0};
}

void positions_angles(const Positions *positions, uint32_t position, float *cos, float *sin)
{
    rope_sincos(cos, sin, positions->inv, positions->n_half, (double)position * positions->step,
        positions->magnitude);
}

/* Where a token stands: the rope angles of its position, with the model's scaling. */
#ifndef HYPURA_MODEL_POSITIONS_H
#define HYPURA_MODEL_POSITIONS_H

#include "model/shape.h"

typedef struct Positions {
    double *inv;      // [n_rot/2] angle per position, scaling applied; owned (MEM_OTHER)
    uint32_t n_half;  // n_rot / 2
    double magnitude; // on cos and sin
    double step;      // what one position advances by: 1, or 1/factor with linear scaling
} Positions;

/* factors: [n_rot/2] divisors of the frequencies (rope_freqs.weight), or NULL. */
CHECKED bool positions_init(
    Positions *positions, const Shape *shape, const float *factors, Error *err);
void positions_destroy(Positions *positions);

/* cos, sin: [n_half] */
void positions_angles(const Positions *positions, uint32_t position, float *cos, float *sin);

#endif

/* The weights of a synthetic model: any part of a tensor's bytes, from a seed. */
#ifndef HYPURA_CLI_SYNTH_FILL_H
#define HYPURA_CLI_SYNTH_FILL_H

#include "cli/synth_shape.h"

#define SYNTH_PATTERNS_MAX 24

/* Blocks of one type and deviation, from which rows are cut. */
typedef struct SynthPattern {
    QuantType type;
    float deviation;
    uint8_t *data; // in the arena
    size_t n_blocks;
} SynthPattern;

typedef struct SynthFill {
    uint64_t seed;
    SynthPattern patterns[SYNTH_PATTERNS_MAX];
    size_t n_patterns;
} SynthFill;

/* Makes the patterns that the model's matrices need. Afterwards `fill` is only read, by
 * any number of threads. */
CHECKED bool synth_fill_init(
    SynthFill *fill, const SynthModel *model, uint64_t seed, Arena *arena, Error *err);

/* Bytes [offset_bytes, offset_bytes + n_bytes) of tensor `index`; a pure function of the
 * seed, the tensor and the place. */
void synth_fill_bytes(const SynthFill *fill, const SynthModel *model, size_t index,
    uint64_t offset_bytes, uint8_t *out, size_t n_bytes);

#endif

/* The vocabulary of a synthetic model. */
#ifndef HYPURA_CLI_SYNTH_VOCAB_H
#define HYPURA_CLI_SYNTH_VOCAB_H

#include "cli/synth_shape.h"

/* Writes tokenizer metadata of shape->n_vocab tokens, at least 512. */
CHECKED bool synth_write_vocab(
    GgufWriter *writer, const SynthShape *shape, Arena *arena, Error *err);

#endif

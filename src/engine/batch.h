/* Many prompts that share every pass over the weights (Orca: Yu et al. 2022, iteration-level
 * scheduling; the throughput-bound job of FlexGen: Sheng et al. 2023, arXiv:2303.06865). Each
 * has a place; who ends makes room for the next while the others go on. A pass takes one row of
 * every place that generates, and fills up with rows of the prompts that wait, the oldest first:
 * so a pass that waits for the drive anyway evaluates them for nothing. */
#ifndef HYPURA_ENGINE_BATCH_H
#define HYPURA_ENGINE_BATCH_H

#include "engine/loaded.h"
#include "hypura/hypura.h"
#include "sample/sampler.h"

typedef struct Place {
    SequenceState state;
    const int32_t *prompt; // borrowed; NULL: the place is empty
    size_t n_prompt, n_evaluated;
    SamplerOptions sampling;
    int32_t token;   // the last answer; not evaluated yet. Valid when the prompt is evaluated
    uint64_t order;  // of prompts, by their begin
    uint32_t n_rows; // of the pass in the making
    bool has_answer; // by that pass
} Place;

typedef struct Batch {
    Loaded *loaded; // borrowed; outlives the batch
    Place *places;  // owned
    uint32_t n_places;
    uint32_t *in_pass; // [n_places] places that have rows in it, in their order; owned
    uint32_t n_in_pass;
    Sampler sampler; // of all
    uint64_t n_begun;
} Batch;

/* At most as many places as the model was opened for sequences: USAGE. `batch` stays where it is
 * until batch_destroy, which accepts a zeroed one. */
CHECKED bool batch_init(Batch *batch, Loaded *loaded, uint32_t n_places, Error *err);
void batch_destroy(Batch *batch);

/* Fills an empty place. The tokens are borrowed until the place is empty again. USAGE, TOKEN_RANGE
 * or CONTEXT_FULL: they cannot be evaluated, or leave no room for an answer; nothing changed. */
CHECKED bool batch_begin(Batch *batch, uint32_t place, const int32_t *tokens, size_t n_tokens,
    SamplerOptions sampling, Error *err);
void batch_end(Batch *batch, uint32_t place); // empties it; fine if it is empty

/*
 * One pass, and the next token of each place whose logits it gave: at most one a place, none
 * while a long prompt is evaluated in parts. A place whose context is full must be ended before.
 *
 * answers  [n_places]
 *
 * On failure all places are as before; the pass may be tried again.
 */
CHECKED bool batch_step(
    Batch *batch, hypura_batch_answer *answers, uint32_t *n_answers, Error *err);

#endif

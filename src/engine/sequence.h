/* Sequences: what was said so far, and the passes that carry it on. */
#ifndef HYPURA_ENGINE_SEQUENCE_H
#define HYPURA_ENGINE_SEQUENCE_H

#include "engine/loaded.h"

typedef struct Sequence {
    Loaded *loaded; // borrowed; outlives the sequence
    SequenceState state;
    float *logits; // [n_vocab] of the last row, owned
    bool has_logits;
} Sequence;

CHECKED bool sequence_init(Sequence *sequence, Loaded *loaded, Error *err);
void sequence_destroy(Sequence *sequence);

/* Tokens in prompt chunks; the logits of the last one stay in the sequence. On failure the
 * sequence is as before. */
CHECKED bool sequence_eval(Sequence *sequence, const int32_t *tokens, size_t n_tokens, Error *err);

/* What sequence_eval refuses before it begins: ids and lengths out of range. */
CHECKED bool sequence_check(
    const Sequence *sequence, const int32_t *tokens, size_t n_tokens, Error *err);

/* As sequence_eval, and every row's results are handed out as they come. */
typedef struct RowSink {
    void *context;
    bool (*row)(
        void *context, size_t index, const float *logits, const float *result_norm); // false: stop
    bool (*layer)(void *context, uint32_t layer, size_t index, const float *output); // may be NULL
} RowSink;
CHECKED bool sequence_eval_rows(
    Sequence *sequence, const int32_t *tokens, size_t n_tokens, const RowSink *sink, Error *err);

/*
 * Evaluates tokens behind the end and leaves the end where it is: what follows from them is kept
 * aside, for sequence_advance. At most as many as the model gives rows of logits. Between the
 * call and the advances the model runs no other pass: sequence_is_ahead says whether that holds.
 */
CHECKED bool sequence_eval_ahead(
    Sequence *sequence, const int32_t *tokens, uint32_t n_tokens, Error *err);
bool sequence_is_ahead(const Sequence *sequence);
/* The next of those tokens, the row-th, belongs to the sequence; its logits stay in it. */
void sequence_advance(Sequence *sequence, uint32_t row);
/* Makes an earlier position the end again. There are no logits then. */
void sequence_cut(Sequence *sequence, uint32_t position);

/* One token for each of n different sequences of one model, in one pass. */
CHECKED bool sequences_eval_together(
    Sequence *const *sequences, const int32_t *tokens, size_t n, Error *err);

#endif

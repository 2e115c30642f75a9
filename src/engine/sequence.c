/* From tokens to rows to passes. A prompt is cut into chunks of n_ubatch rows; how it is cut
 * changes no bit. */
#include "engine/sequence.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

bool sequence_init(Sequence *sequence, Loaded *loaded, Error *err)
{
    *sequence = (Sequence){.loaded = loaded};
    sequence->logits = mem_alloc_array(MEM_STATE, loaded->shape.n_vocab, sizeof(float), err);
    if (!sequence->logits || !state_init(&sequence->state, &loaded->states, err)) {
        sequence_destroy(sequence);
        return false;
    }
    return true;
}

void sequence_destroy(Sequence *sequence)
{
    if (sequence->loaded && sequence_is_ahead(sequence)) sequence->loaded->ahead_of = NULL;
    state_destroy(&sequence->state);
    mem_free(MEM_STATE, sequence->logits);
    *sequence = (Sequence){0};
}

static bool check_tokens(const Loaded *loaded, const int32_t *tokens, size_t n, Error *err)
{
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= loaded->shape.n_vocab)
            return error_set(err, ERROR_TOKEN_RANGE, "token %d is not in 0 to %u", tokens[i],
                loaded->shape.n_vocab - 1);
    return true;
}

static bool check_room(const Sequence *sequence, size_t n_tokens, Error *err)
{
    uint32_t position = sequence->state.end_position, n_ctx = sequence->loaded->n_ctx;

    if (n_tokens == 0) return error_set(err, ERROR_USAGE, "no tokens to evaluate");
    if (n_tokens > n_ctx || position > n_ctx - n_tokens)
        return error_set(err, ERROR_CONTEXT_FULL,
            "%zu tokens from position %u on do not fit a context of %u", n_tokens, position, n_ctx);
    return true;
}

bool sequence_check(const Sequence *sequence, const int32_t *tokens, size_t n_tokens, Error *err)
{
    return check_room(sequence, n_tokens, err)
           && check_tokens(sequence->loaded, tokens, n_tokens, err);
}

/* The next n tokens of a sequence as rows. */
static bool append_rows(
    Sequence *sequence, const int32_t *tokens, uint32_t n, Row *rows, Error *err)
{
    sequence->loaded->ahead_of = NULL; // a pass overwrites the rows of logits
    if (!state_reserve(&sequence->state, n, err)) return false;
    for (uint32_t i = 0; i < n; i++)
        rows[i] = (Row){.state = &sequence->state,
            .position = sequence->state.end_position + i,
            .token = tokens[i]};
    return true;
}

static void keep_logits(Sequence *sequence, uint32_t row)
{
    size_t n_vocab = sequence->loaded->shape.n_vocab;
    memcpy(sequence->logits, sequence->loaded->forward.scratch.logits + row * n_vocab,
        n_vocab * sizeof(float));
    sequence->has_logits = true;
}

/* Where a call stands, for whoever wants to know or to stop it. Between two layers the memory is
 * looked at, too. */
typedef struct Watch {
    Loaded *loaded;
    size_t done, total; // tokens of the call; `done` before this pass
    uint32_t n_rows;    // of this pass
} Watch;

static bool ask_progress(const Watch *watch, uint32_t layer)
{
    const ProgressHook *hook = &watch->loaded->progress;
    governor_poll(&watch->loaded->governor);
    size_t n = (size_t)watch->n_rows * (layer + 1) / watch->loaded->shape.n_layer;

    return !hook->call || hook->call(hook->context, watch->done + n, watch->total);
}

static bool watch_layer(void *context, uint32_t layer, const float *x, uint32_t n_rows)
{
    (void)x;
    (void)n_rows;
    return ask_progress(context, layer);
}

static bool eval_chunks(Sequence *sequence, const int32_t *tokens, size_t n_tokens, Error *err)
{
    Loaded *loaded = sequence->loaded;
    uint32_t n_ubatch = loaded->n_ubatch;
    Watch watch = {.loaded = loaded, .total = n_tokens};
    Observer observer = {.context = &watch, .layer = watch_layer};

    store_expect_headless(loaded->store, (uint32_t)((n_tokens - 1) / n_ubatch));
    for (; watch.done < n_tokens; watch.done += watch.n_rows) {
        size_t n_left = n_tokens - watch.done;
        watch.n_rows = n_left < n_ubatch ? (uint32_t)n_left : n_ubatch;
        if (!append_rows(sequence, tokens + watch.done, watch.n_rows, loaded->rows, err))
            return false;
        loaded->rows[watch.n_rows - 1].wants_logits = watch.n_rows == n_left;
        if (!forward_pass(&loaded->forward, loaded->rows, watch.n_rows, &observer, err))
            return false;
        sequence->state.end_position += watch.n_rows;
    }
    keep_logits(sequence, 0);
    return true;
}

bool sequence_eval(Sequence *sequence, const int32_t *tokens, size_t n_tokens, Error *err)
{
    uint32_t position = sequence->state.end_position;

    if (!sequence_check(sequence, tokens, n_tokens, err)) return false;
    if (eval_chunks(sequence, tokens, n_tokens, err)) return true;
    store_expect_headless(sequence->loaded->store, 0);
    sequence->state.end_position = position; // keys behind the end are invisible
    return error_at(err, "position %u", position);
}

/* Hands out what a pass gives, on its way. */
typedef struct SinkRun {
    Watch watch;
    const RowSink *sink;
    const float *result_norm; // of this pass
} SinkRun;

static bool sink_layer(void *context, uint32_t layer, const float *x, uint32_t n_rows)
{
    const SinkRun *run = context;
    const RowSink *sink = run->sink;
    size_t n_embd = run->watch.loaded->shape.n_embd;

    for (uint32_t i = 0; i < n_rows && sink->layer; i++)
        if (!sink->layer(sink->context, layer, run->watch.done + i, x + i * n_embd)) return false;
    return ask_progress(&run->watch, layer);
}

static void sink_norm(void *context, const float *x, uint32_t n_rows)
{
    SinkRun *run = context;
    (void)n_rows;
    run->result_norm = x;
}

static bool eval_chunk_rows(Sequence *sequence, const int32_t *tokens, SinkRun *run, Error *err)
{
    Loaded *loaded = sequence->loaded;
    uint32_t n = run->watch.n_rows;
    Observer observer = {.context = run, .layer = sink_layer, .result_norm = sink_norm};

    if (!append_rows(sequence, tokens, n, loaded->rows, err)) return false;
    for (uint32_t i = 0; i < n; i++) loaded->rows[i].wants_logits = true;
    if (!forward_pass(&loaded->forward, loaded->rows, n, &observer, err)) return false;
    for (uint32_t i = 0; i < n; i++) {
        const float *logits = loaded->forward.scratch.logits + (size_t)i * loaded->shape.n_vocab;
        const float *norm = run->result_norm + (size_t)i * loaded->shape.n_embd;
        if (!run->sink->row(run->sink->context, run->watch.done + i, logits, norm))
            return error_set(err, ERROR_INTERRUPTED, "stopped");
    }
    sequence->state.end_position += n;
    keep_logits(sequence, n - 1);
    return true;
}

bool sequence_eval_rows(
    Sequence *sequence, const int32_t *tokens, size_t n_tokens, const RowSink *sink, Error *err)
{
    uint32_t position = sequence->state.end_position, most = sequence->loaded->n_logit_rows;
    SinkRun run = {.sink = sink, .watch = {.loaded = sequence->loaded, .total = n_tokens}};

    if (!sequence_check(sequence, tokens, n_tokens, err)) return false;
    for (; run.watch.done < n_tokens; run.watch.done += run.watch.n_rows) {
        size_t n_left = n_tokens - run.watch.done;
        run.watch.n_rows = n_left < most ? (uint32_t)n_left : most;
        if (eval_chunk_rows(sequence, tokens + run.watch.done, &run, err)) continue;
        sequence->state.end_position = position;
        return error_at(err, "position %u", position);
    }
    return true;
}

bool sequence_eval_ahead(Sequence *sequence, const int32_t *tokens, uint32_t n_tokens, Error *err)
{
    Loaded *loaded = sequence->loaded;
    Watch watch = {.loaded = loaded, .total = 1, .n_rows = 1}; // for whoever asks, one token
    Observer observer = {.context = &watch, .layer = watch_layer};

    assert(n_tokens <= loaded->n_logit_rows);
    if (!sequence_check(sequence, tokens, n_tokens, err)
        || !append_rows(sequence, tokens, n_tokens, loaded->rows, err))
        return false;
    for (uint32_t i = 0; i < n_tokens; i++) loaded->rows[i].wants_logits = true;
    if (!forward_pass(&loaded->forward, loaded->rows, n_tokens, &observer, err))
        return error_at(err, "position %u", sequence->state.end_position);
    loaded->ahead_of = sequence;
    return true;
}

bool sequence_is_ahead(const Sequence *sequence)
{
    return sequence->loaded->ahead_of == sequence;
}

void sequence_advance(Sequence *sequence, uint32_t row)
{
    assert(sequence_is_ahead(sequence));
    sequence->state.end_position++;
    keep_logits(sequence, row);
}

void sequence_cut(Sequence *sequence, uint32_t position)
{
    assert(position >= sequence->state.first_position);
    assert(position <= sequence->state.end_position);
    sequence->state.end_position = position; // keys behind the end are invisible
    sequence->has_logits = false;
}

bool sequences_eval_together(
    Sequence *const *sequences, const int32_t *tokens, size_t n, Error *err)
{
    if (n == 0) return error_set(err, ERROR_USAGE, "no sequences to evaluate");
    Loaded *loaded = sequences[0]->loaded;

    if (n > loaded->n_logit_rows)
        return error_set(err, ERROR_USAGE, "%zu sequences in one pass; the model was opened for %u",
            n, loaded->n_logit_rows);
    if (!check_tokens(loaded, tokens, n, err)) return false;
    for (size_t i = 0; i < n; i++) {
        assert(sequences[i]->loaded == loaded);
        for (size_t j = 0; j < i; j++)
            if (sequences[j] == sequences[i])
                return error_set(err, ERROR_USAGE, "a sequence is named twice");
        if (!check_room(sequences[i], 1, err)) return false;
        if (!append_rows(sequences[i], &tokens[i], 1, &loaded->rows[i], err)) return false;
        loaded->rows[i].wants_logits = true;
    }
    governor_poll(&loaded->governor);
    if (!forward_pass(&loaded->forward, loaded->rows, (uint32_t)n, NULL, err)) return false;
    for (size_t i = 0; i < n; i++) {
        sequences[i]->state.end_position++;
        keep_logits(sequences[i], (uint32_t)i);
    }
    return true;
}

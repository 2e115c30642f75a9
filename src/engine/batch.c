/* One pass for many: rows are put together, evaluated, drawn from, and only then does any place
 * move on. Who shares a pass with whom reaches no bit (model/forward.h), so every prompt gets the
 * tokens that it would get alone. */
#include "engine/batch.h"

#include <assert.h>

#include "base/mem.h"

bool batch_init(Batch *batch, Loaded *loaded, uint32_t n_places, Error *err)
{
    *batch = (Batch){.loaded = loaded};
    if (n_places == 0 || n_places > loaded->n_sequences || n_places > loaded->n_logit_rows)
        return error_set(err, ERROR_USAGE, "%u places; the model was opened for %u sequences",
            n_places, loaded->n_sequences);
    batch->places = mem_alloc_array(MEM_STATE, n_places, sizeof *batch->places, err);
    batch->in_pass = mem_alloc_array(MEM_STATE, n_places, sizeof *batch->in_pass, err);
    if (!batch->places || !batch->in_pass) goto fail;
    for (; batch->n_places < n_places; batch->n_places++)
        if (!state_init(&batch->places[batch->n_places].state, &loaded->states, err)) goto fail;
    if (!sampler_init(&batch->sampler, sampler_default_options(), loaded->shape.n_vocab, err))
        goto fail;
    return true;

fail:
    batch_destroy(batch);
    return false;
}

void batch_destroy(Batch *batch)
{
    for (uint32_t i = 0; i < batch->n_places; i++) state_destroy(&batch->places[i].state);
    sampler_destroy(&batch->sampler);
    mem_free(MEM_STATE, batch->in_pass);
    mem_free(MEM_STATE, batch->places);
    *batch = (Batch){0};
}

bool batch_begin(Batch *batch, uint32_t place, const int32_t *tokens, size_t n_tokens,
    SamplerOptions sampling, Error *err)
{
    Place *p = &batch->places[place];
    const Loaded *loaded = batch->loaded;

    assert(place < batch->n_places && !p->prompt);
    if (n_tokens == 0) return error_set(err, ERROR_USAGE, "the prompt is empty");
    if (n_tokens >= loaded->n_ctx)
        return error_set(err, ERROR_CONTEXT_FULL,
            "the prompt has %zu tokens, the context room for %u", n_tokens, loaded->n_ctx);
    for (size_t i = 0; i < n_tokens; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= loaded->shape.n_vocab)
            return error_set(err, ERROR_TOKEN_RANGE, "token %d is not in 0 to %u", tokens[i],
                loaded->shape.n_vocab - 1);
    p->prompt = tokens;
    p->n_prompt = n_tokens;
    p->n_evaluated = 0;
    p->sampling = sampling;
    p->order = batch->n_begun++;
    return true;
}

void batch_end(Batch *batch, uint32_t place)
{
    assert(place < batch->n_places);
    state_reset(&batch->places[place].state, 0);
    batch->places[place].prompt = NULL;
}

static bool generates(const Place *place)
{
    return place->prompt && place->n_evaluated == place->n_prompt;
}

/* The next n rows of a place, behind those of the pass so far. */
static bool add_rows(
    Batch *batch, uint32_t place, uint32_t n, bool wants_logits, uint32_t *n_rows, Error *err)
{
    Place *p = &batch->places[place];
    const int32_t *tokens = generates(p) ? &p->token : p->prompt + p->n_evaluated;
    Row *rows = batch->loaded->rows + *n_rows;

    if (p->state.end_position + n > batch->loaded->n_ctx)
        return error_set(
            err, ERROR_CONTEXT_FULL, "the context of %u is full", batch->loaded->n_ctx);
    if (!state_reserve(&p->state, n, err)) return false;
    for (uint32_t i = 0; i < n; i++)
        rows[i] =
            (Row){.state = &p->state, .position = p->state.end_position + i, .token = tokens[i]};
    rows[n - 1].wants_logits = wants_logits;
    p->n_rows = n;
    p->has_answer = wants_logits;
    batch->in_pass[batch->n_in_pass++] = place;
    *n_rows += n;
    return true;
}

/* The oldest prompt that is not in the pass yet; n_places: none. */
static uint32_t oldest_prompt(const Batch *batch)
{
    uint32_t oldest = batch->n_places;

    for (uint32_t i = 0; i < batch->n_places; i++) {
        const Place *p = &batch->places[i];
        if (!p->prompt || generates(p) || p->n_rows > 0) continue;
        if (oldest == batch->n_places || p->order < batch->places[oldest].order) oldest = i;
    }
    return oldest;
}

static bool gather_rows(Batch *batch, uint32_t *n_rows, Error *err)
{
    uint32_t n_rows_max = batch->loaded->n_ubatch, place;

    *n_rows = batch->n_in_pass = 0;
    for (uint32_t i = 0; i < batch->n_places; i++) batch->places[i].n_rows = 0;
    for (uint32_t i = 0; i < batch->n_places; i++)
        if (generates(&batch->places[i]) && !add_rows(batch, i, 1, true, n_rows, err)) return false;
    while (*n_rows < n_rows_max && (place = oldest_prompt(batch)) < batch->n_places) {
        size_t n_left = batch->places[place].n_prompt - batch->places[place].n_evaluated;
        uint32_t n_free = n_rows_max - *n_rows;
        uint32_t n = n_left < n_free ? (uint32_t)n_left : n_free;
        if (!add_rows(batch, place, n, n == n_left, n_rows, err)) return false;
    }
    return *n_rows > 0 || error_set(err, ERROR_USAGE, "there is no prompt in any place");
}

/* How many passes from now on give no logits: the parts of a long prompt that has them alone. */
static uint32_t n_headless(const Batch *batch)
{
    const Place *first = &batch->places[batch->in_pass[0]];

    if (first->has_answer) return 0;
    return (uint32_t)((first->n_prompt - first->n_evaluated - 1) / batch->loaded->n_ubatch);
}

typedef struct Watch {
    Loaded *loaded;
    uint32_t n_rows;
} Watch;

static bool watch_layer(void *context, uint32_t layer, const float *x, uint32_t n_rows)
{
    const Watch *watch = context;
    const ProgressHook *hook = &watch->loaded->progress;

    (void)x;
    governor_poll(&watch->loaded->governor);
    size_t done = (size_t)n_rows * (layer + 1) / watch->loaded->shape.n_layer;
    return !hook->call || hook->call(hook->context, done, watch->n_rows);
}

/* From the logits of the pass, in the order of its rows. */
static bool draw_answers(
    Batch *batch, hypura_batch_answer *answers, uint32_t *n_answers, Error *err)
{
    const float *logits = batch->loaded->forward.scratch.logits;
    uint32_t n = 0;

    for (uint32_t i = 0; i < batch->n_in_pass; i++) {
        const Place *p = &batch->places[batch->in_pass[i]];
        if (!p->has_answer) continue;
        answers[n].place = batch->in_pass[i];
        batch->sampler.options = p->sampling;
        if (!sampler_draw(&batch->sampler, logits + (size_t)n * batch->loaded->shape.n_vocab,
                p->state.end_position + p->n_rows, &answers[n].token, err))
            return false;
        n++;
    }
    *n_answers = n;
    return true;
}

static void move_on(Batch *batch, const hypura_batch_answer *answers, uint32_t n_answers)
{
    for (uint32_t i = 0; i < batch->n_in_pass; i++) {
        Place *p = &batch->places[batch->in_pass[i]];
        if (!generates(p)) p->n_evaluated += p->n_rows;
        p->state.end_position += p->n_rows;
    }
    for (uint32_t i = 0; i < n_answers; i++)
        batch->places[answers[i].place].token = answers[i].token;
}

bool batch_step(Batch *batch, hypura_batch_answer *answers, uint32_t *n_answers, Error *err)
{
    Loaded *loaded = batch->loaded;
    Watch watch = {.loaded = loaded};
    Observer observer = {.context = &watch, .layer = watch_layer};

    if (!gather_rows(batch, &watch.n_rows, err)) return false;
    store_expect_headless(loaded->store, n_headless(batch));
    loaded->ahead_of = NULL; // the pass overwrites the rows of logits
    if (!forward_pass(&loaded->forward, loaded->rows, watch.n_rows, &observer, err)
        || !draw_answers(batch, answers, n_answers, err)) {
        store_expect_headless(loaded->store, 0);
        return false;
    }
    move_on(batch, answers, *n_answers);
    return true;
}

/* One pass of a token and its guesses:
 *
 *   row      0      1        2
 *   token    t      guess 0  guess 1     all evaluated behind the end; the end moves to row 0
 *   logits   -> u   -> v     -> w
 *
 * If the next token is guess 0, its row is there: the end moves on. Else the next pass begins at
 * the end, over what was guessed. */
#include "engine/speculate.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

bool speculate_init(
    Speculation *speculation, Sequence *sequence, const SpeculateOptions *options, Error *err)
{
    Loaded *loaded = sequence->loaded;
    bool ok = true;

    *speculation = (Speculation){.options = *options, .sequence = sequence};
    assert(options->n_fixed <= PACE_GUESSES_MAX);
    speculation->tokens = mem_alloc_array(MEM_STATE, loaded->n_ctx, sizeof(int32_t), err);
    if (!speculation->tokens) return false;
    switch (options->source) {
    case GUESS_DRAFT: ok = draft_init(&speculation->draft, loaded->draft, err); break;
    case GUESS_NGRAM: ok = ngram_init(&speculation->ngram, loaded->n_ctx, err); break;
    case GUESS_SCRIPT: break;
    }
    if (!ok) speculate_destroy(speculation);
    return ok;
}

void speculate_destroy(Speculation *speculation)
{
    draft_destroy(&speculation->draft);
    ngram_destroy(&speculation->ngram);
    mem_free(MEM_STATE, speculation->tokens);
    *speculation = (Speculation){0};
}

void speculate_forget(Speculation *speculation)
{
    uint32_t position = speculation->sequence->state.end_position;

    speculation->n_tokens = 0;
    speculation->has_last = false;
    if (speculation->options.source == GUESS_DRAFT) draft_reset(&speculation->draft, position);
    if (speculation->options.source == GUESS_NGRAM) ngram_reset(&speculation->ngram);
}

static void note(Speculation *speculation, const int32_t *tokens, size_t n)
{
    for (size_t i = 0; i < n; i++) speculation->tokens[speculation->n_tokens++] = tokens[i];
}

/* Up to n_wanted guesses behind the text. False: INTERRUPTED; any other failure ends guessing. */
static bool guess(Speculation *speculation, uint32_t n_wanted, uint32_t *n_guesses, Error *err)
{
    const SpeculateOptions *options = &speculation->options;
    const int32_t *tokens = speculation->tokens;
    uint32_t n_tokens = speculation->n_tokens;
    bool ok = true;

    *n_guesses = 0;
    switch (options->source) {
    case GUESS_DRAFT:
        ok = draft_guess(&speculation->draft, tokens, n_tokens, n_wanted, &speculation->sampling,
            speculation->ahead, n_guesses, err);
        break;
    case GUESS_NGRAM:
        *n_guesses =
            ngram_guess(&speculation->ngram, tokens, n_tokens, n_wanted, speculation->ahead);
        break;
    case GUESS_SCRIPT:
        *n_guesses = options->script(
            options->script_context, tokens, n_tokens, n_wanted, speculation->ahead);
        break;
    }
    if (ok) return true;
    *n_guesses = 0;
    if (err->id == ERROR_INTERRUPTED) return false;
    log_warn("the draft failed and is not asked again: %s", err->message);
    *err = (Error){0};
    speculation->is_over = true;
    return true;
}

/* What the last pass was worth is known when the token after it is. `next` is no guess of it. */
static void judge(Speculation *speculation)
{
    if (!speculation->has_last) return;
    speculation->has_last = false;
    pace_learn(&speculation->pace, &speculation->last);
}

static bool is_left_alone(const Speculation *speculation)
{
    return sequence_is_ahead(speculation->sequence)
           && speculation->sequence->state.end_position == speculation->end_ahead;
}

/* The sequence takes the next row that is there. */
static void take_row(Speculation *speculation, uint32_t row, int32_t token)
{
    sequence_advance(speculation->sequence, row);
    note(speculation, &token, 1);
    speculation->end_ahead = speculation->sequence->state.end_position;
}

/* Was this token guessed, and evaluated? */
static bool take_guess(Speculation *speculation, int32_t token)
{
    PacePass *last = &speculation->last;

    if (!speculation->has_last || !is_left_alone(speculation)) return false;
    last->is_judged = true;
    if (last->n_right == last->n_guesses || speculation->ahead[last->n_right] != token)
        return false;
    last->n_right++;
    speculation->sequence->loaded->speculated.n_accepted++;
    take_row(speculation, last->n_right, token);
    return true;
}

/* How many guesses the next pass may have, behind its first token. */
static uint32_t room_for_guesses(const Speculation *speculation)
{
    const Loaded *loaded = speculation->sequence->loaded;
    uint32_t n = loaded->n_ctx - speculation->sequence->state.end_position - 1;

    if (n > loaded->n_logit_rows - 1) n = loaded->n_logit_rows - 1;
    if (speculation->is_over) return 0;
    if (speculation->options.n_fixed > 0)
        return n < speculation->options.n_fixed ? n : speculation->options.n_fixed;
    return pace_choose(&speculation->pace, n);
}

/* Ids that the model does not have end the guesses before them. */
static uint32_t count_known(const Speculation *speculation, uint32_t n)
{
    uint32_t n_vocab = speculation->sequence->loaded->shape.n_vocab;

    for (uint32_t i = 0; i < n; i++)
        if (speculation->ahead[i] < 0 || (uint32_t)speculation->ahead[i] >= n_vocab) return i;
    return n;
}

/* A token and its guesses in one pass. A guess may be what no text holds, so that its row is no
 * finite number; the token's own pass decides. */
static bool run_pass(Speculation *speculation, int32_t token, uint32_t n_guesses, Error *err)
{
    int32_t tokens[PACE_GUESSES_MAX + 1] = {token};

    for (uint32_t i = 0; i < n_guesses; i++) tokens[i + 1] = speculation->ahead[i];
    if (sequence_eval_ahead(speculation->sequence, tokens, n_guesses + 1, err)) return true;
    if (n_guesses == 0 || err->id != ERROR_NUMERIC) return false;
    *err = (Error){0};
    speculation->last.n_guesses = 0;
    return sequence_eval_ahead(speculation->sequence, tokens, 1, err);
}

static bool eval_one(Speculation *speculation, int32_t token, Error *err)
{
    SpeculationCounters *counters = &speculation->sequence->loaded->speculated;
    uint32_t n_guesses = 0, n_wanted = room_for_guesses(speculation);

    uint64_t begun_ns = clock_now_ns();
    note(speculation, &token, 1); // guesses are of what follows it
    bool ok = n_wanted == 0 || guess(speculation, n_wanted, &n_guesses, err);
    speculation->n_tokens--;
    if (!ok) return false;
    n_guesses = count_known(speculation, n_guesses);
    uint64_t guessed_ns = clock_now_ns();
    speculation->last = (PacePass){.n_guesses = n_guesses};
    if (!run_pass(speculation, token, n_guesses, err)) return false;
    speculation->last.guess_ns = (double)(guessed_ns - begun_ns);
    speculation->last.pass_ns = (double)(clock_now_ns() - guessed_ns);
    speculation->has_last = true;
    counters->n_drafted += n_guesses;
    counters->n_passes += n_guesses > 0;
    take_row(speculation, 0, token);
    return true;
}

/* A prompt: the draft reads it first, so that a failure leaves the sequence as it was. */
static bool eval_many(Speculation *speculation, const int32_t *tokens, size_t n, Error *err)
{
    uint32_t n_guesses = 0, n_before = speculation->n_tokens;

    note(speculation, tokens, n);
    bool is_draft = speculation->options.source == GUESS_DRAFT && !speculation->is_over;
    if ((!is_draft || guess(speculation, 0, &n_guesses, err))
        && sequence_eval(speculation->sequence, tokens, n, err))
        return true;
    speculation->n_tokens = n_before;
    return false;
}

bool speculate_eval(Speculation *speculation, const int32_t *tokens, size_t n_tokens, Error *err)
{
    Sequence *sequence = speculation->sequence;

    if (n_tokens == 1 && take_guess(speculation, tokens[0])) return true;
    judge(speculation);
    // What will be refused is refused before anything is noted of it.
    if (!sequence_check(sequence, tokens, n_tokens, err)) return false;
    return n_tokens == 1 ? eval_one(speculation, tokens[0], err)
                         : eval_many(speculation, tokens, n_tokens, err);
}

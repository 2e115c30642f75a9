/* The draft's sequence runs ahead with its own guesses; of these, what came true stays. */
#include "engine/draft.h"

#include <assert.h>

#include "base/mem.h"

bool draft_init(Draft *draft, Loaded *loaded, Error *err)
{
    *draft = (Draft){0};
    if (!sequence_init(&draft->sequence, loaded, err)
        || !sampler_init(&draft->sampler, (SamplerOptions){0}, loaded->shape.n_vocab, err))
        goto fail;
    draft->seen = mem_alloc_array(MEM_STATE, loaded->n_ctx, sizeof(int32_t), err);
    if (draft->seen) return true;

fail:
    draft_destroy(draft);
    return false;
}

void draft_destroy(Draft *draft)
{
    sequence_destroy(&draft->sequence);
    sampler_destroy(&draft->sampler);
    mem_free(MEM_STATE, draft->seen);
    *draft = (Draft){0};
}

void draft_reset(Draft *draft, uint32_t position)
{
    state_reset(&draft->sequence.state, position);
    draft->n_seen = draft->n_sure = 0;
}

static bool read_on(Draft *draft, const int32_t *tokens, uint32_t n, Error *err)
{
    if (!sequence_eval(&draft->sequence, tokens, n, err)) return false;
    for (uint32_t i = 0; i < n; i++) draft->seen[draft->n_seen++] = tokens[i];
    return true;
}

/* Goes back to where its guesses and the text part, and reads the text from there to its end, the
 * last token in any case: what follows from it is wanted. */
static bool keep_up(Draft *draft, const int32_t *tokens, uint32_t n_tokens, Error *err)
{
    uint32_t n = draft->n_sure < n_tokens ? draft->n_sure : n_tokens;

    while (n < draft->n_seen && n < n_tokens && draft->seen[n] == tokens[n]) n++;
    if (n == n_tokens) n--;
    draft->n_seen = draft->n_sure = n;
    sequence_cut(&draft->sequence, draft->sequence.state.first_position + n);
    if (!read_on(draft, tokens + n, n_tokens - n, err)) return false;
    draft->n_sure = n_tokens;
    return true;
}

bool draft_guess(Draft *draft, const int32_t *tokens, uint32_t n_tokens, uint32_t n_wanted,
    const SamplerOptions *options, int32_t *guesses, uint32_t *n_guesses, Error *err)
{
    Sequence *sequence = &draft->sequence;

    assert(n_tokens > 0);
    *n_guesses = 0;
    draft->sampler.options = *options;
    if (!keep_up(draft, tokens, n_tokens, err)) return false;
    for (uint32_t i = 0; i < n_wanted; i++) {
        if (i > 0 && !read_on(draft, &guesses[i - 1], 1, err)) return false;
        if (!sampler_draw(
                &draft->sampler, sequence->logits, sequence->state.end_position, &guesses[i], err))
            return false;
        *n_guesses = i + 1;
    }
    return true;
}

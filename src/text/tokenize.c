/* Text to ids: special tokens are cut out, the rest goes to the model's tokenizer. */
#include "base/log.h"
#include "base/mem.h"
#include "text/internal.h"

/* Decodes a fragment into the job's characters and hands on its pieces. */
static bool add_bpe_fragment(TokenizeJob *job, StringView text, Error *err)
{
    size_t n;

    if (text.n_bytes > job->chars_capacity) {
        Char *chars = mem_resize(MEM_TEXT, job->chars, text.n_bytes * sizeof(*chars), err);
        if (!chars) return false;
        job->chars = chars;
        job->chars_capacity = text.n_bytes;
    }
    n = chars_decode(text, job->chars);
    pretokenize(job->vocab->pretokenizer, job->chars, n);
    for (size_t at = 0, end; at < n; at = end) {
        end = pretokenize_piece_end(job->chars, at, n);
        if (!bpe_add_piece(job, job->chars + at, end - at, err)) return false;
    }
    return true;
}

/* A prefix blank stands at the start of the text and after each special token. */
static bool add_fragments(TokenizeJob *job, StringView text, const FragmentList *list, Error *err)
{
    const Vocab *vocab = job->vocab;
    bool after_special = true, added = true;

    for (size_t i = 0; added && i < list->n; i++) {
        Fragment fragment = list->items[i];
        StringView raw = {text.data + fragment.begin, fragment.end - fragment.begin};

        if (fragment.token != TOKEN_NONE)
            added = token_list_add(job->out, fragment.token, err);
        else if (vocab->model == VOCAB_BPE)
            added = add_bpe_fragment(job, raw, err);
        else
            added = spm_add_fragment(job, raw, vocab->adds_space_prefix && after_special, err);
        after_special = fragment.token != TOKEN_NONE;
    }
    return added;
}

static bool add_text(TokenizeJob *job, StringView text, TokenizeOptions options, Error *err)
{
    const Vocab *vocab = job->vocab;
    size_t n_before = job->out->n;
    FragmentList fragments = {0};
    bool added;

    if (options.add_special && vocab->adds_bos && vocab->bos != TOKEN_NONE
        && !token_list_add(job->out, vocab->bos, err))
        return false;
    if (!specials_partition(vocab, text, options.parse_special, &fragments, err)) return false;
    added = add_fragments(job, text, &fragments, err);
    fragment_list_free(&fragments);
    if (!added) return false;
    if (options.add_special && vocab->adds_eos && vocab->eos != TOKEN_NONE
        && !token_list_add(job->out, vocab->eos, err))
        return false;

    if (options.add_special && vocab->adds_bos && job->out->n - n_before >= 2
        && job->out->ids[n_before] == vocab->bos && job->out->ids[n_before + 1] == vocab->bos)
        log_warn("the text begins with the token that is put before it: there are two now");
    return true;
}

bool vocab_tokenize(
    const Vocab *vocab, StringView text, TokenizeOptions options, TokenList *out, Error *err)
{
    TokenizeJob job = {.vocab = vocab, .out = out};
    size_t n_before = out->n;
    bool done;

    if (text.n_bytes > TEXT_BYTES_MAX)
        return error_set(err, ERROR_TOO_LARGE, "a text of %zu bytes, more than %u", text.n_bytes,
            TEXT_BYTES_MAX);
    done = add_text(&job, text, options, err);
    if (!done) out->n = n_before;
    merger_destroy(&job.merger);
    text_buffer_free(&job.bytes);
    mem_free(MEM_TEXT, job.chars);
    return done;
}

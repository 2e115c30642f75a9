/* Makes a vocabulary from what a file says, and answers what is asked of it. */
#include "text/vocab.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "text/internal.h"

#define TOKENS_MAX      (1u << 24)
#define TOKEN_BYTES_MAX 65536

static bool read_tokens(Vocab *vocab, const VocabSource *source, Error *err)
{
    char empty[32];

    for (uint32_t i = 0; i < source->n_tokens; i++) {
        StringView text;
        uint32_t number;
        bool is_new;

        if (!source->token(source->context, i, &text))
            return error_set(err, ERROR_TOKENIZER, "token %u is missing", i);
        if (text.n_bytes > TOKEN_BYTES_MAX)
            return error_set(err, ERROR_TOKENIZER, "token %u: %zu bytes, more than %d", i,
                text.n_bytes, TOKEN_BYTES_MAX);
        if (text.n_bytes == 0) { // as llama.cpp names it
            snprintf(empty, sizeof(empty), "[EMPTY_%u]", i);
            text = view_of(empty);
        }
        if (!text_table_add(&vocab->texts, text, &number, &is_new, err)) return false;
        if (!is_new)
            return error_set(
                err, ERROR_TOKENIZER, "tokens %u and %u are both '%.*s'", number, i, SV(text));
    }
    return true;
}

static bool check_ids(const VocabSource *source, Error *err)
{
    const struct {
        const char *name;
        int32_t id;
    } ids[] = {{"bos", source->bos}, {"eos", source->eos}, {"eot", source->eot},
        {"eom", source->eom}, {"unknown", source->unknown}, {"fim_pad", source->fim_pad},
        {"fim_rep", source->fim_rep}, {"fim_sep", source->fim_sep}};

    for (size_t i = 0; i < COUNT(ids); i++)
        if (ids[i].id < TOKEN_NONE || ids[i].id >= (int32_t)source->n_tokens)
            return error_set(err, ERROR_TOKENIZER,
                "tokenizer.ggml.%s_token_id %d: there are %u tokens", ids[i].name, ids[i].id,
                source->n_tokens);
    return true;
}

static bool find_pretokenizer(Vocab *vocab, const VocabSource *source, Error *err)
{
    StringView name = source->pre;
    char built[512];

    if (!name.data) {
        log_warn("the model names no pre-tokenizer (tokenizer.ggml.pre): 'default' is taken, and "
                 "the text may be cut in other places than in training");
        name = view_of("default");
    }
    vocab->pretokenizer = pretokenizer_find(name);
    if (vocab->pretokenizer) return true;
    pretokenizer_list(built, sizeof(built));
    return error_set(err, ERROR_TOKENIZER,
        "pre-tokenizer '%.*s' is not built; built are %s and their other names", SV(name), built);
}

/* Sets the model and what a file need not say. */
static bool set_defaults(Vocab *vocab, const VocabSource *source, Error *err)
{
    int32_t last = (int32_t)source->n_tokens - 1;

    vocab->bos = source->bos;
    vocab->eos = source->eos;
    vocab->unknown = source->unknown;
    if (view_is(source->model, "gpt2")) {
        vocab->model = VOCAB_BPE;
        if (!find_pretokenizer(vocab, source, err)) return false;
        vocab->adds_bos = pretokenizer_adds_bos(vocab->pretokenizer);
        vocab->cleans_spaces = pretokenizer_cleans_spaces(vocab->pretokenizer);
    } else if (view_is(source->model, "llama")) {
        vocab->model = VOCAB_SPM;
        vocab->adds_bos = vocab->adds_space_prefix = true;
        if (vocab->unknown == TOKEN_NONE) vocab->unknown = 0;
        if (vocab->bos == TOKEN_NONE && last >= 1) vocab->bos = 1;
        if (vocab->eos == TOKEN_NONE && last >= 2) vocab->eos = 2;
    } else {
        return error_set(err, ERROR_TOKENIZER,
            "tokenizer model '%.*s' is not built; built are gpt2, llama", SV(source->model));
    }
    if (source->add_bos >= 0) vocab->adds_bos = source->add_bos > 0;
    if (source->add_eos >= 0) vocab->adds_eos = source->add_eos > 0;
    if (source->add_space_prefix >= 0) vocab->adds_space_prefix = source->add_space_prefix > 0;
    return true;
}

Vocab *vocab_create(const VocabSource *source, Error *err)
{
    Vocab *vocab;

    if (source->n_tokens == 0 || source->n_tokens > TOKENS_MAX) {
        error_set(err, ERROR_TOKENIZER, "%u tokens, not 1 to %u", source->n_tokens, TOKENS_MAX);
        return NULL;
    }
    if (!check_ids(source, err)) return NULL;
    vocab = mem_alloc(MEM_TEXT, sizeof(*vocab), err);
    if (!vocab) return NULL;
    vocab->n_tokens = source->n_tokens;

    if (!set_defaults(vocab, source, err)) goto fail;
    if (!read_tokens(vocab, source, err)) goto fail;
    if (!vocab_set_attributes(vocab, source, err)) goto fail;
    if (!vocab_make_pieces(vocab, err)) goto fail;
    if (!specials_init(&vocab->specials, vocab, err)) goto fail;
    if (vocab->model == VOCAB_BPE && !bpe_init(&vocab->bpe, &vocab->texts, source, err)) goto fail;
    if (vocab->model == VOCAB_SPM && !spm_init(&vocab->spm, &vocab->texts, source, err)) goto fail;
    return vocab;

fail:
    vocab_free(vocab);
    return NULL;
}

void vocab_free(Vocab *vocab)
{
    if (!vocab) return;
    text_table_destroy(&vocab->texts);
    bpe_destroy(&vocab->bpe);
    spm_destroy(&vocab->spm);
    specials_destroy(&vocab->specials);
    mem_free(MEM_TEXT, vocab->attributes);
    mem_free(MEM_TEXT, vocab->pieces);
    mem_free(MEM_TEXT, vocab->piece_ends);
    mem_free(MEM_TEXT, vocab);
}

static bool is_token(const Vocab *vocab, int32_t token)
{
    return token >= 0 && (uint32_t)token < vocab->n_tokens;
}

uint32_t vocab_n_tokens(const Vocab *vocab)
{
    return vocab->n_tokens;
}

int32_t vocab_bos(const Vocab *vocab)
{
    return vocab->bos;
}

int32_t vocab_eos(const Vocab *vocab)
{
    return vocab->eos;
}

bool vocab_adds_bos(const Vocab *vocab)
{
    return vocab->adds_bos;
}

bool vocab_adds_eos(const Vocab *vocab)
{
    return vocab->adds_eos;
}

bool vocab_ends_generation(const Vocab *vocab, int32_t token)
{
    return is_token(vocab, token) && (vocab->attributes[token] & TOKEN_ENDS_GENERATION);
}

StringView vocab_token_text(const Vocab *vocab, int32_t token)
{
    if (!is_token(vocab, token)) return (StringView){0};
    return text_table_get(&vocab->texts, (uint32_t)token);
}

StringView vocab_piece(const Vocab *vocab, int32_t token, bool show_special)
{
    if (!is_token(vocab, token)) return (StringView){0};
    if (!show_special && (vocab->attributes[token] & (TOKEN_CONTROL | TOKEN_UNKNOWN)))
        return (StringView){0};

    uint64_t begin = token == 0 ? 0 : vocab->piece_ends[token - 1];
    return (StringView){vocab->pieces + begin, (size_t)(vocab->piece_ends[token] - begin)};
}

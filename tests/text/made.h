/* Vocabularies made in a test: 256 letters of bytes (BPE) or what SPM needs, then more. */
#ifndef HYPURA_TESTS_TEXT_MADE_H
#define HYPURA_TESTS_TEXT_MADE_H

#include "base/utf8.h"
#include "harness.h"
#include "text/internal.h"

typedef struct MadeToken {
    const char *text;
    int32_t type; // 0: normal
    float score;
} MadeToken;

/* What the source's callbacks read. Zeroed and `source` filled by made_bpe or made_spm. */
typedef struct Made {
    VocabSource source;
    uint32_t n_letters; // tokens before `tokens`
    char letters[256][4];
    const MadeToken *tokens;
    const char *const *merges;
} Made;

static bool made_token(void *context, uint32_t index, StringView *out)
{
    Made *made = context;

    if (index < made->n_letters) {
        size_t n = utf8_from_code_point(bpe_letter_of_byte((uint8_t)index), made->letters[index]);
        *out = (StringView){made->letters[index], n};
        return true;
    }
    *out = view_of(made->tokens[index - made->n_letters].text);
    return true;
}

static bool made_merge(void *context, uint32_t index, StringView *out)
{
    *out = view_of(((Made *)context)->merges[index]);
    return true;
}

static float made_score(void *context, uint32_t index)
{
    const Made *made = context;

    return index < made->n_letters ? 0 : made->tokens[index - made->n_letters].score;
}

static int32_t made_type(void *context, uint32_t index)
{
    const Made *made = context;
    int32_t type = index < made->n_letters ? 0 : made->tokens[index - made->n_letters].type;

    return type == 0 ? 1 : type;
}

static VocabSource made_source(Made *made, uint32_t n_tokens)
{
    return (VocabSource){.n_tokens = n_tokens,
        .token = made_token,
        .merge = made_merge,
        .type = made_type,
        .context = made,
        .bos = TOKEN_NONE,
        .eos = TOKEN_NONE,
        .eot = TOKEN_NONE,
        .eom = TOKEN_NONE,
        .unknown = TOKEN_NONE,
        .separator = TOKEN_NONE,
        .padding = TOKEN_NONE,
        .fim_pad = TOKEN_NONE,
        .fim_rep = TOKEN_NONE,
        .fim_sep = TOKEN_NONE,
        .add_bos = -1,
        .add_eos = -1,
        .add_sep = -1,
        .add_space_prefix = -1};
}

/* Ids 0 to 255 are the bytes, then come `tokens`. */
static inline void made_bpe(Made *made, const char *pre, const MadeToken *tokens, uint32_t n_tokens,
    const char *const *merges, uint32_t n_merges)
{
    *made = (Made){.n_letters = 256, .tokens = tokens, .merges = merges};
    made->source = made_source(made, 256 + n_tokens);
    made->source.model = view_of("gpt2");
    made->source.pre = view_of(pre);
    made->source.n_merges = n_merges;
}

static inline void made_spm(Made *made, const MadeToken *tokens, uint32_t n_tokens)
{
    *made = (Made){.tokens = tokens};
    made->source = made_source(made, n_tokens);
    made->source.model = view_of("llama");
    made->source.score = made_score;
}

/* The vocabulary; a failure is a failed check. */
static inline Vocab *made_vocab(Made *made)
{
    Error err = {0};
    Vocab *vocab = vocab_create(&made->source, &err);

    if (!CHECK(vocab != NULL)) printf("    %s\n", err.message);
    return vocab;
}

/* The tokens of a text, as their texts in the file joined by '|'. Valid until the next call. */
static inline const char *tokens_of(const Vocab *vocab, StringView text, TokenizeOptions options)
{
    static char joined[4096];
    TokenList ids = {0};
    size_t n = 0;

    joined[0] = '\0';
    CHECK(vocab_tokenize(vocab, text, options, &ids, NULL));
    for (size_t i = 0; i < ids.n && n < sizeof(joined); i++)
        n += (size_t)snprintf(joined + n, sizeof(joined) - n, "%s%.*s", i == 0 ? "" : "|",
            SV(vocab_token_text(vocab, ids.ids[i])));
    token_list_free(&ids);
    return joined;
}

/* Plain text: nothing added, special tokens not parsed. */
static inline bool gives(const Vocab *vocab, const char *text, const char *wanted)
{
    const char *got = tokens_of(vocab, view_of(text), (TokenizeOptions){0});

    if (strcmp(got, wanted) == 0) return true;
    printf("    '%s': wanted %s, got %s\n", text, wanted, got);
    return false;
}

#endif

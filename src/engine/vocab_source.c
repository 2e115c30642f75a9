/*
 * Reads the keys of a tokenizer with typed getters and checks that its arrays agree in
 * length; what the values mean is text/vocab.h's.
 */
#include "engine/vocab_source.h"

typedef struct SourceArrays {
    GgufArray tokens, merges, scores, types;
    uint64_t next_token, next_merge; // string arrays are walked in order
} SourceArrays;

static bool next_token(void *context, uint32_t index, StringView *out)
{
    SourceArrays *arrays = context;

    (void)index; // rises by one from call to call
    return gguf_array_next_string(&arrays->tokens, &arrays->next_token, out);
}

static bool next_merge(void *context, uint32_t index, StringView *out)
{
    SourceArrays *arrays = context;

    (void)index;
    return gguf_array_next_string(&arrays->merges, &arrays->next_merge, out);
}

static float score(void *context, uint32_t index)
{
    return gguf_array_f32(&((SourceArrays *)context)->scores, index);
}

static int32_t type(void *context, uint32_t index)
{
    return gguf_array_i32(&((SourceArrays *)context)->types, index);
}

/* An array of `n` elements, or none (its `data` stays NULL). */
static bool read_array(const GgufFile *gguf, const char *key, GgufType element_type, uint64_t n,
    GgufArray *out, Error *err)
{
    GgufPresence presence = gguf_get_array(gguf, key, element_type, out, err);

    if (presence != GGUF_PRESENT) return presence == GGUF_ABSENT;
    if (out->n == n) return true;
    return error_set(err, ERROR_TOKENIZER, "%s has %llu elements for %llu tokens", key,
        (unsigned long long)out->n, (unsigned long long)n);
}

static bool read_arrays(const GgufFile *gguf, SourceArrays *arrays, VocabSource *source, Error *err)
{
    const char *tokens = "tokenizer.ggml.tokens";
    GgufPresence presence = gguf_get_array(gguf, tokens, GGUF_STRING, &arrays->tokens, err);

    if (presence == GGUF_BAD) return false;
    if (presence == GGUF_ABSENT) return error_set(err, ERROR_KEY_MISSING, "%s is missing", tokens);
    if (gguf_get_array(gguf, "tokenizer.ggml.merges", GGUF_STRING, &arrays->merges, err)
        == GGUF_BAD)
        return false;
    if (arrays->tokens.n > INT32_MAX || arrays->merges.n > INT32_MAX)
        return error_set(err, ERROR_TOKENIZER, "more than 2^31 tokens or merges");
    if (!read_array(gguf, "tokenizer.ggml.scores", GGUF_F32, arrays->tokens.n, &arrays->scores, err)
        || !read_array(
            gguf, "tokenizer.ggml.token_type", GGUF_I32, arrays->tokens.n, &arrays->types, err))
        return false;

    source->n_tokens = (uint32_t)arrays->tokens.n;
    source->n_merges = (uint32_t)arrays->merges.n;
    source->token = next_token;
    source->merge = next_merge;
    source->score = arrays->scores.data ? score : NULL;
    source->type = arrays->types.data ? type : NULL;
    source->context = arrays;
    return true;
}

/* A token id; -1, also as the unsigned number of equal bits, is how some files say none. */
static bool read_id(const GgufFile *gguf, const char *key, int32_t *out, Error *err)
{
    int64_t value;
    GgufPresence presence = gguf_get_i64(gguf, key, &value, err);

    *out = TOKEN_NONE;
    if (presence != GGUF_PRESENT) return presence == GGUF_ABSENT;
    if (value == -1 || value == UINT32_MAX) return true;
    if (value < 0 || value > INT32_MAX)
        return error_set(err, ERROR_TOKENIZER, "%s is %lld, no token id", key, (long long)value);
    *out = (int32_t)value;
    return true;
}

static bool read_flag(const GgufFile *gguf, const char *key, int8_t *out, Error *err)
{
    bool value;
    GgufPresence presence = gguf_get_bool(gguf, key, &value, err);

    *out = -1;
    if (presence == GGUF_PRESENT) *out = value;
    return presence != GGUF_BAD;
}

static bool read_ids_and_flags(const GgufFile *gguf, VocabSource *source, Error *err)
{
    const struct {
        const char *key;
        int32_t *out;
    } ids[] = {
        {"tokenizer.ggml.bos_token_id", &source->bos},
        {"tokenizer.ggml.eos_token_id", &source->eos},
        {"tokenizer.ggml.eot_token_id", &source->eot},
        {"tokenizer.ggml.eom_token_id", &source->eom},
        {"tokenizer.ggml.unknown_token_id", &source->unknown},
        {"tokenizer.ggml.seperator_token_id", &source->separator}, // so spelt in the format
        {"tokenizer.ggml.padding_token_id", &source->padding},
        {"tokenizer.ggml.fim_pad_token_id", &source->fim_pad},
        {"tokenizer.ggml.fim_rep_token_id", &source->fim_rep},
        {"tokenizer.ggml.fim_sep_token_id", &source->fim_sep},
    };
    const struct {
        const char *key;
        int8_t *out;
    } flags[] = {
        {"tokenizer.ggml.add_bos_token", &source->add_bos},
        {"tokenizer.ggml.add_eos_token", &source->add_eos},
        {"tokenizer.ggml.add_sep_token", &source->add_sep},
        {"tokenizer.ggml.add_space_prefix", &source->add_space_prefix},
    };

    for (size_t i = 0; i < COUNT(ids); i++)
        if (!read_id(gguf, ids[i].key, ids[i].out, err)) return false;
    for (size_t i = 0; i < COUNT(flags); i++)
        if (!read_flag(gguf, flags[i].key, flags[i].out, err)) return false;
    return true;
}

bool vocab_load(const GgufFile *gguf, Vocab **out, Error *err)
{
    VocabSource source = {0};
    SourceArrays arrays = {0};
    GgufPresence model = gguf_get_string(gguf, "tokenizer.ggml.model", &source.model, err);
    Vocab *vocab;

    if (model == GGUF_BAD) return false;
    if (model == GGUF_ABSENT)
        return error_set(err, ERROR_KEY_MISSING, "tokenizer.ggml.model is missing");
    if (gguf_get_string(gguf, "tokenizer.ggml.pre", &source.pre, err) == GGUF_BAD) return false;
    if (gguf_get_string(gguf, "general.name", &source.general_name, err) == GGUF_BAD) return false;
    if (!read_arrays(gguf, &arrays, &source, err)) return false;
    if (!read_ids_and_flags(gguf, &source, err)) return false;

    vocab = vocab_create(&source, err);
    if (vocab) *out = vocab;
    return vocab != NULL;
}

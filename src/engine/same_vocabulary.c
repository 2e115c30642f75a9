/* Both files have been read by vocab_load before, so what is there is of the right type. */
#include "engine/same_vocabulary.h"

#include <inttypes.h>
#include <string.h>

static bool same_text(const GgufFile *a, const GgufFile *b, const char *key, Error *err)
{
    StringView x = {0}, y = {0};

    if (gguf_get_string(a, key, &x, err) == GGUF_BAD) return false;
    if (gguf_get_string(b, key, &y, err) == GGUF_BAD) return false;
    if (x.n_bytes == y.n_bytes && (x.n_bytes == 0 || memcmp(x.data, y.data, x.n_bytes) == 0))
        return true;
    return error_set(err, ERROR_DRAFT, "another vocabulary: %s is '%.*s', the model's '%.*s'", key,
        SV(y), SV(x));
}

/* Names the first string that is another one. */
static bool refuse_strings(const GgufArray *a, const GgufArray *b, const char *key, Error *err)
{
    uint64_t at_a = 0, at_b = 0;
    StringView x, y;

    for (uint64_t i = 0; gguf_array_next_string(a, &at_a, &x); i++) {
        if (!gguf_array_next_string(b, &at_b, &y)) break;
        if (x.n_bytes == y.n_bytes && memcmp(x.data, y.data, x.n_bytes) == 0) continue;
        return error_set(err, ERROR_DRAFT,
            "another vocabulary: %s: number %" PRIu64 " is '%.*s', the model's '%.*s'", key, i,
            SV(y), SV(x));
    }
    return error_set(err, ERROR_DRAFT, "another vocabulary: %s differ", key);
}

static bool same_array(
    const GgufFile *a, const GgufFile *b, const char *key, GgufType type, Error *err)
{
    GgufArray x = {0}, y = {0};

    if (gguf_get_array(a, key, type, &x, err) == GGUF_BAD) return false;
    if (gguf_get_array(b, key, type, &y, err) == GGUF_BAD) return false;
    if (x.n != y.n)
        return error_set(err, ERROR_DRAFT,
            "another vocabulary: %s has %" PRIu64 " elements, the model's %" PRIu64, key, y.n, x.n);
    if (x.n_bytes == y.n_bytes && (x.n_bytes == 0 || memcmp(x.data, y.data, x.n_bytes) == 0))
        return true;
    if (type == GGUF_STRING) return refuse_strings(&x, &y, key, err);
    return error_set(err, ERROR_DRAFT, "another vocabulary: %s differ", key);
}

/* A special token that a file does not name is another one than any it names. */
static bool same_number(const GgufFile *a, const GgufFile *b, const char *key, Error *err)
{
    int64_t x = -1, y = -1;

    if (gguf_get_i64(a, key, &x, err) == GGUF_BAD) return false;
    if (gguf_get_i64(b, key, &y, err) == GGUF_BAD) return false;
    if (x == y) return true;
    return error_set(err, ERROR_DRAFT,
        "another vocabulary: %s is %" PRId64 ", the model's %" PRId64 " (-1: none)", key, y, x);
}

bool same_vocabulary(const GgufFile *model, const GgufFile *draft, Error *err)
{
    static const char *const texts[] = {"tokenizer.ggml.model", "tokenizer.ggml.pre"};
    static const struct {
        const char *key;
        GgufType type;
    } arrays[] = {
        {"tokenizer.ggml.tokens", GGUF_STRING},
        {"tokenizer.ggml.merges", GGUF_STRING},
        {"tokenizer.ggml.scores", GGUF_F32},
        {"tokenizer.ggml.token_type", GGUF_I32},
    };
    static const char *const numbers[] = {"tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id",
        "tokenizer.ggml.unknown_token_id"};

    for (size_t i = 0; i < COUNT(texts); i++)
        if (!same_text(model, draft, texts[i], err)) return false;
    for (size_t i = 0; i < COUNT(arrays); i++)
        if (!same_array(model, draft, arrays[i].key, arrays[i].type, err)) return false;
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (!same_number(model, draft, numbers[i], err)) return false;
    return true;
}

/* Expected results for tests of whole models: tensors of reference GGUF files, and the measure
 * of distance that the oracle's README defines. */
#ifndef HYPURA_TESTS_ENGINE_REFERENCE_H
#define HYPURA_TESTS_ENGINE_REFERENCE_H

#include "base/json.h"
#include "gguf/gguf.h"
#include "harness.h"
#include "hypura/hypura.h"

/* sum((a-b)^2) / sum(b^2), b the reference. */
static inline double nmse(const float *a, const float *b, size_t n)
{
    double error = 0, scale = 0;

    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        error += d * d;
        scale += (double)b[i] * (double)b[i];
    }
    return scale > 0 ? error / scale : error;
}

/* The data of a tensor, malloc'ed; NULL: absent or unreadable. */
static inline void *reference_tensor(const GgufFile *gguf, const char *name)
{
    const GgufTensor *tensor = gguf_find_tensor(gguf, view_of(name));
    void *data = tensor ? malloc(tensor->n_bytes) : NULL;

    if (data
        && !file_read_at(
            &gguf_shards(gguf)[tensor->shard], tensor->offset_bytes, data, tensor->n_bytes, NULL)) {
        free(data);
        data = NULL;
    }
    return data;
}

/* A whole file as text, malloc'ed and NUL-terminated; NULL: not there. */
static inline char *read_text(const char *path, size_t *n_bytes)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) return NULL;
    fseek(stream, 0, SEEK_END);
    long n = ftell(stream);
    rewind(stream);
    char *text = malloc((size_t)n + 1);
    *n_bytes = fread(text, 1, (size_t)n, stream);
    text[*n_bytes] = '\0';
    fclose(stream);
    return text;
}

static inline Json *read_json(const char *path)
{
    size_t n_bytes = 0;
    char *text = read_text(path, &n_bytes);
    Json *json = text ? json_parse((StringView){text, n_bytes}, NULL) : NULL;
    free(text);
    return json;
}

/* The value behind a failed call, for messages of the harness. */
static inline bool must(bool ok, const hypura_error *err)
{
    if (!ok) printf("    %s [E%04d]\n", err->message, err->number);
    return ok;
}

#endif

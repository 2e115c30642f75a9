/* Asks an open file for everything that it offers, so that a sanitizer sees each view, and
 * asserts what a reader promises. For tests and fuzz targets. */
#ifndef HYPURA_TESTS_GGUF_VISIT_H
#define HYPURA_TESTS_GGUF_VISIT_H

#include <assert.h>
#include <stdio.h>

#include "gguf/gguf.h"

static inline uint64_t visit_bytes(const void *data, uint64_t n_bytes)
{
    const uint8_t *bytes = data;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n_bytes; i++) sum += bytes[i];
    return sum;
}

/* Every getter for one key; most of them refuse. */
static inline uint64_t visit_key(const GgufFile *gguf, size_t index)
{
    StringView name = gguf_key_name(gguf, index), text = {0};
    uint64_t number = 0, cursor = 0, sum = 0, n_strings = 0;
    GgufArray array = {0};
    bool boolean = false;
    float real = 0;
    char key[256];

    sum += visit_bytes(name.data, name.n_bytes);
    if (name.n_bytes >= sizeof key) return sum;
    snprintf(key, sizeof key, "%.*s", SV(name));
    size_t found = 0;
    assert(gguf_find_key(gguf, key, &found));
    assert(found == index);

    (void)gguf_get_u64(gguf, key, &number, NULL);
    (void)gguf_get_f32(gguf, key, &real, NULL);
    (void)gguf_get_bool(gguf, key, &boolean, NULL);
    (void)gguf_get_string(gguf, key, &text, NULL);
    sum += number + boolean + visit_bytes(text.data, text.n_bytes);
    if (gguf_key_type(gguf, index) != GGUF_ARRAY) return sum;

    GgufType element_type = gguf_key_element_type(gguf, index);
    GgufPresence presence = gguf_get_array(gguf, key, element_type, &array, NULL);
    assert(presence == GGUF_PRESENT);
    sum += visit_bytes(array.data, array.n_bytes);
    if (element_type != GGUF_STRING) return sum;
    for (; gguf_array_next_string(&array, &cursor, &text); n_strings++)
        sum += visit_bytes(text.data, text.n_bytes);
    assert(n_strings == array.n);
    return sum;
}

static inline uint64_t visit_everything(const GgufFile *gguf, GgufNeed need)
{
    uint64_t sum = gguf_version(gguf) + gguf_trailing_bytes(gguf) + gguf_header_bytes(gguf);

    for (size_t i = 0; i < gguf_n_keys(gguf); i++) sum += visit_key(gguf, i);
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const GgufTensor *tensor = gguf_tensor(gguf, i);
        uint64_t file_bytes = gguf_shards(gguf)[tensor->shard].n_bytes;
        assert(gguf_find_tensor(gguf, tensor->name) == tensor);
        assert(tensor->n_bytes > 0);
        assert(tensor->n_bytes <= UINT64_MAX - tensor->offset_bytes);
        if (need == GGUF_METADATA_ONLY) continue;
        assert(tensor->n_bytes <= file_bytes);
        assert(tensor->offset_bytes <= file_bytes - tensor->n_bytes);
    }
    return sum;
}

#endif

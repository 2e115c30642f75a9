/* Keys and values: read, indexed, overridden.
 *
 * After gguf_metadata_read every key is well-formed UTF-8 and unique, every value lies in
 * the header bytes, every bool is 0 or 1, no array is nested. What a key means, and which
 * type it should have, is for those who ask (values.c). The index is sorted and not hashed,
 * so that no choice of names makes it slow. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/utf8.h"
#include "gguf/internal.h"

static const GgufStringLimits name_limits = {1, 65535, ERROR_FORMAT_KEY};
// The longest that models have is a chat template: well below 100 KiB.
static const GgufStringLimits value_limits = {0, 16u << 20, ERROR_FORMAT_VALUE};

// A name's length, one byte of it, a type, one byte of value.
#define KEY_BYTES_MIN (8 + 1 + 4 + 1)

// clang-format off
static const struct {
    const char *name;
    uint32_t n_bytes; // 0: of varying size
} value_types[GGUF_TYPES] = {
    [GGUF_U8]     = {"u8", 1},     [GGUF_I8]    = {"i8", 1},
    [GGUF_U16]    = {"u16", 2},    [GGUF_I16]   = {"i16", 2},
    [GGUF_U32]    = {"u32", 4},    [GGUF_I32]   = {"i32", 4},
    [GGUF_F32]    = {"f32", 4},    [GGUF_BOOL]  = {"bool", 1},
    [GGUF_STRING] = {"string", 0}, [GGUF_ARRAY] = {"array", 0},
    [GGUF_U64]    = {"u64", 8},    [GGUF_I64]   = {"i64", 8},
    [GGUF_F64]    = {"f64", 8},
};
// clang-format on

const char *gguf_type_name(GgufType type)
{
    assert((uint32_t)type < GGUF_TYPES);
    return value_types[type].name;
}

static bool read_type(GgufReader *reader, GgufType *out, Error *err)
{
    uint64_t start = reader->at;
    uint32_t type;

    if (!gguf_read_u32(reader, &type, err)) return false;
    if (type >= GGUF_TYPES)
        return error_set(err, ERROR_FORMAT_VALUE, "value type %u at byte %" PRIu64 ", not 0 to %d",
            type, start, GGUF_TYPES - 1);
    *out = (GgufType)type;
    return true;
}

/* n elements of a fixed size; bools among them are 0 or 1. */
static bool read_elements(GgufReader *reader, GgufType type, uint64_t n, GgufKey *key, Error *err)
{
    uint64_t start = reader->at, n_bytes;

    if (!size_mul(n, value_types[type].n_bytes, &n_bytes))
        return error_set(err, ERROR_FORMAT_VALUE,
            "array of %" PRIu64 " %s elements at byte %" PRIu64 " is larger than any file", n,
            value_types[type].name, start);
    const uint8_t *data = gguf_read_bytes(reader, n_bytes, err);
    if (!data) return false;

    for (uint64_t i = 0; type == GGUF_BOOL && i < n; i++)
        if (data[i] > 1)
            return error_set(err, ERROR_FORMAT_VALUE, "bool %u at byte %" PRIu64 ", not 0 or 1",
                data[i], start + i);
    key->data = data;
    key->n_bytes = n_bytes;
    return true;
}

/* Ends with the file at the latest, since each takes eight bytes. */
static bool read_strings(GgufReader *reader, uint64_t n, GgufKey *key, Error *err)
{
    uint64_t start = reader->at;

    for (uint64_t i = 0; i < n; i++) {
        StringView element;
        if (!gguf_read_string(reader, &value_limits, &element, err))
            return error_at(err, "element %" PRIu64, i);
    }
    key->data = reader->data + start;
    key->n_bytes = reader->at - start;
    return true;
}

static bool read_array(GgufReader *reader, GgufKey *key, Error *err)
{
    uint64_t start = reader->at;

    if (!read_type(reader, &key->element_type, err)) return false;
    if (key->element_type == GGUF_ARRAY)
        return error_set(
            err, ERROR_FORMAT_VALUE, "array of arrays at byte %" PRIu64 " is not supported", start);
    if (!gguf_read_u64(reader, &key->n, err)) return false;
    if (key->element_type == GGUF_STRING) return read_strings(reader, key->n, key, err);
    return read_elements(reader, key->element_type, key->n, key, err);
}

static bool read_value(GgufReader *reader, GgufKey *key, Error *err)
{
    if (!read_type(reader, &key->type, err)) return false;
    if (key->type == GGUF_ARRAY) return read_array(reader, key, err);

    key->element_type = key->type;
    key->n = 1;
    if (key->type != GGUF_STRING) return read_elements(reader, key->type, 1, key, err);

    StringView text;
    if (!gguf_read_string(reader, &value_limits, &text, err)) return false;
    key->data = (const uint8_t *)text.data;
    key->n_bytes = text.n_bytes;
    return true;
}

static bool read_key(GgufReader *reader, GgufKey *out, Error *err)
{
    uint64_t start = reader->at;
    GgufKey key = {0};

    if (!gguf_read_string(reader, &name_limits, &key.name, err)) return error_at(err, "name");
    if (memchr(key.name.data, 0, key.name.n_bytes))
        return error_set(err, ERROR_FORMAT_KEY, "name '%.*s' at byte %" PRIu64 " contains a NUL",
            GGUF_SHOWN(key.name), start);
    if (!utf8_is_valid(key.name.data, key.name.n_bytes))
        return error_set(err, ERROR_FORMAT_KEY, "name '%.*s' at byte %" PRIu64 " is not UTF-8",
            GGUF_SHOWN(key.name), start);
    if (!read_value(reader, &key, err)) return error_at(err, "'%.*s'", GGUF_SHOWN(key.name));
    *out = key;
    return true;
}

/* Equal names stay in file order. */
static int compare_keys(const void *a, const void *b)
{
    const GgufKey *first = *(const GgufKey *const *)a, *second = *(const GgufKey *const *)b;
    int order = gguf_compare_names(first->name, second->name);

    return order != 0 ? order : (first > second) - (first < second);
}

static bool index_keys(GgufMetadata *metadata, Error *err)
{
    mem_free(GGUF_MEM, metadata->by_name);
    metadata->by_name = mem_alloc_array(GGUF_MEM, metadata->n_keys, sizeof *metadata->by_name, err);
    if (!metadata->by_name) return false;

    for (size_t i = 0; i < metadata->n_keys; i++) metadata->by_name[i] = &metadata->keys[i];
    qsort(metadata->by_name, metadata->n_keys, sizeof *metadata->by_name, compare_keys);
    return true;
}

static bool refuse_duplicates(const GgufMetadata *metadata, const uint8_t *data, Error *err)
{
    for (size_t i = 1; i < metadata->n_keys; i++) {
        StringView a = metadata->by_name[i - 1]->name, b = metadata->by_name[i]->name;
        if (!view_equal(a, b)) continue;
        ptrdiff_t a_offset = (const uint8_t *)a.data - data - 8;
        ptrdiff_t b_offset = (const uint8_t *)b.data - data - 8;
        return error_set(err, ERROR_FORMAT_DUPLICATE,
            "key '%.*s' occurs twice, at bytes %td and %td", GGUF_SHOWN(a), a_offset, b_offset);
    }
    return true;
}

bool gguf_metadata_read(GgufReader *reader, uint64_t n_keys, GgufMetadata *metadata, Error *err)
{
    uint64_t left = gguf_read_left(reader);

    if (n_keys > left / KEY_BYTES_MIN)
        return error_set(err, ERROR_FORMAT_TRUNCATED,
            "%" PRIu64 " keys need at least %" PRIu64 " bytes, the file has %" PRIu64
            " behind byte %" PRIu64,
            n_keys, n_keys * KEY_BYTES_MIN, left, reader->at);
    metadata->keys = mem_alloc_array(GGUF_MEM, (size_t)n_keys, sizeof *metadata->keys, err);
    if (!metadata->keys) return false;

    for (; metadata->n_keys < n_keys; metadata->n_keys++) {
        uint64_t start = reader->at;
        if (!read_key(reader, &metadata->keys[metadata->n_keys], err))
            return error_at(err, "key %zu at byte %" PRIu64, metadata->n_keys, start);
    }
    return index_keys(metadata, err) && refuse_duplicates(metadata, reader->data, err);
}

void gguf_metadata_destroy(GgufMetadata *metadata)
{
    mem_free(GGUF_MEM, metadata->keys);
    mem_free(GGUF_MEM, metadata->by_name);
    mem_free(GGUF_MEM, metadata->overrides);
    *metadata = (GgufMetadata){0};
}

const GgufKey *gguf_metadata_find(const GgufMetadata *metadata, StringView name)
{
    size_t first = 0, end = metadata->n_keys;

    if (name.n_bytes == 0) return NULL;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        int order = gguf_compare_names(metadata->by_name[middle]->name, name);
        if (order == 0) return metadata->by_name[middle];
        if (order < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return NULL;
}

/* The value of an override, in the form in which a file would have it. */
static GgufKey override_key(const GgufOverride *override, uint64_t *number)
{
    GgufKey key = {.name = override->key, .type = override->type, .n = 1};

    key.element_type = override->type;
    key.data = (const uint8_t *)number;
    key.n_bytes = override->type == GGUF_BOOL ? 1 : sizeof *number;
    switch (override->type) {
    case GGUF_I64: memcpy(number, &override->i64, sizeof *number); break;
    case GGUF_F64: memcpy(number, &override->f64, sizeof *number); break;
    case GGUF_BOOL: *number = override->boolean; break;
    case GGUF_STRING:
        key.data = (const uint8_t *) override->text.data;
        key.n_bytes = override->text.n_bytes;
        break;
    case GGUF_U8:
    case GGUF_I8:
    case GGUF_U16:
    case GGUF_I16:
    case GGUF_U32:
    case GGUF_I32:
    case GGUF_F32:
    case GGUF_ARRAY:
    case GGUF_U64:
    case GGUF_TYPES:
        assert(false); // the contract of GgufOverride
        break;
    }
    return key;
}

static size_t find_unindexed(const GgufMetadata *metadata, StringView name)
{
    size_t i = 0;
    while (i < metadata->n_keys && !view_equal(metadata->keys[i].name, name)) i++;
    return i;
}

bool gguf_metadata_override(
    GgufMetadata *metadata, const GgufOverride *overrides, size_t n_overrides, Error *err)
{
    if (n_overrides == 0) return true;
    assert(!metadata->overrides);

    // Both were counted by somebody: at most 65536 keys, and as many overrides as arguments.
    size_t n_keys_max = metadata->n_keys + n_overrides;
    GgufKey *keys = mem_resize(GGUF_MEM, metadata->keys, n_keys_max * sizeof *keys, err);
    if (!keys) return false;
    metadata->keys = keys;
    metadata->overrides = mem_alloc_array(GGUF_MEM, n_overrides, sizeof *metadata->overrides, err);
    if (!metadata->overrides) return false;

    for (size_t i = 0; i < n_overrides; i++) {
        size_t at = find_unindexed(metadata, overrides[i].key);
        bool exists = at < metadata->n_keys;
        if (!overrides[i].is_removal) {
            keys[at] = override_key(&overrides[i], &metadata->overrides[i]);
            metadata->n_keys += !exists;
        } else if (exists) {
            metadata->n_keys--;
            memmove(&keys[at], &keys[at + 1], (metadata->n_keys - at) * sizeof *keys);
        }
    }
    return index_keys(metadata, err);
}

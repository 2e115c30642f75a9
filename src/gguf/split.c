/* Models in several files: PREFIX-00001-of-00003.gguf and so on, in one folder.
 *
 * Each part says how many there are, which one it is and how many tensors all have together
 * (split.count, split.no, split.tensors.count). Keys and names must agree, and the names of
 * the others come from the pattern alone: nothing in a file can lead to another folder. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gguf/internal.h"

#define SUFFIX_BYTES (sizeof "-00001-of-00003.gguf" - 1)

static bool find_number(const GgufMetadata *metadata, const char *key, uint64_t *out, Error *err)
{
    switch (gguf_metadata_u64(metadata, key, INT32_MAX, out, err)) {
    case GGUF_PRESENT: return true;
    case GGUF_BAD: return false;
    case GGUF_ABSENT: break;
    }
    return error_set(err, ERROR_SPLIT, "a part of a split model without the key '%s'", key);
}

bool gguf_split_read(const GgufMetadata *metadata, GgufSplit *out, Error *err)
{
    uint64_t n_parts = 0, part, n_tensors;

    if (gguf_metadata_u64(metadata, "split.count", UINT64_MAX, &n_parts, err) == GGUF_BAD)
        return false;
    if (n_parts > GGUF_PARTS_MAX)
        return error_set(
            err, ERROR_SPLIT, "split.count is %" PRIu64 ", not 0 to %u", n_parts, GGUF_PARTS_MAX);
    if (n_parts <= 1) {
        *out = (GgufSplit){.n_parts = 1};
        return true;
    }
    if (!find_number(metadata, "split.no", &part, err)) return false;
    if (!find_number(metadata, "split.tensors.count", &n_tensors, err)) return false;
    if (part >= n_parts)
        return error_set(
            err, ERROR_SPLIT, "split.no is %" PRIu64 ", not 0 to %" PRIu64, part, n_parts - 1);
    *out =
        (GgufSplit){.n_parts = (uint32_t)n_parts, .part = (uint32_t)part, .n_tensors = n_tensors};
    return true;
}

static void format_suffix(char out[SUFFIX_BYTES + 1], uint32_t part, uint32_t n_parts)
{
    assert(part < GGUF_PARTS_MAX);
    assert(n_parts <= GGUF_PARTS_MAX);
    snprintf(out, SUFFIX_BYTES + 1, "-%05u-of-%05u.gguf", part + 1, n_parts);
}

bool gguf_split_check_name(const char *path, const GgufSplit *split, Error *err)
{
    char suffix[SUFFIX_BYTES + 1];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t name_bytes = strlen(name);

    format_suffix(suffix, split->part, split->n_parts);
    if (name_bytes > SUFFIX_BYTES && strcmp(name + name_bytes - SUFFIX_BYTES, suffix) == 0)
        return true;
    return error_set(err, ERROR_SPLIT, "its keys say part %u of %u, so its name must end in '%s'",
        split->part + 1, split->n_parts, suffix);
}

char *gguf_split_path(const char *path, uint32_t n_parts, uint32_t part, Error *err)
{
    size_t path_bytes = strlen(path);
    char *sibling = mem_copy_text(GGUF_MEM, view_of(path), err);

    assert(path_bytes > SUFFIX_BYTES);
    if (sibling) format_suffix(sibling + path_bytes - SUFFIX_BYTES, part, n_parts);
    return sibling;
}

bool gguf_split_check_same(const GgufMetadata *first, const GgufMetadata *part, Error *err)
{
    for (size_t i = 0; i < part->n_keys; i++) {
        const GgufKey *b = &part->keys[i];
        const GgufKey *a = gguf_metadata_find(first, b->name);
        if (!a || view_is(b->name, "split.no")) continue;
        bool is_same = a->type == b->type && a->element_type == b->element_type
                       && a->n_bytes == b->n_bytes
                       && memcmp(a->data, b->data, (size_t)a->n_bytes) == 0;
        if (!is_same)
            return error_set(err, ERROR_SPLIT,
                "a part of another model: its key '%.*s' differs from the first part's",
                GGUF_SHOWN(b->name));
    }
    return true;
}

/* Opening a model: one file, or all parts of a split one, as a single set of keys and
 * tensors. The parts are opened in order, so that tables do not depend on which was named. */
#include "gguf/gguf.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/size.h"
#include "gguf/internal.h"

static void close_shards(GgufFile *gguf)
{
    for (uint32_t i = 0; i < gguf->n_shards; i++) {
        gguf_header_destroy(&gguf->headers[i]);
        file_close(&gguf->shards[i]);
    }
    gguf->n_shards = 0;
    gguf->directory.n_tensors = 0;
}

void gguf_close(GgufFile *gguf)
{
    if (!gguf) return;
    close_shards(gguf);
    gguf_directory_destroy(&gguf->directory);
    mem_free(GGUF_MEM, gguf->headers);
    mem_free(GGUF_MEM, gguf->shards);
    mem_free(GGUF_MEM, gguf);
}

/* Room for n shards; those that are open stay. */
static bool reserve_shards(GgufFile *gguf, uint32_t n, Error *err)
{
    assert(n <= GGUF_PARTS_MAX);
    File *shards = mem_resize(GGUF_MEM, gguf->shards, n * sizeof *shards, err);
    if (!shards) return false;
    gguf->shards = shards;

    GgufHeader *headers = mem_resize(GGUF_MEM, gguf->headers, n * sizeof *headers, err);
    if (!headers) return false;
    gguf->headers = headers;
    return true;
}

/* Opens the next shard. */
static bool open_shard(GgufFile *gguf, const char *path, GgufNeed need, Error *err)
{
    uint32_t shard = gguf->n_shards;

    gguf->shards[shard] = (File){0};
    gguf->headers[shard] = (GgufHeader){0};
    if (!file_open(&gguf->shards[shard], path, err)) return false;
    gguf->n_shards++;

    GgufSource source = {.file = &gguf->shards[shard], .shard = shard, .need = need};
    return gguf_header_load(&gguf->headers[shard], &source, &gguf->directory, err);
}

/* Opens part `part` and compares it with the first. */
static bool open_part(
    GgufFile *gguf, const char *path, const GgufSplit *first, GgufNeed need, Error *err)
{
    uint32_t part = gguf->n_shards;
    Error failure = {0};
    GgufSplit split;

    if (!open_shard(gguf, path, need, &failure)) {
        if (failure.id != ERROR_FILE_OPEN) {
            if (err) *err = failure;
            return false;
        }
        return error_set(
            err, ERROR_SPLIT, "part %u of %u: %s", part + 1, first->n_parts, failure.message);
    }
    const GgufMetadata *metadata = &gguf->headers[part].metadata;
    if (!gguf_split_read(metadata, &split, err)) return error_at(err, "%s", path);
    if (split.part != part || split.n_parts != first->n_parts)
        return error_set(err, ERROR_SPLIT, "%s: its keys say part %u of %u, its name %u of %u",
            path, split.part + 1, split.n_parts, part + 1, first->n_parts);
    return gguf_split_check_same(&gguf->headers[0].metadata, metadata, err)
           || error_at(err, "%s", path);
}

/* Shard 0 is the part that was named; afterwards it is the first, and all are open. */
static bool open_parts(
    GgufFile *gguf, const char *path, const GgufSplit *split, GgufNeed need, Error *err)
{
    if (!gguf_split_check_name(path, split, err)) return error_at(err, "%s", path);
    if (!reserve_shards(gguf, split->n_parts, err)) return false;
    if (split->part != 0) close_shards(gguf);

    while (gguf->n_shards < split->n_parts) {
        char *part_path = gguf_split_path(path, split->n_parts, gguf->n_shards, err);
        bool is_open = part_path && open_part(gguf, part_path, split, need, err);
        mem_free(GGUF_MEM, part_path);
        if (!is_open) return false;
    }
    if (gguf->directory.n_tensors != split->n_tensors)
        return error_set(err, ERROR_SPLIT,
            "%s: split.tensors.count is %" PRIu64 ", but the %u parts have %zu tensors", path,
            split->n_tensors, split->n_parts, gguf->directory.n_tensors);
    return true;
}

static bool open_all(GgufFile *gguf, const char *path, GgufNeed need, Error *err)
{
    GgufSplit split;

    if (!reserve_shards(gguf, 1, err)) return false;
    if (!open_shard(gguf, path, need, err)) return false;
    if (!gguf_split_read(&gguf->headers[0].metadata, &split, err)) return error_at(err, "%s", path);
    if (split.n_parts > 1 && !open_parts(gguf, path, &split, need, err)) return false;
    return gguf_directory_index(&gguf->directory, err) || error_at(err, "%s", path);
}

GgufFile *gguf_open(
    const char *path, GgufNeed need, const GgufOverride *overrides, size_t n_overrides, Error *err)
{
    GgufFile *gguf = mem_alloc(GGUF_MEM, sizeof *gguf, err);

    if (!gguf) return NULL;
    if (!open_all(gguf, path, need, err)) goto fail;
    if (!gguf_metadata_override(&gguf->headers[0].metadata, overrides, n_overrides, err)) goto fail;
    return gguf;

fail:
    gguf_close(gguf);
    return NULL;
}

uint32_t gguf_n_shards(const GgufFile *gguf)
{
    return gguf->n_shards;
}

const File *gguf_shards(const GgufFile *gguf)
{
    return gguf->shards;
}

uint32_t gguf_version(const GgufFile *gguf)
{
    return gguf->headers[0].version;
}

uint64_t gguf_header_bytes(const GgufFile *gguf)
{
    uint64_t n_bytes = 0;
    for (uint32_t i = 0; i < gguf->n_shards; i++) n_bytes += gguf->headers[i].n_bytes;
    return n_bytes;
}

uint64_t gguf_header_hash(const GgufFile *gguf)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < gguf->n_shards; i++)
        hash = hash_bytes(gguf->headers[i].data, (size_t)gguf->headers[i].n_bytes, hash);
    return hash;
}

uint64_t gguf_file_bytes(const GgufFile *gguf)
{
    uint64_t n_bytes = 0;
    for (uint32_t i = 0; i < gguf->n_shards; i++) n_bytes += gguf->shards[i].n_bytes;
    return n_bytes;
}

uint64_t gguf_trailing_bytes(const GgufFile *gguf)
{
    uint64_t n_bytes = 0;
    for (uint32_t i = 0; i < gguf->n_shards; i++) n_bytes += gguf->headers[i].trailing_bytes;
    return n_bytes;
}

static const GgufKey *key_at(const GgufFile *gguf, size_t index)
{
    assert(index < gguf_n_keys(gguf));
    return &gguf->headers[0].metadata.keys[index];
}

size_t gguf_n_keys(const GgufFile *gguf)
{
    return gguf->headers[0].metadata.n_keys;
}

StringView gguf_key_name(const GgufFile *gguf, size_t index)
{
    return key_at(gguf, index)->name;
}

GgufType gguf_key_type(const GgufFile *gguf, size_t index)
{
    return key_at(gguf, index)->type;
}

GgufType gguf_key_element_type(const GgufFile *gguf, size_t index)
{
    return key_at(gguf, index)->element_type;
}

uint64_t gguf_key_count(const GgufFile *gguf, size_t index)
{
    return key_at(gguf, index)->n;
}

bool gguf_find_key(const GgufFile *gguf, const char *key, size_t *index)
{
    const GgufMetadata *metadata = &gguf->headers[0].metadata;
    const GgufKey *found = gguf_metadata_find(metadata, view_of(key));

    if (found) *index = (size_t)(found - metadata->keys);
    return found;
}

size_t gguf_n_tensors(const GgufFile *gguf)
{
    return gguf->directory.n_tensors;
}

const GgufTensor *gguf_tensor(const GgufFile *gguf, size_t index)
{
    assert(index < gguf->directory.n_tensors);
    return &gguf->directory.tensors[index];
}

const GgufTensor *gguf_find_tensor(const GgufFile *gguf, StringView name)
{
    return gguf_directory_find(&gguf->directory, name);
}

/* Identity is sizes and headers: a copy of gigabytes is not compared byte by byte at each start;
 * where there are checksums, they tell while it is read. */
#include "engine/mirrors.h"

#include <string.h>

#include "base/mem.h"

/* Reading one file twice at once would make nothing faster. */
static bool check_apart(const File *a, const File *b, Error *err)
{
    if (a->device != b->device || a->inode != b->inode) return true;
    return error_set(
        err, ERROR_USAGE, "--mirror %s: this is the same file as %s", a->path, b->path);
}

static bool check_copy(const GgufFile *copy, const GgufFile *gguf, Error *err)
{
    const File *ours = gguf_shards(gguf), *theirs = gguf_shards(copy);

    if (gguf_n_shards(copy) != gguf_n_shards(gguf))
        return error_set(err, ERROR_MIRROR, "%s: has %u parts, the model has %u", theirs->path,
            gguf_n_shards(copy), gguf_n_shards(gguf));
    for (uint32_t i = 0; i < gguf_n_shards(gguf); i++)
        if (theirs[i].n_bytes != ours[i].n_bytes)
            return error_set(err, ERROR_MIRROR, "%s: is no copy of %s: its size differs",
                theirs[i].path, ours[i].path);
    return gguf_header_hash(copy) == gguf_header_hash(gguf)
           || error_set(err, ERROR_MIRROR, "%s: is no copy of %s: its header differs", theirs->path,
               ours->path);
}

static bool open_one(Mirrors *out, const GgufFile *gguf, const char *path, Error *err)
{
    GgufFile *copy = gguf_open(path, GGUF_TENSOR_DATA, NULL, 0, err);

    if (!copy) return error_at(err, "mirror");
    out->copies[out->n++] = copy;
    if (!check_copy(copy, gguf, err)) return false;
    for (uint32_t i = 0; i < gguf_n_shards(gguf); i++) {
        if (!check_apart(&gguf_shards(copy)[i], &gguf_shards(gguf)[i], err)) return false;
        for (uint32_t k = 0; k + 1 < out->n; k++)
            if (!check_apart(&gguf_shards(copy)[i], &gguf_shards(out->copies[k])[i], err))
                return false;
    }
    return true;
}

bool mirrors_open(
    Mirrors *out, const GgufFile *gguf, const char *const *paths, size_t n, Error *err)
{
    uint32_t n_shards = gguf_n_shards(gguf);

    *out = (Mirrors){0};
    if (n > MIRRORS_MAX)
        return error_set(err, ERROR_USAGE, "--mirror: %zu copies, at most %d", n, MIRRORS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!open_one(out, gguf, paths[i], err)) return false;
    out->files = mem_alloc_array(MEM_OTHER, (1 + n) * n_shards, sizeof(File), err);
    if (!out->files) return false;
    memcpy(out->files, gguf_shards(gguf), n_shards * sizeof(File));
    for (size_t i = 0; i < n; i++)
        memcpy(
            out->files + (1 + i) * n_shards, gguf_shards(out->copies[i]), n_shards * sizeof(File));
    return true;
}

void mirrors_close(Mirrors *mirrors)
{
    for (uint32_t i = 0; i < mirrors->n; i++) gguf_close(mirrors->copies[i]);
    mem_free(MEM_OTHER, mirrors->files);
    *mirrors = (Mirrors){0};
}

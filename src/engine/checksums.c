/* Where a model's checksums are, and whether they are its own. */
#include "engine/checksums.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/user_cache.h"

#define ENDING ".sums"

SidecarSubject checksums_subject(const GgufFile *gguf)
{
    return (SidecarSubject){.files = gguf_shards(gguf),
        .n_files = gguf_n_shards(gguf),
        .header_hash = gguf_header_hash(gguf)};
}

char *checksums_path(const GgufFile *gguf, Error *err)
{
    const char *model = gguf_shards(gguf)[0].path;
    size_t n_bytes = strlen(model) + sizeof ENDING;
    char *path = mem_alloc(MEM_OTHER, n_bytes, err);

    if (path) snprintf(path, n_bytes, "%s%s", model, ENDING);
    return path;
}

void checksums_cache_name(const GgufFile *gguf, char out[CHECKSUMS_NAME_BYTES])
{
    snprintf(out, CHECKSUMS_NAME_BYTES, "sums-%016" PRIx64,
        gguf_header_hash(gguf) ^ gguf_file_bytes(gguf));
}

/* The whole file at `path`, if it can be a record of this model. */
static bool read_file(
    const char *path, uint64_t n_bytes_max, uint8_t **data, uint64_t *n_bytes, Error *err)
{
    File file = {0};

    if (!file_open(&file, path, err)) return false;
    bool ok = false;
    if (file.n_bytes > n_bytes_max) {
        error_set(err, ERROR_SIDECAR, "%s: it belongs to another model, or is damaged", path);
    } else if ((*data = mem_alloc(MEM_OTHER, file.n_bytes, err)) != NULL) {
        *n_bytes = file.n_bytes;
        ok = file_read_at(&file, 0, *data, file.n_bytes, err);
    }
    file_close(&file);
    return ok;
}

/* Takes what was read; the path is taken over in any case. */
static bool use(Checksums *out, const GgufFile *gguf, uint8_t *data, uint64_t n_bytes, Error *err)
{
    SidecarSubject subject = checksums_subject(gguf);

    out->are_there = sidecar_decode(&out->sidecar, &subject, data, n_bytes, err);
    if (out->are_there) return true;
    mem_free(MEM_OTHER, data);
    return error_at(err, "%s", out->path);
}

static bool find_beside(Checksums *out, const GgufFile *gguf, Error *err)
{
    SidecarSubject subject = checksums_subject(gguf);
    uint8_t *data = NULL;
    uint64_t n_bytes = 0;
    char *path = checksums_path(gguf, err);

    if (!path) return false;
    if (access(path, F_OK) != 0) {
        mem_free(MEM_OTHER, path);
        return true;
    }
    out->path = path;
    if (read_file(path, sidecar_bytes(&subject), &data, &n_bytes, err))
        return use(out, gguf, data, n_bytes, err);
    mem_free(MEM_OTHER, data);
    return false;
}

static bool find_cached(Checksums *out, const GgufFile *gguf, Error *err)
{
    SidecarSubject subject = checksums_subject(gguf);
    char name[CHECKSUMS_NAME_BYTES];
    uint8_t *data = NULL;
    size_t n_bytes = 0;

    checksums_cache_name(gguf, name);
    if (!user_cache_read(name, sidecar_bytes(&subject), &data, &n_bytes, err)) return false;
    if (!data) return true;
    out->path = mem_copy_text(MEM_OTHER, view_of(name), err);
    if (out->path) return use(out, gguf, data, n_bytes, err);
    mem_free(MEM_OTHER, data);
    return false;
}

bool checksums_find(Checksums *out, const GgufFile *gguf, Error *err)
{
    Checksums cached = {0};

    *out = (Checksums){0};
    bool ok = find_beside(out, gguf, err);
    if (out->are_there) return true;
    // A folder that nobody may write to can hold outdated ones for ever.
    bool is_found = find_cached(&cached, gguf, ok ? err : NULL);
    if (cached.are_there || (ok && !is_found)) {
        checksums_destroy(out);
        *out = cached;
        return is_found;
    }
    checksums_destroy(&cached);
    return ok;
}

void checksums_destroy(Checksums *checksums)
{
    sidecar_destroy(&checksums->sidecar);
    mem_free(MEM_OTHER, checksums->path);
    *checksums = (Checksums){0};
}

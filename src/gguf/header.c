/* The header of one file: magic, version, counts, then keys and tensors.
 *
 * How long a header is stands nowhere, so it is parsed from as many bytes as are loaded;
 * when they do not suffice, more are loaded and parsing starts again. The last round always
 * runs over a buffer of exactly the header's size, so that views point to their final place
 * and nothing is held beyond it. Loading doubles: a header is parsed at most about as often
 * as its size has bits, all rounds together cost less than three times the last. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "gguf/internal.h"

#define MAGIC             "GGUF"
#define FIXED_BYTES       24
#define FIRST_LOAD_BYTES  (64u << 10)
#define ALIGNMENT_DEFAULT 32
#define ALIGNMENT_MIN     8
#define ALIGNMENT_MAX     65536

static bool check_version(uint32_t version, Error *err)
{
    if (version == 2 || version == 3) return true;
    if ((version & 0xffffu) == 0 && version != 0)
        return error_set(err, ERROR_FORMAT_VERSION,
            "a big-endian file (version field 0x%08x at byte 4); only little-endian ones can be "
            "read",
            version);
    return error_set(err, ERROR_FORMAT_VERSION, "version %u at byte 4, not 2 or 3", version);
}

static bool read_fixed(
    GgufReader *reader, GgufHeader *header, uint64_t *n_tensors, uint64_t *n_keys, Error *err)
{
    const uint8_t *magic = gguf_read_bytes(reader, sizeof MAGIC - 1, err);

    if (!magic) return false;
    if (memcmp(magic, MAGIC, sizeof MAGIC - 1) != 0)
        return error_set(err, ERROR_FORMAT_MAGIC,
            "not a GGUF file: it begins with bytes %02x %02x %02x %02x, not 47 47 55 46", magic[0],
            magic[1], magic[2], magic[3]);
    if (reader->file_bytes < FIXED_BYTES)
        return error_set(err, ERROR_FORMAT_TRUNCATED,
            "the file has %" PRIu64 " bytes, a GGUF header at least %d", reader->file_bytes,
            FIXED_BYTES);

    if (!gguf_read_u32(reader, &header->version, err)) return false;
    if (!check_version(header->version, err)) return false;
    if (!gguf_read_u64(reader, n_tensors, err) || !gguf_read_u64(reader, n_keys, err)) return false;
    if (*n_tensors > GGUF_ENTRIES_MAX)
        return error_set(err, ERROR_FORMAT_COUNT, "%" PRIu64 " tensors at byte 8, not 0 to %u",
            *n_tensors, GGUF_ENTRIES_MAX);
    if (*n_keys > GGUF_ENTRIES_MAX)
        return error_set(err, ERROR_FORMAT_COUNT, "%" PRIu64 " keys at byte 16, not 0 to %u",
            *n_keys, GGUF_ENTRIES_MAX);
    return true;
}

static bool find_alignment(const GgufMetadata *metadata, uint32_t *out, Error *err)
{
    uint64_t alignment = ALIGNMENT_DEFAULT;

    if (gguf_metadata_u64(metadata, "general.alignment", UINT64_MAX, &alignment, err) == GGUF_BAD)
        return false;
    if (alignment < ALIGNMENT_MIN || alignment > ALIGNMENT_MAX
        || (alignment & (alignment - 1)) != 0)
        return error_set(err, ERROR_FORMAT_ALIGNMENT,
            "general.alignment is %" PRIu64 ", not a power of two from %d to %d", alignment,
            ALIGNMENT_MIN, ALIGNMENT_MAX);
    *out = (uint32_t)alignment;
    return true;
}

/* One round. `header` holds the loaded bytes; `reader` says how far it came. */
static bool parse(GgufHeader *header, GgufReader *reader, const GgufSource *source,
    GgufDirectory *directory, Error *err)
{
    GgufSection section = {
        .shard = source->shard, .need = source->need, .file_bytes = source->file->n_bytes};
    size_t first = directory->n_tensors;
    uint64_t n_tensors, n_keys;

    if (!read_fixed(reader, header, &n_tensors, &n_keys, err)) return false;
    if (!gguf_metadata_read(reader, n_keys, &header->metadata, err)) return false;
    if (!find_alignment(&header->metadata, &section.alignment, err)) return false;
    if (!gguf_directory_read(reader, n_tensors, directory, err)) return false;

    section.start_offset = size_align_up(reader->at, section.alignment);
    if (!gguf_directory_place(directory, first, &section, err)) return false;

    // The padding behind the last tensor may be there or not; both are common.
    uint64_t behind =
        section.file_bytes > section.end_offset ? section.file_bytes - section.end_offset : 0;
    uint64_t padding = -section.end_offset & (section.alignment - 1u);
    header->trailing_bytes = behind > padding ? behind - padding : 0;
    return true;
}

/* Makes `header` hold the first n_bytes of the file. */
static bool load(GgufHeader *header, const File *file, uint64_t n_bytes, Error *err)
{
    uint64_t n_loaded = header->n_bytes;
    uint8_t *data = header->data ? mem_resize(GGUF_MEM, header->data, (size_t)n_bytes, err)
                                 : mem_alloc(GGUF_MEM, (size_t)n_bytes, err);

    if (!data) return false;
    header->data = data;
    header->n_bytes = n_bytes;
    return n_bytes <= n_loaded
           || file_read_at(file, n_loaded, data + n_loaded, n_bytes - n_loaded, err);
}

bool gguf_header_load(
    GgufHeader *header, const GgufSource *source, GgufDirectory *directory, Error *err)
{
    const File *file = source->file;
    size_t first = directory->n_tensors;
    uint64_t n_bytes = file->n_bytes < FIRST_LOAD_BYTES ? file->n_bytes : FIRST_LOAD_BYTES;

    for (;;) {
        if (!load(header, file, n_bytes, err)) return false;
        GgufReader reader = {
            .data = header->data, .n_loaded = n_bytes, .file_bytes = file->n_bytes};
        Error failure = {0};
        bool is_done = parse(header, &reader, source, directory, &failure);
        if (is_done && reader.at == n_bytes) return true;
        if (!is_done && reader.wanted_bytes <= n_bytes)
            return error_set(err, failure.id, "%s: %s", file->path, failure.message);

        n_bytes = is_done ? reader.at : 2 * n_bytes;
        if (n_bytes < reader.wanted_bytes) n_bytes = reader.wanted_bytes;
        if (n_bytes > file->n_bytes) n_bytes = file->n_bytes;
        gguf_metadata_destroy(&header->metadata);
        directory->n_tensors = first;
    }
}

void gguf_header_destroy(GgufHeader *header)
{
    gguf_metadata_destroy(&header->metadata);
    mem_free(GGUF_MEM, header->data);
    *header = (GgufHeader){0};
}

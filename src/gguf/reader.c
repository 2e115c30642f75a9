/* Bounded reading of little-endian numbers and strings from header bytes. Every other
 * check of the format stands on these few: no length is believed before it was compared
 * with what the file still has, by subtraction, so that nothing can wrap. */
#include "gguf/reader.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

uint64_t gguf_read_left(const GgufReader *reader)
{
    assert(reader->at <= reader->file_bytes);
    return reader->file_bytes - reader->at;
}

const uint8_t *gguf_read_bytes(GgufReader *reader, uint64_t n_bytes, Error *err)
{
    if (n_bytes > gguf_read_left(reader)) {
        error_set(err, ERROR_FORMAT_TRUNCATED,
            "the file ends at byte %" PRIu64 ", %" PRIu64 " bytes are needed at byte %" PRIu64,
            reader->file_bytes, n_bytes, reader->at);
        return NULL;
    }
    if (reader->at + n_bytes > reader->n_loaded) {
        reader->wanted_bytes = reader->at + n_bytes;
        error_set(err, ERROR_INTERNAL, "only %" PRIu64 " header bytes loaded", reader->n_loaded);
        return NULL;
    }
    const uint8_t *bytes = reader->data + reader->at;
    reader->at += n_bytes;
    return bytes;
}

bool gguf_read_u32(GgufReader *reader, uint32_t *out, Error *err)
{
    const uint8_t *bytes = gguf_read_bytes(reader, sizeof *out, err);

    if (!bytes) return false;
    memcpy(out, bytes, sizeof *out);
    return true;
}

bool gguf_read_u64(GgufReader *reader, uint64_t *out, Error *err)
{
    const uint8_t *bytes = gguf_read_bytes(reader, sizeof *out, err);

    if (!bytes) return false;
    memcpy(out, bytes, sizeof *out);
    return true;
}

bool gguf_read_string(
    GgufReader *reader, const GgufStringLimits *limits, StringView *out, Error *err)
{
    uint64_t start = reader->at, n_bytes;

    if (!gguf_read_u64(reader, &n_bytes, err)) return false;
    if (n_bytes < limits->bytes_min || n_bytes > limits->bytes_max)
        return error_set(err, limits->id,
            "string of %" PRIu64 " bytes at byte %" PRIu64 ", not %" PRIu64 " to %" PRIu64, n_bytes,
            start, limits->bytes_min, limits->bytes_max);

    const uint8_t *bytes = gguf_read_bytes(reader, n_bytes, err);
    if (!bytes) return false;
    *out = (StringView){.data = (const char *)bytes, .n_bytes = (size_t)n_bytes};
    return true;
}

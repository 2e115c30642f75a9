/* A cursor over the first bytes of a file. It reads memory only, so that parsing is a pure
 * function of bytes; when it runs out of loaded bytes that the file does have, it fails and
 * says in `wanted_bytes` how many would help. The caller loads them and parses again. */
#ifndef HYPURA_GGUF_READER_H
#define HYPURA_GGUF_READER_H

#include "base/error.h"
#include "base/view.h"

typedef struct GgufReader {
    const uint8_t *data; // borrowed
    uint64_t n_loaded;   // of the file, from its start
    uint64_t file_bytes;
    uint64_t at;           // next byte to read
    uint64_t wanted_bytes; // above n_loaded: the last failure was for want of loaded bytes
} GgufReader;

/* Bytes of the file that were not read yet. */
uint64_t gguf_read_left(const GgufReader *reader);

/* The next n_bytes, borrowed from `data`. NULL: FORMAT_TRUNCATED, or not loaded (above). */
CHECKED const uint8_t *gguf_read_bytes(GgufReader *reader, uint64_t n_bytes, Error *err);
CHECKED bool gguf_read_u32(GgufReader *reader, uint32_t *out, Error *err);
CHECKED bool gguf_read_u64(GgufReader *reader, uint64_t *out, Error *err);

/* How long a string may be, and the error that another length is. */
typedef struct GgufStringLimits {
    uint64_t bytes_min, bytes_max;
    ErrorId id;
} GgufStringLimits;

/* A length and as many bytes, borrowed from `data`. */
CHECKED bool gguf_read_string(
    GgufReader *reader, const GgufStringLimits *limits, StringView *out, Error *err);

#endif

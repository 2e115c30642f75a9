/* What the files of this folder share: the parsed parts of a file.
 *
 *   header   magic, version, counts         header.c
 *   metadata keys and values                metadata.c, values.c
 *   tensors  the directory                  directory.c
 *   parts    which files belong together    split.c
 *   GgufFile all of it                      gguf.c
 *
 * Names and values are views into the header bytes, which stay where they are until
 * gguf_close. */
#ifndef HYPURA_GGUF_INTERNAL_H
#define HYPURA_GGUF_INTERNAL_H

#include "base/mem.h"
#include "gguf/gguf.h"
#include "gguf/reader.h"

// All of this dies with the model's vocabulary, and is booked with it.
#define GGUF_MEM MEM_TEXT

// Far above any published model, far below what could hurt (docs/formats/gguf.md).
#define GGUF_ENTRIES_MAX           65536u // keys, and tensors, of one file
#define GGUF_PARTS_MAX             1024u
#define GGUF_TENSOR_NAME_BYTES_MAX 64u // the limit of ggml

// Messages quote at most so much of a name, so that the defect is not cut off.
#define GGUF_SHOWN_BYTES 96
#define GGUF_SHOWN(view) SV(gguf_shown(view))

static inline StringView gguf_shown(StringView name)
{
    if (name.n_bytes > GGUF_SHOWN_BYTES) name.n_bytes = GGUF_SHOWN_BYTES;
    return name;
}

/* Bytewise; a prefix comes first. Neither name is empty. */
static inline int gguf_compare_names(StringView a, StringView b)
{
    size_t n_bytes = a.n_bytes < b.n_bytes ? a.n_bytes : b.n_bytes;
    int order = memcmp(a.data, b.data, n_bytes);

    return order != 0 ? order : (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

/* One entry of the metadata. */
typedef struct GgufKey {
    StringView name;
    GgufType type;
    GgufType element_type; // of an array; else `type`
    uint64_t n;            // elements of an array; else 1
    const uint8_t *data;   // little-endian value; a string's bytes; an array's elements
    uint64_t n_bytes;      // at `data`
} GgufKey;

typedef struct GgufMetadata {
    GgufKey *keys; // owned, in file order
    size_t n_keys;
    const GgufKey **by_name; // owned; the same, sorted
    uint64_t *overrides;     // owned; values of the numbers among the overrides
} GgufMetadata;

/* Reads n_keys entries and refuses duplicates. `metadata` is zeroed before. */
CHECKED bool gguf_metadata_read(
    GgufReader *reader, uint64_t n_keys, GgufMetadata *metadata, Error *err);
void gguf_metadata_destroy(GgufMetadata *metadata);
/* NULL: none of that name. */
const GgufKey *gguf_metadata_find(const GgufMetadata *metadata, StringView name);
CHECKED bool gguf_metadata_override(
    GgufMetadata *metadata, const GgufOverride *overrides, size_t n_overrides, Error *err);

/* Of any integer type, 0 to max. */
GgufPresence gguf_metadata_u64(
    const GgufMetadata *metadata, const char *key, uint64_t max, uint64_t *out, Error *err);

/* All tensors of all parts, in file order. */
typedef struct GgufDirectory {
    GgufTensor *tensors; // owned
    size_t n_tensors;
    const GgufTensor **by_name; // owned; sorted; made by gguf_directory_index
} GgufDirectory;

/* Where the tensors of one part must lie. */
typedef struct GgufSection {
    uint32_t shard;
    uint32_t alignment;
    uint64_t start_offset; // of the data section
    uint64_t file_bytes;
    GgufNeed need;
    uint64_t end_offset; // result: behind the last tensor; start_offset if there is none
} GgufSection;

/* Appends n_tensors entries; their offsets are still relative to the data section. */
CHECKED bool gguf_directory_read(
    GgufReader *reader, uint64_t n_tensors, GgufDirectory *directory, Error *err);
/* Checks alignment, overlap and end of the tensors from number `first` on, and makes their
 * offsets absolute. */
CHECKED bool gguf_directory_place(
    GgufDirectory *directory, size_t first, GgufSection *section, Error *err);
/* Sorts by name and refuses duplicates. */
CHECKED bool gguf_directory_index(GgufDirectory *directory, Error *err);
const GgufTensor *gguf_directory_find(const GgufDirectory *directory, StringView name);
void gguf_directory_destroy(GgufDirectory *directory);

typedef struct GgufHeader {
    uint32_t version;
    uint8_t *data;    // owned: the bytes from the start of the file to the end of the directory
    uint64_t n_bytes; // at `data`
    uint64_t trailing_bytes;
    GgufMetadata metadata;
} GgufHeader;

typedef struct GgufSource {
    const File *file;
    uint32_t shard; // its index
    GgufNeed need;
} GgufSource;

/* Reads and checks the header of a file; its tensors are appended to `directory`. `header` is
 * zeroed before. On failure both can be destroyed. */
CHECKED bool gguf_header_load(
    GgufHeader *header, const GgufSource *source, GgufDirectory *directory, Error *err);
void gguf_header_destroy(GgufHeader *header);

/* What a part says of itself. */
typedef struct GgufSplit {
    uint32_t n_parts;   // 1: not split
    uint32_t part;      // from 0
    uint64_t n_tensors; // of all parts together
} GgufSplit;

CHECKED bool gguf_split_read(const GgufMetadata *metadata, GgufSplit *out, Error *err);
/* Does the file's name say the same as its keys? */
CHECKED bool gguf_split_check_name(const char *path, const GgufSplit *split, Error *err);
/* The path of part `part` beside `path`, whose name was checked. The caller frees it. */
CHECKED char *gguf_split_path(const char *path, uint32_t n_parts, uint32_t part, Error *err);
/* Are `part` and the first part of one model? All keys that both have must be equal. */
CHECKED bool gguf_split_check_same(const GgufMetadata *first, const GgufMetadata *part, Error *err);

struct GgufFile {
    uint32_t n_shards;
    File *shards;        // owned, n_shards
    GgufHeader *headers; // owned, n_shards; the first one has the model's metadata
    GgufDirectory directory;
};

#endif

/* GGUF files, versions 2 and 3: read with every bound checked, whole or split.
 * Nothing here knows what a tensor is for. */
#ifndef HYPURA_GGUF_GGUF_H
#define HYPURA_GGUF_GGUF_H

#include "base/error.h"
#include "base/view.h"
#include "quant/traits.h"
#include "sys/file.h"

#define GGUF_DIMS_MAX 4

typedef enum GgufType {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES
} GgufType;

/* The name of a value type as messages and tables write it: "u8" … "string", "array". */
const char *gguf_type_name(GgufType type);

typedef struct GgufTensor {
    StringView name;              // borrowed until gguf_close; 1 to 64 bytes of UTF-8
    uint32_t n_dims;              // 1 to 4
    uint64_t dims[GGUF_DIMS_MAX]; // fastest first; unused ones are 1
    QuantType type;
    uint32_t shard;        // index of the file that holds it
    uint64_t offset_bytes; // from the start of that file
    uint64_t n_bytes;
} GgufTensor;

typedef struct GgufFile GgufFile; // owns header bytes, tables and open files of all shards

/* What to change in the metadata before anyone reads it (--override-kv). */
typedef struct GgufOverride {
    StringView key;  // borrowed until gguf_close
    GgufType type;   // I64 for int, F64 for float, BOOL, STRING
    bool is_removal; // "none"
    int64_t i64;
    double f64;
    bool boolean;
    StringView text; // borrowed until gguf_close
} GgufOverride;

typedef enum GgufNeed { GGUF_METADATA_ONLY, GGUF_TENSOR_DATA } GgufNeed;

/*
 * Opens a model by any of its shards. GGUF_METADATA_ONLY accepts files whose tensor data is
 * missing or cut, and vocabulary-only files; everything else is checked in both modes.
 * Memory: at most eight times the bytes of the files and 1 MiB, whatever they claim.
 * NULL: failed; `err` names file, place and defect.
 */
CHECKED GgufFile *gguf_open(
    const char *path, GgufNeed need, const GgufOverride *overrides, size_t n_overrides, Error *err);
void gguf_close(GgufFile *gguf);

/* Shards: index 0 is the first part, whatever was named. Files stay owned by `gguf`. */
uint32_t gguf_n_shards(const GgufFile *gguf);
const File *gguf_shards(const GgufFile *gguf);
uint32_t gguf_version(const GgufFile *gguf);
uint64_t gguf_header_bytes(const GgufFile *gguf); // of all shards: what had to be read
uint64_t gguf_header_hash(
    const GgufFile *gguf); // of these bytes; what hash_bytes says of hashes holds
uint64_t gguf_file_bytes(const GgufFile *gguf);     // of all shards
uint64_t gguf_trailing_bytes(const GgufFile *gguf); // behind the last tensor

/* Keys in file order, for inspect. */
size_t gguf_n_keys(const GgufFile *gguf);
StringView gguf_key_name(const GgufFile *gguf, size_t index);
GgufType gguf_key_type(const GgufFile *gguf, size_t index);
GgufType gguf_key_element_type(const GgufFile *gguf, size_t index); // of an array
uint64_t gguf_key_count(const GgufFile *gguf, size_t index);        // of an array; 1 else
bool gguf_find_key(const GgufFile *gguf, const char *key, size_t *index);

typedef enum GgufPresence { GGUF_ABSENT, GGUF_PRESENT, GGUF_BAD } GgufPresence;

/* Typed getters: ABSENT leaves `out` alone; BAD: another type or out of range, `err` set.
 * Integers of any width are accepted where the value fits; floats from f32 and f64. */
GgufPresence gguf_get_u32(const GgufFile *gguf, const char *key, uint32_t *out, Error *err);
GgufPresence gguf_get_u64(const GgufFile *gguf, const char *key, uint64_t *out, Error *err);
GgufPresence gguf_get_i64(const GgufFile *gguf, const char *key, int64_t *out, Error *err);
GgufPresence gguf_get_f32(const GgufFile *gguf, const char *key, float *out, Error *err);
GgufPresence gguf_get_bool(const GgufFile *gguf, const char *key, bool *out, Error *err);
GgufPresence gguf_get_string(const GgufFile *gguf, const char *key, StringView *out, Error *err);

/* Arrays: a view of the elements in the header bytes (any alignment), or strings one by one. */
typedef struct GgufArray {
    GgufType element_type;
    uint64_t n;
    const uint8_t *data; // little-endian elements; borrowed until gguf_close
    uint64_t n_bytes;
} GgufArray;

/* The elements have exactly the type asked for; but where I32 is asked for, U32 will do if
 * all values fit. */
GgufPresence gguf_get_array(
    const GgufFile *gguf, const char *key, GgufType element_type, GgufArray *out, Error *err);
/* Walks a string array: start with *cursor = 0; false at the end. */
bool gguf_array_next_string(const GgufArray *array, uint64_t *cursor, StringView *out);
float gguf_array_f32(const GgufArray *array, uint64_t index);
int32_t gguf_array_i32(const GgufArray *array, uint64_t index); // of I32 or U32 elements

size_t gguf_n_tensors(const GgufFile *gguf);
const GgufTensor *gguf_tensor(const GgufFile *gguf, size_t index); // in file order, shard by shard
const GgufTensor *gguf_find_tensor(const GgufFile *gguf, StringView name); // NULL: none

#endif

/* Writing GGUF version 3: keys and directory are collected as bytes and joined once. The
 * data itself never passes through here; the caller writes it behind the header, in order,
 * at gguf_writer_tensor_offset().
 *
 * Calls cannot fail visibly: the first failure is kept and later calls do nothing, so that
 * the caller checks in one place, gguf_writer_header(). Names and counts come from this
 * program and are asserted to be what the reader accepts; shapes come from models. */
#include "gguf/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "gguf/internal.h"

#define VERSION   3u
#define ALIGNMENT 32u

/* Bytes that grow at their end. */
typedef struct Bytes {
    uint8_t *data; // owned
    size_t n_bytes;
    size_t capacity_bytes;
} Bytes;

struct GgufWriter {
    Bytes keys;
    Bytes entries; // of the directory
    Bytes header;  // made by gguf_writer_header; nothing may be added afterwards
    uint64_t n_keys;
    uint64_t n_tensors;
    uint64_t *offsets; // owned, one a tensor; capacity as below
    uint64_t offsets_max;
    uint64_t data_bytes; // padded: where the next tensor goes
    Error failure;       // the first one
};

GgufWriter *gguf_writer_create(Error *err)
{
    return mem_alloc(MEM_OTHER, sizeof(GgufWriter), err);
}

void gguf_writer_free(GgufWriter *writer)
{
    if (!writer) return;
    mem_free(MEM_OTHER, writer->keys.data);
    mem_free(MEM_OTHER, writer->entries.data);
    mem_free(MEM_OTHER, writer->header.data);
    mem_free(MEM_OTHER, writer->offsets);
    mem_free(MEM_OTHER, writer);
}

static bool has_failed(const GgufWriter *writer)
{
    return writer->failure.id != ERROR_NONE;
}

/* n_bytes more at the end, zeroed; NULL: failed, now or before. */
static uint8_t *extend(GgufWriter *writer, Bytes *bytes, size_t n_bytes)
{
    uint64_t needed;

    if (has_failed(writer)) return NULL;
    if (!size_add(bytes->n_bytes, n_bytes, &needed) || needed > SIZE_MAX / 2) {
        error_set(&writer->failure, ERROR_TOO_LARGE, "header: %zu bytes more", n_bytes);
        return NULL;
    }
    if (needed > bytes->capacity_bytes) {
        size_t capacity_bytes = (size_t)needed * 2; // doubles: each byte is moved twice at most
        uint8_t *data = mem_resize(MEM_OTHER, bytes->data, capacity_bytes, &writer->failure);
        if (!data) return NULL;
        bytes->data = data;
        bytes->capacity_bytes = capacity_bytes;
    }
    uint8_t *end = bytes->data + bytes->n_bytes;
    bytes->n_bytes = (size_t)needed;
    return end;
}

static void put(GgufWriter *writer, Bytes *bytes, const void *data, size_t n_bytes)
{
    uint8_t *end = n_bytes > 0 ? extend(writer, bytes, n_bytes) : NULL;
    if (end) memcpy(end, data, n_bytes);
}

static void put_u32(GgufWriter *writer, Bytes *bytes, uint32_t value)
{
    put(writer, bytes, &value, sizeof value);
}

static void put_u64(GgufWriter *writer, Bytes *bytes, uint64_t value)
{
    put(writer, bytes, &value, sizeof value);
}

static void put_string(GgufWriter *writer, Bytes *bytes, StringView text)
{
    put_u64(writer, bytes, text.n_bytes);
    put(writer, bytes, text.data, text.n_bytes);
}

/* The name and type of a new key. */
static void begin_key(GgufWriter *writer, const char *key, GgufType type)
{
    assert(!writer->header.data);
    assert(writer->n_keys < GGUF_ENTRIES_MAX);
    assert(*key);
    put_string(writer, &writer->keys, view_of(key));
    put_u32(writer, &writer->keys, (uint32_t)type);
    writer->n_keys++;
}

static void put_scalar(
    GgufWriter *writer, const char *key, GgufType type, const void *value, size_t n_bytes)
{
    begin_key(writer, key, type);
    put(writer, &writer->keys, value, n_bytes);
}

void gguf_writer_u32(GgufWriter *writer, const char *key, uint32_t value)
{
    put_scalar(writer, key, GGUF_U32, &value, sizeof value);
}

void gguf_writer_u64(GgufWriter *writer, const char *key, uint64_t value)
{
    put_scalar(writer, key, GGUF_U64, &value, sizeof value);
}

void gguf_writer_i32(GgufWriter *writer, const char *key, int32_t value)
{
    put_scalar(writer, key, GGUF_I32, &value, sizeof value);
}

void gguf_writer_f32(GgufWriter *writer, const char *key, float value)
{
    put_scalar(writer, key, GGUF_F32, &value, sizeof value);
}

void gguf_writer_bool(GgufWriter *writer, const char *key, bool value)
{
    uint8_t byte = value;
    put_scalar(writer, key, GGUF_BOOL, &byte, sizeof byte);
}

void gguf_writer_string(GgufWriter *writer, const char *key, StringView value)
{
    begin_key(writer, key, GGUF_STRING);
    put_string(writer, &writer->keys, value);
}

static void begin_array(GgufWriter *writer, const char *key, GgufType element_type, size_t n)
{
    begin_key(writer, key, GGUF_ARRAY);
    put_u32(writer, &writer->keys, (uint32_t)element_type);
    put_u64(writer, &writer->keys, n);
}

void gguf_writer_strings(GgufWriter *writer, const char *key, const StringView *values, size_t n)
{
    begin_array(writer, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) put_string(writer, &writer->keys, values[i]);
}

void gguf_writer_f32s(GgufWriter *writer, const char *key, const float *values, size_t n)
{
    begin_array(writer, key, GGUF_F32, n);
    put(writer, &writer->keys, values, n * sizeof *values); // n values are in memory
}

void gguf_writer_i32s(GgufWriter *writer, const char *key, const int32_t *values, size_t n)
{
    begin_array(writer, key, GGUF_I32, n);
    put(writer, &writer->keys, values, n * sizeof *values);
}

/* Remembers where the next tensor starts. */
static bool push_offset(GgufWriter *writer)
{
    if (has_failed(writer)) return false;
    if (writer->n_tensors == writer->offsets_max) {
        size_t n = writer->offsets_max > 0 ? (size_t)writer->offsets_max * 2 : 64;
        uint64_t *offsets =
            mem_resize(MEM_OTHER, writer->offsets, n * sizeof *offsets, &writer->failure);
        if (!offsets) return false;
        writer->offsets = offsets;
        writer->offsets_max = n;
    }
    writer->offsets[writer->n_tensors++] = writer->data_bytes;
    return true;
}

/* Bytes of the data, padded. */
static bool tensor_bytes(
    QuantType type, const uint64_t *dims, uint32_t n_dims, uint64_t *out, Error *err)
{
    const QuantTraits *traits = quant_get(type);
    uint64_t n_bytes;

    if (n_dims < 1 || n_dims > GGUF_DIMS_MAX || dims[0] % traits->block_elements != 0)
        return error_set(err, ERROR_TENSOR_SHAPE,
            "%u dimensions, rows of %" PRIu64 " elements: not whole %s blocks of %u", n_dims,
            n_dims > 0 ? dims[0] : 0, traits->name, traits->block_elements);
    n_bytes = traits->block_bytes;
    for (uint32_t i = 0; i < n_dims; i++)
        if (!size_mul(n_bytes, i == 0 ? dims[i] / traits->block_elements : dims[i], &n_bytes))
            return error_set(err, ERROR_TENSOR_SHAPE, "2^64 bytes or more");
    if (n_bytes == 0 || !size_add(n_bytes, ALIGNMENT - 1, &n_bytes))
        return error_set(err, ERROR_TENSOR_SHAPE, "no elements, or 2^64 bytes or more");
    *out = size_align_down(n_bytes, ALIGNMENT);
    return true;
}

void gguf_writer_tensor(
    GgufWriter *writer, const char *name, QuantType type, const uint64_t *dims, uint32_t n_dims)
{
    uint64_t start = writer->data_bytes, n_bytes = 0, end;

    assert(!writer->header.data);
    assert(writer->n_tensors < GGUF_ENTRIES_MAX);
    assert(*name);
    assert(strlen(name) <= GGUF_TENSOR_NAME_BYTES_MAX);
    if (has_failed(writer)) return;
    if (!tensor_bytes(type, dims, n_dims, &n_bytes, &writer->failure)) {
        error_at(&writer->failure, "tensor '%s'", name);
        return;
    }
    if (!size_add(start, n_bytes, &end)) {
        error_set(&writer->failure, ERROR_TOO_LARGE, "tensor '%s': 2^64 bytes of data", name);
        return;
    }
    if (!push_offset(writer)) return;
    put_string(writer, &writer->entries, view_of(name));
    put_u32(writer, &writer->entries, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) put_u64(writer, &writer->entries, dims[i]);
    put_u32(writer, &writer->entries, (uint32_t)type);
    put_u64(writer, &writer->entries, start);
    writer->data_bytes = end;
}

static void join(GgufWriter *writer)
{
    Bytes *header = &writer->header;

    put(writer, header, "GGUF", 4);
    put_u32(writer, header, VERSION);
    put_u64(writer, header, writer->n_tensors);
    put_u64(writer, header, writer->n_keys);
    put(writer, header, writer->keys.data, writer->keys.n_bytes);
    put(writer, header, writer->entries.data, writer->entries.n_bytes);
    size_t padding = (size_t)(size_align_up(header->n_bytes, ALIGNMENT) - header->n_bytes);
    extend(writer, header, padding);
}

bool gguf_writer_header(GgufWriter *writer, const uint8_t **data, size_t *n_bytes, Error *err)
{
    if (!writer->header.data) join(writer);
    if (has_failed(writer)) {
        if (err) *err = writer->failure;
        return false;
    }
    *data = writer->header.data;
    *n_bytes = writer->header.n_bytes;
    return true;
}

uint64_t gguf_writer_data_bytes(const GgufWriter *writer)
{
    return writer->data_bytes;
}

uint64_t gguf_writer_tensor_offset(const GgufWriter *writer, size_t index)
{
    assert(index < writer->n_tensors);
    return writer->offsets[index];
}

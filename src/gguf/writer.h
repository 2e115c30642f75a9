/* Writes GGUF v3: metadata and tensor table first, then data in table order. */
#ifndef HYPURA_GGUF_WRITER_H
#define HYPURA_GGUF_WRITER_H

#include "base/error.h"
#include "base/view.h"
#include "gguf/gguf.h"

typedef struct GgufWriter GgufWriter;

/* Collects in memory (kind MEM_OTHER) until gguf_writer_header(). NULL: failed. */
CHECKED GgufWriter *gguf_writer_create(Error *err);
void gguf_writer_free(GgufWriter *writer);

/* Any failure is remembered and reported by gguf_writer_header. */
void gguf_writer_u32(GgufWriter *writer, const char *key, uint32_t value);
void gguf_writer_u64(GgufWriter *writer, const char *key, uint64_t value);
void gguf_writer_i32(GgufWriter *writer, const char *key, int32_t value);
void gguf_writer_f32(GgufWriter *writer, const char *key, float value);
void gguf_writer_bool(GgufWriter *writer, const char *key, bool value);
void gguf_writer_string(GgufWriter *writer, const char *key, StringView value);
void gguf_writer_strings(GgufWriter *writer, const char *key, const StringView *values, size_t n);
void gguf_writer_f32s(GgufWriter *writer, const char *key, const float *values, size_t n);
void gguf_writer_i32s(GgufWriter *writer, const char *key, const int32_t *values, size_t n);
/* Adds a tensor; data follows in this order, each padded to 32 bytes. */
void gguf_writer_tensor(
    GgufWriter *writer, const char *name, QuantType type, const uint64_t *dims, uint32_t n_dims);

/* The finished header, padded so that the data begins right behind it. Borrowed. */
CHECKED bool gguf_writer_header(
    GgufWriter *writer, const uint8_t **data, size_t *n_bytes, Error *err);
/* Bytes of all tensor data with padding; and where tensor `index` starts behind the header. */
uint64_t gguf_writer_data_bytes(const GgufWriter *writer);
uint64_t gguf_writer_tensor_offset(const GgufWriter *writer, size_t index);

#endif

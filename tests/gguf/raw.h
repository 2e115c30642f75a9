/* GGUF files put together byte by byte, so that tests can make wrong ones. There is one such
 * file at a time. It is opened from memory (memfd), under a memory limit of eight times its
 * size and 1 MiB: whoever wants more fails with BUDGET, which no test here expects. */
#ifndef HYPURA_TESTS_GGUF_RAW_H
#define HYPURA_TESTS_GGUF_RAW_H

#include <fcntl.h>
#include <sys/mman.h>

#include "base/ledger.h"
#include "gguf/gguf.h"
#include "harness.h"

#define RAW_BYTES_MAX (8u << 20)

static struct {
    uint8_t data[RAW_BYTES_MAX];
    size_t n_bytes;
} raw;

static inline void raw_bytes(const void *data, size_t n_bytes)
{
    if (n_bytes > RAW_BYTES_MAX - raw.n_bytes) abort();
    memcpy(raw.data + raw.n_bytes, data, n_bytes);
    raw.n_bytes += n_bytes;
}

static inline void raw_u8(uint8_t value)
{
    raw_bytes(&value, sizeof value);
}

static inline void raw_u32(uint32_t value)
{
    raw_bytes(&value, sizeof value);
}

static inline void raw_u64(uint64_t value)
{
    raw_bytes(&value, sizeof value);
}

static inline void raw_f32(float value)
{
    raw_bytes(&value, sizeof value);
}

static inline void raw_f64(double value)
{
    raw_bytes(&value, sizeof value);
}

static inline void raw_zeros(size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) raw_u8(0);
}

static inline void raw_text(const char *text)
{
    raw_u64(strlen(text));
    raw_bytes(text, strlen(text));
}

/* Starts a new file. */
static inline void raw_begin(uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    raw.n_bytes = 0;
    raw_bytes("GGUF", 4);
    raw_u32(version);
    raw_u64(n_tensors);
    raw_u64(n_keys);
}

/* The value follows. */
static inline void raw_key(const char *name, uint32_t type)
{
    raw_text(name);
    raw_u32(type);
}

static inline void raw_array(const char *name, uint32_t element_type, uint64_t n)
{
    raw_key(name, GGUF_ARRAY);
    raw_u32(element_type);
    raw_u64(n);
}

/* A matrix; the offset is relative to the data section. */
static inline void raw_tensor(
    const char *name, uint32_t type, uint64_t n_cols, uint64_t n_rows, uint64_t offset_bytes)
{
    raw_text(name);
    raw_u32(2);
    raw_u64(n_cols);
    raw_u64(n_rows);
    raw_u32(type);
    raw_u64(offset_bytes);
}

static inline void raw_pad(size_t alignment)
{
    raw_zeros(-raw.n_bytes & (alignment - 1));
}

/* Writes the bytes to `path`. */
static inline void raw_save(const char *path)
{
    FILE *stream = fopen(path, "wb");
    if (!stream || fwrite(raw.data, 1, raw.n_bytes, stream) != raw.n_bytes || fclose(stream) != 0)
        abort();
}

/* Opens the first n_bytes of the file. */
static inline GgufFile *raw_open_part(size_t n_bytes, GgufNeed need, Error *err)
{
    int fd = memfd_create("raw", MFD_CLOEXEC);
    char path[64];

    if (fd < 0 || write(fd, raw.data, n_bytes) != (ssize_t)n_bytes) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ledger_set_limit(ledger_total() + 8 * n_bytes + (1u << 20));
    GgufFile *gguf = gguf_open(path, need, NULL, 0, err);
    ledger_set_limit(0);
    close(fd);
    return gguf;
}

static inline GgufFile *raw_open(GgufNeed need, Error *err)
{
    return raw_open_part(raw.n_bytes, need, err);
}

/* The file must be refused, in this mode, with this id and these words, nothing kept. */
static inline void raw_check_refused_as(
    const char *label, GgufNeed need, ErrorId id, const char *words)
{
    uint64_t held_bytes = ledger_total();
    Error err = {0};
    GgufFile *gguf = raw_open(need, &err);

    bool is_refused = !gguf && err.id == id && strstr(err.message, words);
    CHECK_CASE(label, is_refused);
    if (!is_refused) printf("    got E%04d '%s'\n", (int)err.id, err.message);
    CHECK_CASE(label, error_exit_status(err.id) == 3);
    gguf_close(gguf);
    CHECK_CASE(label, ledger_total() == held_bytes);
}

static inline void raw_check_refused(const char *label, ErrorId id, const char *words)
{
    raw_check_refused_as(label, GGUF_TENSOR_DATA, id, words);
    if (id != ERROR_TENSOR_OFFSET) raw_check_refused_as(label, GGUF_METADATA_ONLY, id, words);
}

static inline void raw_check_opens(const char *label)
{
    Error err = {0};
    GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);

    CHECK_CASE(label, gguf);
    if (!gguf) printf("    got E%04d '%s'\n", (int)err.id, err.message);
    gguf_close(gguf);
}

/* A small file that is right: every value type, two tensors. */
#define RAW_SMALL_DATA_BYTES (128 + 20)

static inline void raw_make_small(void)
{
    raw_begin(3, 2, 16);
    raw_key("general.architecture", GGUF_STRING);
    raw_text("llama");
    raw_key("a.u8", GGUF_U8);
    raw_u8(200);
    raw_key("a.i8", GGUF_I8);
    raw_u8(0x80);
    raw_key("a.u16", GGUF_U16);
    raw_bytes("\xff\xff", 2);
    raw_key("a.i16", GGUF_I16);
    raw_bytes("\xfe\xff", 2);
    raw_key("a.u32", GGUF_U32);
    raw_u32(4000000000u);
    raw_key("a.i32", GGUF_I32);
    raw_u32(0xffffffffu);
    raw_key("a.u64", GGUF_U64);
    raw_u64(UINT64_MAX);
    raw_key("a.i64", GGUF_I64);
    raw_u64(UINT64_C(1) << 63);
    raw_key("a.f32", GGUF_F32);
    raw_f32(0.5f);
    raw_key("a.f64", GGUF_F64);
    raw_f64(1e300);
    raw_key("a.bool", GGUF_BOOL);
    raw_u8(1);
    raw_array("b.strings", GGUF_STRING, 3);
    raw_text("one");
    raw_text("");
    raw_text("three");
    raw_array("b.i32", GGUF_I32, 2);
    raw_u32(7);
    raw_u32(0xfffffff9u);
    raw_array("b.bools", GGUF_BOOL, 3);
    raw_u8(0);
    raw_u8(1);
    raw_u8(1);
    raw_array("b.none", GGUF_F32, 0);
    raw_tensor("x.weight", QUANT_Q4_0, 64, 3, 0);
    raw_tensor("y.weight", QUANT_F32, 5, 1, 128);
    raw_pad(32);
    raw_zeros(RAW_SMALL_DATA_BYTES);
}

#endif

/* Typed access to metadata: whoever asks names the type and gets that, or an error. No
 * caller ever casts header bytes.
 *
 * Integers of every type pass through one form (sign and two's complement), so that every
 * width is accepted where the value fits, and nothing is truncated. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gguf/internal.h"

static uint32_t load_u32(const uint8_t *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof value);
    return value;
}

static uint64_t load_u64(const uint8_t *data)
{
    uint64_t value;
    memcpy(&value, data, sizeof value);
    return value;
}

static float load_f32(const uint8_t *data)
{
    float value;
    memcpy(&value, data, sizeof value);
    return value;
}

static double load_f64(const uint8_t *data)
{
    double value;
    memcpy(&value, data, sizeof value);
    return value;
}

/* How many bytes an integer has, and whether it is signed; 0: not an integer. */
static uint32_t integer_bytes(GgufType type, bool *is_signed)
{
    *is_signed = type == GGUF_I8 || type == GGUF_I16 || type == GGUF_I32 || type == GGUF_I64;
    switch (type) {
    case GGUF_U8:
    case GGUF_I8: return 1;
    case GGUF_U16:
    case GGUF_I16: return 2;
    case GGUF_U32:
    case GGUF_I32: return 4;
    case GGUF_U64:
    case GGUF_I64: return 8;
    case GGUF_F32:
    case GGUF_BOOL:
    case GGUF_STRING:
    case GGUF_ARRAY:
    case GGUF_F64:
    case GGUF_TYPES: return 0;
    }
    return 0;
}

/* Two's complement, widened to 64 bits; false: not an integer. */
static bool load_integer(const GgufKey *key, uint64_t *bits, bool *is_negative)
{
    bool is_signed;
    uint32_t n_bytes = integer_bytes(key->type, &is_signed);
    uint64_t value = 0;

    if (n_bytes == 0) return false;
    memcpy(&value, key->data, n_bytes); // little-endian: the low bytes
    uint64_t sign = UINT64_C(1) << (n_bytes * 8 - 1);
    *is_negative = is_signed && (value & sign);
    *bits = *is_negative ? value | ~(sign | (sign - 1)) : value;
    return true;
}

static const GgufKey *find(const GgufFile *gguf, const char *key)
{
    return gguf_metadata_find(&gguf->headers[0].metadata, view_of(key));
}

static GgufPresence refuse_type(const GgufKey *key, const char *wanted, Error *err)
{
    bool is_array = key->type == GGUF_ARRAY;

    error_set(err, ERROR_KEY_TYPE, "key '%.*s' is %s%s, not %s", GGUF_SHOWN(key->name),
        is_array ? "an array of " : "", gguf_type_name(key->element_type), wanted);
    return GGUF_BAD;
}

GgufPresence gguf_metadata_u64(
    const GgufMetadata *metadata, const char *name, uint64_t max, uint64_t *out, Error *err)
{
    const GgufKey *key = gguf_metadata_find(metadata, view_of(name));
    bool is_negative;
    uint64_t bits;

    if (!key) return GGUF_ABSENT;
    if (!load_integer(key, &bits, &is_negative)) return refuse_type(key, "an integer", err);
    if (is_negative || bits > max) {
        char found[24];
        if (is_negative)
            snprintf(found, sizeof found, "-%" PRIu64, -bits);
        else
            snprintf(found, sizeof found, "%" PRIu64, bits);
        error_set(err, ERROR_KEY_RANGE, "key '%s' is %s, not 0 to %" PRIu64, name, found, max);
        return GGUF_BAD;
    }
    *out = bits;
    return GGUF_PRESENT;
}

GgufPresence gguf_get_u64(const GgufFile *gguf, const char *key, uint64_t *out, Error *err)
{
    return gguf_metadata_u64(&gguf->headers[0].metadata, key, UINT64_MAX, out, err);
}

GgufPresence gguf_get_u32(const GgufFile *gguf, const char *key, uint32_t *out, Error *err)
{
    uint64_t value;
    GgufPresence presence =
        gguf_metadata_u64(&gguf->headers[0].metadata, key, UINT32_MAX, &value, err);

    if (presence == GGUF_PRESENT) *out = (uint32_t)value;
    return presence;
}

GgufPresence gguf_get_i64(const GgufFile *gguf, const char *name, int64_t *out, Error *err)
{
    const GgufKey *key = find(gguf, name);
    bool is_negative;
    uint64_t bits;

    if (!key) return GGUF_ABSENT;
    if (!load_integer(key, &bits, &is_negative)) return refuse_type(key, "an integer", err);
    if (!is_negative && bits > INT64_MAX) {
        error_set(
            err, ERROR_KEY_RANGE, "key '%s' is %" PRIu64 ", above %" PRId64, name, bits, INT64_MAX);
        return GGUF_BAD;
    }
    memcpy(out, &bits, sizeof *out);
    return GGUF_PRESENT;
}

GgufPresence gguf_get_f32(const GgufFile *gguf, const char *name, float *out, Error *err)
{
    const GgufKey *key = find(gguf, name);

    if (!key) return GGUF_ABSENT;
    if (key->type == GGUF_F32) {
        *out = load_f32(key->data);
        return GGUF_PRESENT;
    }
    if (key->type != GGUF_F64) return refuse_type(key, "a float", err);

    double wide = load_f64(key->data);
    float value = (float)wide;
    if (isfinite(wide) && !isfinite(value)) {
        error_set(err, ERROR_KEY_RANGE, "key '%s' is %g, too large for a float32", name, wide);
        return GGUF_BAD;
    }
    *out = value;
    return GGUF_PRESENT;
}

GgufPresence gguf_get_bool(const GgufFile *gguf, const char *name, bool *out, Error *err)
{
    const GgufKey *key = find(gguf, name);

    if (!key) return GGUF_ABSENT;
    if (key->type != GGUF_BOOL) return refuse_type(key, "bool", err);
    *out = key->data[0] != 0;
    return GGUF_PRESENT;
}

GgufPresence gguf_get_string(const GgufFile *gguf, const char *name, StringView *out, Error *err)
{
    const GgufKey *key = find(gguf, name);

    if (!key) return GGUF_ABSENT;
    if (key->type != GGUF_STRING) return refuse_type(key, "a string", err);
    *out = (StringView){.data = (const char *)key->data, .n_bytes = (size_t)key->n_bytes};
    return GGUF_PRESENT;
}

static GgufPresence check_fits_i32(const GgufKey *key, Error *err)
{
    for (uint64_t i = 0; i < key->n; i++) {
        uint32_t value = load_u32(key->data + 4 * i);
        if (value <= INT32_MAX) continue;
        error_set(err, ERROR_KEY_RANGE, "key '%.*s': element %" PRIu64 " is %u, above %d",
            GGUF_SHOWN(key->name), i, value, INT32_MAX);
        return GGUF_BAD;
    }
    return GGUF_PRESENT;
}

GgufPresence gguf_get_array(
    const GgufFile *gguf, const char *name, GgufType element_type, GgufArray *out, Error *err)
{
    const GgufKey *key = find(gguf, name);

    if (!key) return GGUF_ABSENT;
    bool is_u32_for_i32 = element_type == GGUF_I32 && key->element_type == GGUF_U32;
    if (key->type != GGUF_ARRAY || (key->element_type != element_type && !is_u32_for_i32)) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "an array of %s", gguf_type_name(element_type));
        return refuse_type(key, wanted, err);
    }
    if (is_u32_for_i32 && check_fits_i32(key, err) == GGUF_BAD) return GGUF_BAD;
    *out = (GgufArray){
        .element_type = key->element_type, .n = key->n, .data = key->data, .n_bytes = key->n_bytes};
    return GGUF_PRESENT;
}

bool gguf_array_next_string(const GgufArray *array, uint64_t *cursor, StringView *out)
{
    assert(array->element_type == GGUF_STRING);
    if (*cursor >= array->n_bytes) return false;

    uint64_t n_bytes = load_u64(array->data + *cursor); // all lengths were checked on reading
    *out =
        (StringView){.data = (const char *)array->data + *cursor + 8, .n_bytes = (size_t)n_bytes};
    *cursor += 8 + n_bytes;
    return true;
}

float gguf_array_f32(const GgufArray *array, uint64_t index)
{
    assert(array->element_type == GGUF_F32);
    assert(index < array->n);
    return load_f32(array->data + 4 * index);
}

int32_t gguf_array_i32(const GgufArray *array, uint64_t index)
{
    assert(array->element_type == GGUF_I32 || array->element_type == GGUF_U32);
    assert(index < array->n);
    return (int32_t)load_u32(array->data + 4 * index);
}

/*
 * JSON with jansson, whose memory comes from mem_alloc(MEM_OTHER, ...), so that a request
 * is inside the budget like anything else. A Json is a json_t under another name: no code
 * outside this file includes jansson.h.
 *
 * What fails while a document is made is remembered per thread and told by json_write;
 * the document itself then has a null or a hole in its place and is never shown.
 */
#include "base/json.h"

// jansson has a json_object() too. Its declaration is renamed out of the way, and an empty
// object is made by json_pack.
#undef json_object
#define json_object jansson_json_object
#include <jansson.h>
#undef json_object
#define json_object hypura_json_object
#undef json_is_null
#undef json_is_integer
#undef json_is_number
#undef json_is_object

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

static _Thread_local bool has_failed;

static void *allocate(size_t n_bytes)
{
    void *data = mem_alloc(MEM_OTHER, n_bytes, NULL);

    if (!data) has_failed = true;
    return data;
}

static void release(void *data)
{
    mem_free(MEM_OTHER, data);
}

// jansson keeps its allocators in global variables: they are set before any thread runs.
__attribute__((constructor)) static void set_allocators(void)
{
    json_set_alloc_funcs(allocate, release);
}

static json_t *theirs(const Json *value)
{
    return (json_t *)(uintptr_t)value; // jansson's readers take pointers without const
}

static Json *ours(json_t *value)
{
    return (Json *)value;
}

bool json_available(void)
{
    return true;
}

Json *json_object(void)
{
    return ours(json_pack("{}"));
}

Json *json_list(void)
{
    return ours(json_array());
}

/* Text with U+FFFD for what is ill-formed; NULL: failed. The caller releases it. */
static char *repair_text(StringView text, size_t *n_bytes)
{
    char *out = mem_alloc_array(MEM_OTHER, text.n_bytes + 1, 3, NULL);
    size_t n_out = 0;

    if (!out) {
        has_failed = true;
        return NULL;
    }
    for (size_t i = 0; i < text.n_bytes;) {
        uint32_t code_point;
        char character[4];
        i += utf8_decode(text.data + i, text.n_bytes - i, &code_point);
        size_t n = utf8_from_code_point(code_point, character);
        memcpy(out + n_out, character, n);
        n_out += n;
    }
    *n_bytes = n_out;
    return out;
}

static void set_member(Json *object, const char *key, Json *value)
{
    if (json_object_set_new_nocheck(theirs(object), key, theirs(value)) != 0) has_failed = true;
}

void json_set(Json *object, const char *key, Json *value)
{
    size_t key_bytes = strlen(key);

    if (!value) value = ours(json_null());
    if (utf8_is_valid(key, key_bytes)) {
        set_member(object, key, value);
        return;
    }
    char *repaired = repair_text((StringView){key, key_bytes}, &key_bytes);
    if (repaired)
        set_member(object, repaired, value);
    else
        json_free(value);
    mem_free(MEM_OTHER, repaired);
}

void json_add(Json *list, Json *value)
{
    if (!value) value = ours(json_null());
    if (json_array_append_new(theirs(list), theirs(value)) != 0) has_failed = true;
}

void json_set_u64(Json *object, const char *key, uint64_t value)
{
    json_set(object, key, json_u64(value));
}

void json_set_f64(Json *object, const char *key, double value)
{
    json_set(object, key, json_f64(value));
}

void json_set_bool(Json *object, const char *key, bool value)
{
    json_set(object, key, json_bool(value));
}

void json_set_text(Json *object, const char *key, StringView value)
{
    json_set(object, key, json_text(value));
}

Json *json_u64(uint64_t value)
{
    return value <= INT64_MAX ? json_i64((int64_t)value) : json_f64((double)value);
}

Json *json_i64(int64_t value)
{
    return ours(json_integer(value));
}

Json *json_f64(double value)
{
    return ours(isfinite(value) ? json_real(value) : json_null());
}

Json *json_bool(bool value)
{
    return ours(json_boolean(value));
}

Json *json_text(StringView value)
{
    if (value.n_bytes == 0) return ours(json_stringn_nocheck("", 0));
    if (utf8_is_valid(value.data, value.n_bytes))
        return ours(json_stringn_nocheck(value.data, value.n_bytes));

    size_t n_bytes = 0;
    char *repaired = repair_text(value, &n_bytes);
    Json *text = repaired ? ours(json_stringn_nocheck(repaired, n_bytes)) : NULL;
    mem_free(MEM_OTHER, repaired);
    return text;
}

Json *json_parse(StringView text, Error *err)
{
    json_error_t reason;
    bool had_failed = has_failed;

    has_failed = false;
    json_t *value = json_loadb(
        text.data ? text.data : "", text.n_bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, &reason);
    if (!value && has_failed)
        error_set(err, ERROR_OUT_OF_MEMORY, "JSON of %zu bytes", text.n_bytes);
    else if (!value)
        error_set(err, ERROR_USAGE, "not JSON: line %d, column %d: %s", reason.line, reason.column,
            reason.text);
    has_failed = had_failed;
    return ours(value);
}

const Json *json_get(const Json *object, const char *key)
{
    return ours(json_object_get(theirs(object), key));
}

const Json *json_at(const Json *list, size_t index)
{
    return ours(json_array_get(theirs(list), index));
}

size_t json_count(const Json *list)
{
    return json_array_size(theirs(list));
}

const Json *json_next_member(const Json *object, void **cursor, StringView *key)
{
    *cursor =
        *cursor ? json_object_iter_next(theirs(object), *cursor) : json_object_iter(theirs(object));
    if (!*cursor) return NULL;
    *key = (StringView){json_object_iter_key(*cursor), json_object_iter_key_len(*cursor)};
    return ours(json_object_iter_value(*cursor));
}

static bool has_type(const Json *value, json_type type)
{
    return value && json_typeof(theirs(value)) == type;
}

bool json_is_null(const Json *value)
{
    return has_type(value, JSON_NULL);
}

bool json_is_text(const Json *value)
{
    return has_type(value, JSON_STRING);
}

bool json_is_bool(const Json *value)
{
    return has_type(value, JSON_TRUE) || has_type(value, JSON_FALSE);
}

bool json_is_integer(const Json *value)
{
    return has_type(value, JSON_INTEGER);
}

bool json_is_number(const Json *value)
{
    return has_type(value, JSON_INTEGER) || has_type(value, JSON_REAL);
}

bool json_is_object(const Json *value)
{
    return has_type(value, JSON_OBJECT);
}

bool json_is_list(const Json *value)
{
    return has_type(value, JSON_ARRAY);
}

StringView json_get_text(const Json *value)
{
    if (!json_is_text(value)) return (StringView){0};
    return (StringView){json_string_value(theirs(value)), json_string_length(theirs(value))};
}

double json_get_number(const Json *value, double fallback)
{
    return json_is_number(value) ? json_number_value(theirs(value)) : fallback;
}

int64_t json_get_i64(const Json *value, int64_t fallback)
{
    return json_is_integer(value) ? json_integer_value(theirs(value)) : fallback;
}

bool json_get_bool(const Json *value, bool fallback)
{
    return json_is_bool(value) ? json_typeof(theirs(value)) == JSON_TRUE : fallback;
}

bool json_is_same(const Json *a, const Json *b)
{
    bool has_a = a && !json_is_null(a), has_b = b && !json_is_null(b);

    return has_a && has_b ? json_equal(theirs(a), theirs(b)) : has_a == has_b;
}

Json *json_share(const Json *value)
{
    return ours(json_incref(theirs(value)));
}

bool json_write(const Json *value, FILE *stream, Error *err)
{
    bool is_whole = value && !has_failed;

    errno = 0;
    if (is_whole)
        is_whole = json_dumpf(theirs(value), stream, JSON_ENCODE_ANY | JSON_PRESERVE_ORDER) == 0
                   && fputc('\n', stream) != EOF && fflush(stream) == 0;
    bool lacks_memory = has_failed || !value;
    has_failed = false;
    if (is_whole) return true;
    if (lacks_memory) return error_set(err, ERROR_OUT_OF_MEMORY, "a JSON document");
    return error_set(err, ERROR_OUTPUT, "a JSON document: %s", strerror(errno));
}

char *json_line(const Json *value, size_t *n_bytes, Error *err)
{
    bool is_whole = value && !has_failed;
    char *text = is_whole ? json_dumps(theirs(value), JSON_ENCODE_ANY | JSON_PRESERVE_ORDER) : NULL;
    size_t n = text ? strlen(text) : 0; // a NUL within is written as \u0000
    char *line = text ? mem_resize(MEM_OTHER, text, n + 2, NULL) : NULL;

    has_failed = false;
    if (!line) {
        mem_free(MEM_OTHER, text);
        error_set(err, ERROR_OUT_OF_MEMORY, "a JSON document");
        return NULL;
    }
    line[n] = '\n';
    *n_bytes = n + 1;
    return line;
}

void json_free(Json *value)
{
    json_decref(theirs(value));
}

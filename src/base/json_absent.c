/*
 * JSON in a build without jansson: makers give NULL, readers find nothing, and the two
 * functions at the ends say which library is missing. Callers need no #if of their own.
 */
#include "base/json.h"

bool json_available(void)
{
    return false;
}

static bool set_absent(Error *err)
{
    return error_set(err, ERROR_ABSENT_FEATURE, "JSON needs the jansson library");
}

Json *json_parse(StringView text, Error *err)
{
    (void)text;
    set_absent(err);
    return NULL;
}

bool json_write(const Json *value, FILE *stream, Error *err)
{
    (void)value;
    (void)stream;
    return set_absent(err);
}

char *json_line(const Json *value, size_t *n_bytes, Error *err)
{
    (void)value;
    (void)n_bytes;
    set_absent(err);
    return NULL;
}

Json *json_object(void)
{
    return NULL;
}

Json *json_list(void)
{
    return NULL;
}

void json_set(Json *object, const char *key, Json *value)
{
    (void)object;
    (void)key;
    (void)value;
}

void json_add(Json *list, Json *value)
{
    (void)list;
    (void)value;
}

void json_set_u64(Json *object, const char *key, uint64_t value)
{
    (void)object;
    (void)key;
    (void)value;
}

void json_set_f64(Json *object, const char *key, double value)
{
    (void)object;
    (void)key;
    (void)value;
}

void json_set_bool(Json *object, const char *key, bool value)
{
    (void)object;
    (void)key;
    (void)value;
}

void json_set_text(Json *object, const char *key, StringView value)
{
    (void)object;
    (void)key;
    (void)value;
}

Json *json_u64(uint64_t value)
{
    (void)value;
    return NULL;
}

Json *json_i64(int64_t value)
{
    (void)value;
    return NULL;
}

Json *json_f64(double value)
{
    (void)value;
    return NULL;
}

Json *json_bool(bool value)
{
    (void)value;
    return NULL;
}

Json *json_text(StringView value)
{
    (void)value;
    return NULL;
}

const Json *json_get(const Json *object, const char *key)
{
    (void)object;
    (void)key;
    return NULL;
}

const Json *json_at(const Json *list, size_t index)
{
    (void)list;
    (void)index;
    return NULL;
}

size_t json_count(const Json *list)
{
    (void)list;
    return 0;
}

const Json *json_next_member(const Json *object, void **cursor, StringView *key)
{
    (void)object;
    (void)cursor;
    (void)key;
    return NULL;
}

bool json_is_null(const Json *value)
{
    (void)value;
    return false;
}

bool json_is_text(const Json *value)
{
    (void)value;
    return false;
}

bool json_is_bool(const Json *value)
{
    (void)value;
    return false;
}

bool json_is_integer(const Json *value)
{
    (void)value;
    return false;
}

bool json_is_number(const Json *value)
{
    (void)value;
    return false;
}

bool json_is_object(const Json *value)
{
    (void)value;
    return false;
}

bool json_is_list(const Json *value)
{
    (void)value;
    return false;
}

StringView json_get_text(const Json *value)
{
    (void)value;
    return (StringView){0};
}

double json_get_number(const Json *value, double fallback)
{
    (void)value;
    return fallback;
}

int64_t json_get_i64(const Json *value, int64_t fallback)
{
    (void)value;
    return fallback;
}

bool json_get_bool(const Json *value, bool fallback)
{
    (void)value;
    return fallback;
}

bool json_is_same(const Json *a, const Json *b)
{
    (void)a;
    (void)b;
    return true;
}

Json *json_share(const Json *value)
{
    (void)value;
    return NULL;
}

void json_free(Json *value)
{
    (void)value;
}

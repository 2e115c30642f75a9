/* JSON values, made and read with jansson (docs/adr/0003). In a build without it every
 * maker returns NULL, json_available() is false, and json_parse/json_write fail by name. */
#ifndef HYPURA_BASE_JSON_H
#define HYPURA_BASE_JSON_H

#include <stdio.h>

#include "base/error.h"
#include "base/view.h"

typedef struct Json Json; // reference of its own; NULL is accepted by every function

bool json_available(void);

// A static link brings a function of this name with libjansson.a.
#define json_object hypura_json_object
Json *json_object(void);
Json *json_list(void);
/* Each takes over `value` (NULL becomes null; a NULL container frees it). Builders need no
 * checks: json_write and json_line report an allocation of JSON that failed in this thread since
 * the last of them. So a document is made and written by one thread, one at a time. */
void json_set(Json *object, const char *key, Json *value);
void json_add(Json *list, Json *value);
void json_set_u64(Json *object, const char *key, uint64_t value);
void json_set_f64(Json *object, const char *key, double value); // not finite: null
void json_set_bool(Json *object, const char *key, bool value);
void json_set_text(Json *object, const char *key, StringView value); // invalid UTF-8: replaced
Json *json_u64(uint64_t value); // above 2^63 - 1: the nearest double
Json *json_i64(int64_t value);
Json *json_f64(double value);
Json *json_bool(bool value);
Json *json_text(StringView value);

/* One value of any type, with nothing behind it; caller frees. NULL: `err` is USAGE with
 * line and column, OUT_OF_MEMORY or ABSENT_FEATURE. Of equal keys the last one counts. */
CHECKED Json *json_parse(StringView text, Error *err);

/* Reading. Borrowed results; NULL or the fallback when absent or of another type. */
const Json *json_get(const Json *object, const char *key);
const Json *json_at(const Json *list, size_t index);
size_t json_count(const Json *list);
/* The members of an object in the order in which they came: start with a NULL cursor, and
 * go on until NULL. `key` is borrowed from the object. */
const Json *json_next_member(const Json *object, void **cursor, StringView *key);
bool json_is_null(const Json *value); // the value null; false for NULL
bool json_is_text(const Json *value);
bool json_is_bool(const Json *value);
bool json_is_integer(const Json *value);
bool json_is_number(const Json *value); // integer or not
bool json_is_object(const Json *value);
bool json_is_list(const Json *value);
StringView json_get_text(const Json *value); // of a string value, else empty
double json_get_number(const Json *value, double fallback);
int64_t json_get_i64(const Json *value, int64_t fallback);
bool json_get_bool(const Json *value, bool fallback);
/* Of equal type and content, down to the last member; null is the same as absent. */
bool json_is_same(const Json *a, const Json *b);
Json *json_share(const Json *value); // the same value once more, for a document; NULL for NULL

/* One document in one line, and a newline, flushed. False: it is not whole (OUTPUT,
 * ABSENT_FEATURE or OUT_OF_MEMORY). */
CHECKED bool json_write(const Json *value, FILE *stream, Error *err);
/* The same as text, the newline included; the caller frees it with mem_free(MEM_OTHER, …). NULL:
 * OUT_OF_MEMORY or ABSENT_FEATURE. */
CHECKED char *json_line(const Json *value, size_t *n_bytes, Error *err);
void json_free(Json *value);

#endif

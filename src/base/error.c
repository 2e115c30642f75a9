/*
 * Messages are formatted into a buffer of their own first, so that an argument may point
 * into the Error that is being filled; then they pass printable_copy, so that nothing
 * from a file reaches a terminal unescaped. A message that is too long is cut at its
 * end: the places in front of it, which the callers add, are what a user acts on.
 */
#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

// Wrapped for the analyzer, which sees one file at a time (cmake/analyzer.h).
#undef error_set
#undef error_at

typedef struct ErrorTraits {
    ErrorId id;
    int exit_status;
    const char *hint; // NULL: none
} ErrorTraits;

#define X(number, name, exit_status, http_status, hint) {ERROR_##name, exit_status, hint},
static const ErrorTraits error_traits[] = {
#include "base/errors.def"
};
#undef X

static const ErrorTraits *find_traits(ErrorId id)
{
    for (size_t i = 0; i < COUNT(error_traits); i++)
        if (error_traits[i].id == id) return &error_traits[i];
    return NULL;
}

/* Formats and escapes into `out`; returns the bytes written without the NUL. */
static size_t format_printable(char *out, size_t out_bytes, const char *format, va_list arguments)
    PRINTF(3, 0);

static size_t format_printable(char *out, size_t out_bytes, const char *format, va_list arguments)
{
    char text[ERROR_MESSAGE_BYTES];
    int n = vsnprintf(text, sizeof(text), format, arguments);
    size_t n_bytes = n < 0 ? 0 : (size_t)n;

    if (n_bytes >= sizeof(text)) n_bytes = sizeof(text) - 1; // half a character finds no room
    return printable_copy(out, out_bytes, text, n_bytes);
}

bool error_set(Error *err, ErrorId id, const char *format, ...)
{
    va_list arguments;
    char message[ERROR_MESSAGE_BYTES];

    assert(id != ERROR_NONE);
    if (!err) return false;
    va_start(arguments, format);
    size_t n_bytes = format_printable(message, sizeof(message), format, arguments);
    va_end(arguments);
    err->id = id;
    memcpy(err->message, message, n_bytes + 1);
    return false;
}

bool error_at(Error *err, const char *format, ...)
{
    va_list arguments;
    char message[ERROR_MESSAGE_BYTES];

    if (!err) return false;
    va_start(arguments, format);
    size_t n_bytes = format_printable(message, sizeof(message) - 2, format, arguments);
    va_end(arguments);
    memcpy(message + n_bytes, ": ", 2);
    n_bytes += 2;
    n_bytes += printable_copy(
        message + n_bytes, sizeof(message) - n_bytes, err->message, strlen(err->message));
    memcpy(err->message, message, n_bytes + 1);
    return false;
}

int error_exit_status(ErrorId id)
{
    const ErrorTraits *traits = find_traits(id);
    return traits ? traits->exit_status : 1;
}

const char *error_hint(ErrorId id)
{
    const ErrorTraits *traits = find_traits(id);
    return traits ? traits->hint : NULL;
}

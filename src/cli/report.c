/* The one place where the program says that something failed. Messages arrive safe for a
 * terminal: error_set() has shown their control characters as \xNN. */
#include "cli/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/verb.h"

static int report(
    const char *what, const char *message, int number, const char *hint, int exit_status)
{
    fprintf(stderr, "hypura: %s: %s [E%04d]\n", what, message, number);
    if (hint && *hint) fprintf(stderr, "  try: %s\n", hint);
    return exit_status;
}

int report_error(const char *what, const Error *err)
{
    return report_error_with_hint(what, err, NULL);
}

int report_error_with_hint(const char *what, const Error *err, const char *hint)
{
    char help[32];
    Verb verb;

    if (!hint || !*hint) {
        hint = error_hint(err->id);
        snprintf(help, sizeof help, "hypura help %s", what);
        if (err->id == ERROR_USAGE && verb_find(what, &verb)) hint = help;
    }
    return report(what, err->message, (int)err->id, hint, error_exit_status(err->id));
}

int report_api_error(const char *what, const hypura_error *err)
{
    return report(what, err->message, err->number, err->hint, err->exit_status);
}

void report_to_api(hypura_error *out, const Error *err)
{
    *out = (hypura_error){.number = (int)err->id,
        .exit_status = error_exit_status(err->id),
        .hint = error_hint(err->id)};
    snprintf(out->message, sizeof out->message, "%s", err->message);
}

ErrorId report_write_error_id(int error_number, ErrorId otherwise)
{
    return error_number == ENOSPC || error_number == EDQUOT ? ERROR_DISK_FULL : otherwise;
}

int report_usage(const char *what, const char *hint, const char *format, ...)
{
    char text[ERROR_MESSAGE_BYTES];
    Error err = {0};
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(&err, ERROR_USAGE, "%s", text);
    return report_error_with_hint(what, &err, hint);
}

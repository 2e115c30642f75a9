/* One error object for everything that can fail (docs/adr/0001). The function that
 * detects a failure says why; each caller that knows where puts it in front. */
#ifndef HYPURA_BASE_ERROR_H
#define HYPURA_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECKED                           __attribute__((warn_unused_result))
#define PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define COUNT(array)                      (sizeof(array) / sizeof((array)[0]))

#define ERROR_MESSAGE_BYTES 768

// X(number, NAME, exit status, HTTP status, default hint)
typedef enum ErrorId {
    ERROR_NONE = 0,
#define X(number, name, exit_status, http_status, hint) ERROR_##name = number,
#include "base/errors.def"
#undef X
} ErrorId;

typedef struct Error {
    ErrorId id;
    char message[ERROR_MESSAGE_BYTES]; // valid UTF-8, no control characters, NUL-terminated
} Error;

/* Fills `err` (may be NULL) and returns false, so that a failure is one line. Bytes
 * that a terminal would act on are shown as \xNN; a long message is cut. */
bool error_set(Error *err, ErrorId id, const char *format, ...) PRINTF(3, 4);

/* Puts "<where>: " in front of the message of `err` (may be NULL) and returns false. */
bool error_at(Error *err, const char *format, ...) PRINTF(2, 3);

/* The exit status that the command line gives an error; 1 for an unknown id. */
int error_exit_status(ErrorId id);

/* What the user can do about it; NULL where there is nothing to say. */
const char *error_hint(ErrorId id);

#endif

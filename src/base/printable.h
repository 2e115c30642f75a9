/* Text from outside made safe for a terminal, a log and a message. */
#ifndef HYPURA_BASE_PRINTABLE_H
#define HYPURA_BASE_PRINTABLE_H

#include <stddef.h>

/*
 * Copies `data` to `out` (out_bytes at least 1, always NUL-terminated) and returns the
 * bytes written without the NUL. Each byte of a control character, of a character that
 * turns the direction of writing, and of ill-formed UTF-8 becomes \xNN. What does not
 * fit is cut before a character. `out` must not overlap `data`.
 */
size_t printable_copy(char *out, size_t out_bytes, const char *data, size_t n_bytes);

#endif

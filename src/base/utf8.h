/* UTF-8 as the Unicode standard defines it (section 3.9, table 3-7). */
#ifndef HYPURA_BASE_UTF8_H
#define HYPURA_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFDu

/* Decodes one character at data[0..n_bytes), n_bytes at least 1. Returns the bytes used
 * (1 to 4). An ill-formed sequence gives U+FFFD and uses its maximal subpart. */
size_t utf8_decode(const char *data, size_t n_bytes, uint32_t *code_point);

/* Writes 1 to 4 bytes; `code_point` must be a scalar value (asserted). */
size_t utf8_from_code_point(uint32_t code_point, char out[4]);

/* Bytes at the end of `data` that begin a character but do not end it (0 to 3). */
size_t utf8_incomplete_tail(const char *data, size_t n_bytes);

bool utf8_is_valid(const char *data, size_t n_bytes);

#endif

/*
 * A name in a model file may hold anything: escape sequences that move the cursor, marks
 * that write from right to left, half a character. All messages and log lines pass
 * through here, so that what reaches a terminal is text.
 *
 * The backslash itself is left alone: paths and earlier escapes stay readable, and a
 * text that is escaped twice does not change the second time.
 */
#include "base/printable.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool is_acted_upon(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) // C0, DEL, C1
           || code_point == 0x200e || code_point == 0x200f                // direction marks
           || (code_point >= 0x2028 && code_point <= 0x202e) // separators, embeddings, overrides
           || (code_point >= 0x2066 && code_point <= 0x2069) // isolates
           || code_point == 0xfeff;
}

size_t printable_copy(char *out, size_t out_bytes, const char *data, size_t n_bytes)
{
    size_t n_out = 0;

    assert(out_bytes > 0);
    for (size_t i = 0; i < n_bytes;) {
        uint32_t code_point = 0;
        size_t n_used = utf8_decode(data + i, n_bytes - i, &code_point);
        bool is_literal_replacement = n_used == 3 && memcmp(data + i, "\xef\xbf\xbd", 3) == 0;
        bool escape = is_acted_upon(code_point)
                      || (code_point == UTF8_REPLACEMENT && !is_literal_replacement);
        size_t n_wanted = escape ? 4 * n_used : n_used;

        if (n_wanted >= out_bytes - n_out) break;
        for (size_t k = 0; escape && k < n_used; k++)
            snprintf(out + n_out + 4 * k, 5, "\\x%02x", (unsigned char)data[i + k]);
        if (!escape) memcpy(out + n_out, data + i, n_used);
        n_out += n_wanted;
        i += n_used;
    }
    out[n_out] = '\0';
    return n_out;
}

/* Looks up a character's class: ASCII directly, the rest by halving the list of runs. */
#include "text/unicode.h"

#include <assert.h>

uint8_t unicode_class(uint32_t code_point)
{
    assert(code_point < 0x110000);
    if (code_point < 128) return unicode_ascii[code_point];

    // The answer stands in the last run that begins at or before the code point.
    uint32_t first = 0, n = unicode_n_runs;
    while (n > 1) {
        uint32_t half = n / 2;
        if (unicode_runs[first + half] >> 8 <= code_point) first += half;
        n -= half;
    }
    return (uint8_t)(unicode_runs[first] & 0xff);
}

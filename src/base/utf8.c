/*
 * The Unicode standard 15.0, section 3.9: table 3-7 lists the well-formed sequences, and
 * "U+FFFD substitution of maximal subparts" says how many bytes an ill-formed one takes:
 * the longest start of a well-formed sequence, else one byte. Surrogates, overlong forms
 * and values above U+10FFFF are ill-formed by the range of their second byte.
 */
#include "base/utf8.h"

#include <assert.h>

typedef struct Utf8Lead {
    uint8_t first, last;       // of the first byte
    uint8_t n_bytes;           // of the whole sequence
    uint8_t second, second_to; // range of the second byte; later ones are 80..BF
} Utf8Lead;

// clang-format off
static const Utf8Lead utf8_leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf},
    {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf},
    {0xf4, 0xf4, 4, 0x80, 0x8f},
};
// clang-format on

static const Utf8Lead *find_lead(uint8_t byte)
{
    for (size_t i = 0; i < sizeof(utf8_leads) / sizeof(utf8_leads[0]); i++)
        if (byte >= utf8_leads[i].first && byte <= utf8_leads[i].last) return &utf8_leads[i];
    return NULL;
}

/* Bytes at `data` that agree with a sequence of this lead: 1 to lead->n_bytes. */
static size_t count_agreeing(const Utf8Lead *lead, const char *data, size_t n_bytes)
{
    size_t n = 1;

    while (n < lead->n_bytes && n < n_bytes) {
        uint8_t byte = (uint8_t)data[n];
        uint8_t from = n == 1 ? lead->second : 0x80;
        uint8_t to = n == 1 ? lead->second_to : 0xbf;
        if (byte < from || byte > to) break;
        n++;
    }
    return n;
}

size_t utf8_decode(const char *data, size_t n_bytes, uint32_t *code_point)
{
    assert(n_bytes > 0);
    uint8_t first = (uint8_t)data[0];
    const Utf8Lead *lead = find_lead(first);

    *code_point = first < 0x80 ? first : UTF8_REPLACEMENT;
    if (!lead) return 1;

    size_t n = count_agreeing(lead, data, n_bytes);
    if (n < lead->n_bytes) return n;

    uint32_t value = first & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) value = value << 6 | ((uint8_t)data[i] & 0x3fu);
    *code_point = value;
    return n;
}

size_t utf8_from_code_point(uint32_t code_point, char out[4])
{
    assert(code_point <= 0x10ffff);
    assert(code_point < 0xd800 || code_point > 0xdfff);
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }

    size_t n = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (char)((0xf00u >> n & 0xffu) | code_point); // C0, E0 or F0
    return n;
}

size_t utf8_incomplete_tail(const char *data, size_t n_bytes)
{
    for (size_t n_tail = 1; n_tail <= 3 && n_tail <= n_bytes; n_tail++) {
        const char *tail = data + n_bytes - n_tail;
        const Utf8Lead *lead = find_lead((uint8_t)*tail);
        if (!lead) continue;
        bool is_start = count_agreeing(lead, tail, n_tail) == n_tail && n_tail < lead->n_bytes;
        return is_start ? n_tail : 0;
    }
    return 0;
}

bool utf8_is_valid(const char *data, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes;) {
        if ((uint8_t)data[i] < 0x80) {
            i++;
            continue;
        }
        const Utf8Lead *lead = find_lead((uint8_t)data[i]);
        if (!lead || count_agreeing(lead, data + i, n_bytes - i) < lead->n_bytes) return false;
        i += lead->n_bytes;
    }
    return true;
}

/* Decoding and encoding of characters; see chars.h for what is accepted. */
#include "text/chars.h"

#include "base/utf8.h"

/* Bytes of the sequence that `lead` announces; 0: it announces none. */
static size_t sequence_bytes(uint8_t lead)
{
    if (lead < 0x80) return 1;
    if (lead < 0xc0) return 0;
    if (lead < 0xe0) return 2;
    if (lead < 0xf0) return 3;
    return lead < 0xf8 ? 4 : 0;
}

/* The code point at data[0..n_bytes) and the bytes it takes. */
static uint32_t decode_one(const uint8_t *data, size_t n_bytes, size_t *n_used)
{
    size_t n = sequence_bytes(data[0]);
    uint32_t code = n == 1 ? data[0] : data[0] & (0x7fu >> n);

    *n_used = 1;
    if (n == 0 || n > n_bytes) return UTF8_REPLACEMENT;
    for (size_t i = 1; i < n; i++) {
        if ((data[i] & 0xc0) != 0x80) return UTF8_REPLACEMENT;
        code = code << 6 | (data[i] & 0x3fu);
    }
    if (code >= 0x110000) return UTF8_REPLACEMENT;
    *n_used = n;
    return code;
}

size_t chars_decode(StringView text, Char *out)
{
    const uint8_t *data = (const uint8_t *)text.data;
    size_t n = 0, n_used;

    for (size_t i = 0; i < text.n_bytes; i += n_used) {
        uint32_t code = decode_one(data + i, text.n_bytes - i, &n_used);
        out[n++] = code | (uint32_t)unicode_class(code) << CHAR_CLASS_SHIFT;
    }
    return n;
}

size_t char_encode(Char c, uint8_t out[4])
{
    uint32_t code = char_code(c);

    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* Decoding: what is accepted, what becomes U+FFFD, and that encoding undoes it. */
#include "text/chars.h"

#include "base/rng.h"
#include "harness.h"

// clang-format off
static const struct {
    const char *label, *bytes;
    size_t n;
    uint32_t wanted[4];
} cases[] = {
    {"ascii",               "a",                1, {'a'}},
    {"two bytes",           "\xc3\xa9",         1, {0xe9}},
    {"three bytes",         "\xe4\xb8\xad",     1, {0x4e2d}},
    {"four bytes",          "\xf0\x9f\x98\x80", 1, {0x1f600}},
    {"last code point",     "\xf4\x8f\xbf\xbf", 1, {0x10ffff}},
    {"overlong",            "\xc1\x81",         1, {0x41}},
    {"surrogate",           "\xed\xa0\x80",     1, {0xd800}},
    {"continuation alone",  "\x80",             1, {0xfffd}},
    {"lead alone",          "\xc3",             1, {0xfffd}},
    {"lead before ascii",   "\xc3(",            2, {0xfffd, '('}},
    {"cut in the middle",   "\xe4\xb8\xe4",     3, {0xfffd, 0xfffd, 0xfffd}},
    {"above the last",      "\xf4\x90\x80\x80", 4, {0xfffd, 0xfffd, 0xfffd, 0xfffd}},
    {"no lead",             "\xf8\xff",         2, {0xfffd, 0xfffd}},
};
// clang-format on

TEST(decode_reads_as_the_users_of_gguf_do)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        Char chars[8];
        size_t n = chars_decode(view_of(cases[i].bytes), chars);
        CHECK_CASE(cases[i].label, n == cases[i].n);
        for (size_t k = 0; k < n && k < 4; k++)
            CHECK_CASE(cases[i].label, char_code(chars[k]) == cases[i].wanted[k]);
    }
}

TEST(decode_stops_at_the_end_of_the_view)
{
    Char chars[2];

    CHECK(chars_decode((StringView){"\xe4\xb8\xad", 2}, chars) == 2);
    CHECK(char_code(chars[0]) == 0xfffd && char_code(chars[1]) == 0xfffd);
    CHECK(chars_decode((StringView){NULL, 0}, chars) == 0);
}

TEST(encode_undoes_decode_for_every_code_point)
{
    for (uint32_t code = 0; code < 0x110000; code++) {
        uint8_t bytes[4];
        Char c;
        size_t n = char_encode(code, bytes);
        bool same = chars_decode((StringView){(const char *)bytes, n}, &c) == 1;
        same = same && char_code(c) == code && (c >> CHAR_CLASS_SHIFT & 0x3f) == unicode_class(code)
               && !(c & CHAR_BEGINS);
        if (!same) CHECK(same);
    }
}

TEST(decode_of_any_bytes_stays_in_bounds)
{
    Rng rng = rng_seeded(harness_seed());

    for (int round = 0; round < 2000; round++) {
        size_t n = rng_below(&rng, 24);
        uint8_t bytes[24];
        Char chars[25];
        rng_fill(&rng, bytes, n);
        chars[n] = 0xabcdef;
        CHECK(chars_decode((StringView){(const char *)bytes, n}, chars) <= n);
        CHECK(chars[n] == 0xabcdef);
    }
}

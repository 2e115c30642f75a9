/* tests/base/test_printable.c - what a terminal may see of a text from outside. */
#include "harness.h"

#include "base/printable.h"
#include "base/rng.h"
#include "base/utf8.h"

// clang-format off
static const struct {
    const char *text;
    const char *want;
} cases[] = {
    {"plain text",              "plain text"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"a\tb\nc\rd",              "a\\x09b\\x0ac\\x0dd"},
    {"\x1b[2J",                 "\\x1b[2J"},
    {"\x7f",                    "\\x7f"},
    {"\xc2\x9b" "31m",          "\\xc2\\x9b31m"},         // C1: a one-byte CSI
    {"\xe2\x80\xae" "gpj",      "\\xe2\\x80\\xaegpj"},    // right-to-left override
    {"\xe2\x81\xa6" "x",        "\\xe2\\x81\\xa6x"},      // isolate
    {"\xe2\x80\xa8",            "\\xe2\\x80\\xa8"},       // line separator
    {"\xff\xfe",                "\\xff\\xfe"},
    {"\xe2\x82",                "\\xe2\\x82"},            // half a character
    {"\xef\xbf\xbd",            "\xef\xbf\xbd"},          // a replacement that was there
    {"C:\\x41",                 "C:\\x41"},
};
// clang-format on

TEST(printable_copy_escapes_what_a_terminal_acts_on)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[64], twice[64];
        size_t n = printable_copy(out, sizeof(out), cases[i].text, strlen(cases[i].text));

        CHECK_CASE(cases[i].want, strcmp(out, cases[i].want) == 0);
        CHECK_CASE(cases[i].want, n == strlen(out));
        CHECK_CASE(cases[i].want, printable_copy(twice, sizeof(twice), out, n) == n);
        CHECK_CASE(cases[i].want, strcmp(twice, out) == 0);
    }
}

TEST(printable_copy_cuts_before_a_character)
{
    char out[6];

    CHECK(printable_copy(out, 1, "abc", 3) == 0 && *out == '\0');
    CHECK(printable_copy(out, 6, "abcdef", 6) == 5 && strcmp(out, "abcde") == 0);
    CHECK(printable_copy(out, 6, "abc\xe2\x82\xac", 6) == 3 && strcmp(out, "abc") == 0);
    CHECK(printable_copy(out, 6, "ab\n", 3) == 2 && strcmp(out, "ab") == 0);
    CHECK(printable_copy(out, 6, "a\n", 2) == 5 && strcmp(out, "a\\x0a") == 0);
}

TEST(printable_copy_of_any_bytes_is_printable)
{
    Rng rng = rng_seeded(harness_seed());

    for (int round = 0; round < 2000; round++) {
        char bytes[40], out[100];
        size_t n_bytes = rng_below(&rng, sizeof(bytes));
        size_t out_bytes = 1 + rng_below(&rng, sizeof(out));
        rng_fill(&rng, bytes, n_bytes);
        size_t n = printable_copy(out, out_bytes, bytes, n_bytes);
        CHECK(n < out_bytes);
        CHECK(strlen(out) == n);
        CHECK(utf8_is_valid(out, n));
        for (size_t i = 0; i < n; i++) CHECK((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
    }
}

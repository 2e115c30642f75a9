/* tests/base/test_utf8.c - table 3-7 of the Unicode standard at each of its boundaries,
 * and the substitution of maximal subparts (section 3.9). */
#include "harness.h"

#include "base/utf8.h"

// clang-format off
static const struct {
    const char *bytes;
    size_t n_bytes;
    uint32_t want; // code point
    size_t want_bytes;
} decoded[] = {
    {"\x00",             1, 0x0,      1},
    {"\x7f",             1, 0x7f,     1},
    {"\xc2\x80",         2, 0x80,     2},
    {"\xdf\xbf",         2, 0x7ff,    2},
    {"\xe0\xa0\x80",     3, 0x800,    3},
    {"\xec\xbf\xbf",     3, 0xcfff,   3},
    {"\xed\x80\x80",     3, 0xd000,   3},
    {"\xed\x9f\xbf",     3, 0xd7ff,   3},
    {"\xee\x80\x80",     3, 0xe000,   3},
    {"\xef\xbf\xbd",     3, 0xfffd,   3},
    {"\xef\xbf\xbf",     3, 0xffff,   3},
    {"\xf0\x90\x80\x80", 4, 0x10000,  4},
    {"\xf3\xbf\xbf\xbf", 4, 0xfffff,  4},
    {"\xf4\x80\x80\x80", 4, 0x100000, 4},
    {"\xf4\x8f\xbf\xbf", 4, 0x10ffff, 4},
    // ill-formed: the maximal subpart is used up
    {"\x80",             1, 0xfffd, 1},
    {"\xbf\xbf",         2, 0xfffd, 1},
    {"\xc0\x80",         2, 0xfffd, 1}, // overlong
    {"\xc1\xbf",         2, 0xfffd, 1},
    {"\xc2",             1, 0xfffd, 1},
    {"\xc2\x41",         2, 0xfffd, 1},
    {"\xc2\xc0",         2, 0xfffd, 1},
    {"\xe0\x9f\xbf",     3, 0xfffd, 1}, // overlong
    {"\xe0\xa0",         2, 0xfffd, 2},
    {"\xe1\x80\x41",     3, 0xfffd, 2},
    {"\xed\xa0\x80",     3, 0xfffd, 1}, // a surrogate
    {"\xed\xbf\xbf",     3, 0xfffd, 1},
    {"\xf0\x8f\xbf\xbf", 4, 0xfffd, 1}, // overlong
    {"\xf0\x90\x80",     3, 0xfffd, 3},
    {"\xf0\x90\x80\x41", 4, 0xfffd, 3},
    {"\xf1\x80\x41",     3, 0xfffd, 2},
    {"\xf4\x90\x80\x80", 4, 0xfffd, 1}, // above U+10FFFF
    {"\xf5\x80\x80\x80", 4, 0xfffd, 1},
    {"\xff",             1, 0xfffd, 1},
};
// clang-format on

TEST(utf8_decode_follows_table_3_7)
{
    for (size_t i = 0; i < COUNT(decoded); i++) {
        uint32_t code_point = 1;
        char label[32];
        size_t n = utf8_decode(decoded[i].bytes, decoded[i].n_bytes, &code_point);

        snprintf(label, sizeof(label), "row %zu, %02x", i, (unsigned char)decoded[i].bytes[0]);
        CHECK_CASE(label, code_point == decoded[i].want);
        CHECK_CASE(label, n == decoded[i].want_bytes);
        bool is_whole =
            n == decoded[i].n_bytes && (decoded[i].want != 0xfffd || decoded[i].bytes[0] == '\xef');
        CHECK_CASE(label, utf8_is_valid(decoded[i].bytes, decoded[i].n_bytes) == is_whole);
    }
}

/* The standard's own example, table 3-11: C0 AF E0 80 BF F0 81 82 41 are eight errors and A. */
TEST(utf8_decode_gives_the_replacements_of_the_standard)
{
    static const char bytes[] = "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41";
    size_t n_replaced = 0;
    uint32_t code_point = 0;

    for (size_t i = 0; i < 9; i += utf8_decode(bytes + i, 9 - i, &code_point), n_replaced++) {
    }
    CHECK(n_replaced == 9);
    CHECK(code_point == 'A');
}

TEST(utf8_every_scalar_value_survives_a_round_trip)
{
    uint32_t n_wrong = 0;

    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char bytes[4];
        uint32_t back = 1;
        if (c >= 0xd800 && c <= 0xdfff) continue;
        size_t n = utf8_from_code_point(c, bytes);
        if (utf8_decode(bytes, n, &back) != n || back != c || !utf8_is_valid(bytes, n)) n_wrong++;
    }
    CHECK(n_wrong == 0);
}

TEST(utf8_incomplete_tail_counts_what_may_still_come)
{
    // clang-format off
    static const struct {
        const char *text;
        size_t want;
    } tails[] = {
        {"",                   0},
        {"abc",                0},
        {"a\xc3\xa9",          0}, // whole
        {"a\xc3",              1},
        {"a\xe2",              1},
        {"a\xe2\x82",          2},
        {"a\xe2\x82\xac",      0},
        {"\xf0",               1},
        {"\xf0\x9f",           2},
        {"\xf0\x9f\x98",       3},
        {"\xf0\x9f\x98\x80",   0},
        {"a\x80",              0}, // will never be a character
        {"\xe0\x80",           0},
        {"\xed\xa0",           0},
        {"\xf4\x90",           0},
        {"\xc0",               0},
        {"\xff",               0},
        {"\xc3\xa9\x80",       0},
        {"\x80\x80\x80\x80",   0},
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(tails); i++) {
        char label[16];
        snprintf(label, sizeof(label), "row %zu", i);
        CHECK_CASE(
            label, utf8_incomplete_tail(tails[i].text, strlen(tails[i].text)) == tails[i].want);
    }
}

TEST(utf8_is_valid_accepts_nul_and_nothing)
{
    CHECK(utf8_is_valid(NULL, 0));
    CHECK(utf8_is_valid("a\0b", 3));
    CHECK(!utf8_is_valid("ab\xe2\x82", 4));
}

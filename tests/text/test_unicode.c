/* Classes of characters, against the definition files by tools/unicode_tables and by hand. */
#include "text/unicode.h"

#include "harness.h"

// clang-format off
static const struct {
    const char *label;
    uint32_t code_point;
    unsigned wanted;
} cases[] = {
    {"nul",                  0x0000,   UNICODE_CC},
    {"tab",                  0x0009,   UNICODE_SPACE},
    {"line feed",            0x000a,   UNICODE_NEWLINE},
    {"carriage return",      0x000d,   UNICODE_NEWLINE},
    {"unit separator",       0x001f,   UNICODE_CC}, // white space in some other tables
    {"blank",                0x0020,   UNICODE_SPACE},
    {"apostrophe",           0x0027,   UNICODE_PO},
    {"plus",                 0x002b,   UNICODE_SM},
    {"digit",                0x0039,   UNICODE_ND},
    {"A",                    0x0041,   UNICODE_LU},
    {"z",                    0x007a,   UNICODE_LL},
    {"backtick",             0x0060,   UNICODE_SK},
    {"last of ASCII",        0x007f,   UNICODE_CC},
    {"next line",            0x0085,   UNICODE_SPACE},
    {"no-break space",       0x00a0,   UNICODE_SPACE},
    {"one half",             0x00bd,   UNICODE_NO},
    {"titlecase Dz",         0x01c5,   UNICODE_LT},
    {"modifier h",           0x02b0,   UNICODE_LM},
    {"combining acute",      0x0301,   UNICODE_MN},
    {"not assigned",         0x0378,   UNICODE_CN},
    {"Devanagari vowel",     0x093e,   UNICODE_MC},
    {"Mongolian separator",  0x180e,   UNICODE_CF}, // white space before Unicode 6.3
    {"zero-width space",     0x200b,   UNICODE_CF},
    {"line separator",       0x2028,   UNICODE_SPACE},
    {"roman four",           0x2163,   UNICODE_NL},
    {"ideographic space",    0x3000,   UNICODE_SPACE},
    {"ideographic comma",    0x3001,   UNICODE_PO}, // Han by extension only
    {"hiragana",             0x3042,   UNICODE_LO},
    {"first of CJK",         0x4e00,   UNICODE_LO | UNICODE_HAN},
    {"last of CJK",          0x9fff,   UNICODE_LO | UNICODE_HAN},
    {"surrogate",            0xd800,   UNICODE_CS},
    {"private use",          0xe000,   UNICODE_CO},
    {"emoji of Unicode 15",  0x1fae8,  UNICODE_SO},
    {"CJK extension H",      0x31350,  UNICODE_LO | UNICODE_HAN},
    {"last code point",      0x10ffff, UNICODE_CN},
};
// clang-format on

TEST(class_is_the_general_category_or_white_space)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_CASE(cases[i].label, unicode_class(cases[i].code_point) == cases[i].wanted);
}

TEST(white_space_is_the_25_code_points_of_the_standard)
{
    uint32_t n_space = 0, n_newline = 0;

    for (uint32_t c = 0; c < 0x110000; c++) {
        unsigned class = unicode_class(c) & UNICODE_CLASS_MASK;
        n_space += class == UNICODE_SPACE;
        n_newline += class == UNICODE_NEWLINE;
        CHECK(class != UNICODE_ZS && class != UNICODE_ZL && class != UNICODE_ZP);
    }
    CHECK(n_space == 23);
    CHECK(n_newline == 2);
}

TEST(ascii_is_the_same_by_runs)
{
    uint32_t run = 0;

    for (uint32_t c = 0; c < 128; c++) {
        while (run + 1 < unicode_n_runs && unicode_runs[run + 1] >> 8 <= c) run++;
        CHECK(unicode_ascii[c] == (unicode_runs[run] & 0xff));
    }
}

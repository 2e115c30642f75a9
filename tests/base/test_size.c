/* tests/base/test_size.c - sizes and budgets as the command line accepts them, and the
 * arithmetic on sizes from files. */
#include "harness.h"

#include "base/size.h"

// clang-format off
static const struct {
    const char *text;
    bool is_valid;
    uint64_t want_bytes;
} cases[] = {
    {"0",                    true,  0},
    {"17",                   true,  17},
    {"17B",                  true,  17},
    {"1K",                   true,  1024},
    {"1KB",                  true,  1000},
    {"14M",                  true,  14680064},
    {"512MiB",               true,  536870912},
    {"1.5GB",                true,  1500000000},
    {"1.5G",                 true,  1610612736},
    {"2T",                   true,  2199023255552},
    {"3TB",                  true,  3000000000000},
    {"0.7K",                 true,  716},                // 716.8, rounded down
    {"0.0009765625K",        true,  1},
    {"0.0009765624K",        true,  0},
    {"007K",                 true,  7168},
    {"18446744073709551615", true,  UINT64_MAX},
    {"16777215T",            true,  0xffffff0000000000}, // the last whole T below 2^64
    {"16777215.9999999999T", true,  0xffffffffffffff92},
    {"16777216T",            false, 0},
    {"18446744073709551616", false, 0},
    {"99999999999999999999", false, 0},
    {"",                     false, 0},
    {"-1G",                  false, 0},
    {"+1G",                  false, 0},
    {" 1G",                  false, 0},
    {"1G ",                  false, 0},
    {"2Gb",                  false, 0},                  // bits are not meant
    {"2g",                   false, 0},
    {"1.G",                  false, 0},
    {".5G",                  false, 0},
    {"1.5",                  false, 0},                  // of a byte
    {"1.2.3G",               false, 0},
    {"1e3",                  false, 0},
    {"50%",                  false, 0},
};
// clang-format on

TEST(size_parse_reads_what_the_manual_says)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        uint64_t n_bytes = 7; // survives a failure
        bool ok = size_parse(cases[i].text, &n_bytes, &err);
        uint64_t want = cases[i].is_valid ? cases[i].want_bytes : 7;

        CHECK_CASE(cases[i].text, ok == cases[i].is_valid);
        CHECK_CASE(cases[i].text, n_bytes == want);
        CHECK_CASE(cases[i].text, ok || err.id == ERROR_USAGE);
        CHECK_CASE(cases[i].text, ok || strstr(err.message, cases[i].text));
    }
}

TEST(budget_parse_reads_sizes_shares_and_words)
{
    // clang-format off
    static const struct {
        const char *text;
        bool is_valid;
        Budget want;
    } budgets[] = {
        {"14M",   true,  {BUDGET_BYTES, 14680064, 0}},
        {"0",     true,  {BUDGET_BYTES, 0, 0}},
        {"50%",   true,  {BUDGET_PERCENT, 0, 50}},
        {"0.5%",  true,  {BUDGET_PERCENT, 0, 0.5}},
        {"100%",  true,  {BUDGET_PERCENT, 0, 100}},
        {"all",   true,  {BUDGET_ALL, 0, 0}},
        {"min",   true,  {BUDGET_MIN, 0, 0}},
        {"0%",    false, {0}},
        {"0.0%",  false, {0}},
        {"100.1%",false, {0}},
        {"-5%",   false, {0}},
        {"%",     false, {0}},
        {"5 %",   false, {0}},
        {"All",   false, {0}},
        {"",      false, {0}},
        {"much",  false, {0}},
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(budgets); i++) {
        Error err = {0};
        Budget got = {BUDGET_MIN, 3, 4};
        Budget want = budgets[i].is_valid ? budgets[i].want : got;
        bool ok = budget_parse(budgets[i].text, &got, &err);

        CHECK_CASE(budgets[i].text, ok == budgets[i].is_valid);
        CHECK_CASE(budgets[i].text, got.unit == want.unit);
        CHECK_CASE(budgets[i].text, got.n_bytes == want.n_bytes);
        CHECK_CASE(budgets[i].text, memcmp(&got.percent, &want.percent, sizeof(double)) == 0);
        CHECK_CASE(budgets[i].text, ok || err.id == ERROR_USAGE);
    }
}

TEST(size_format_is_for_people)
{
    // clang-format off
    static const struct {
        uint64_t n_bytes;
        const char *want;
    } texts[] = {
        {0,                  "0 B"},
        {1023,               "1023 B"},
        {1024,               "1.0 KiB"},
        {14680064,           "14.0 MiB"},
        {1048575,            "1.0 MiB"}, // not 1024.0 KiB
        {1610612736,         "1.5 GiB"},
        {1ull << 40,         "1.0 TiB"},
        {UINT64_MAX,         "16.0 EiB"},
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(texts); i++) {
        char text[24];
        CHECK_CASE(texts[i].want, strcmp(size_format(texts[i].n_bytes, text), texts[i].want) == 0);
    }
}

TEST(size_arithmetic_refuses_to_wrap)
{
    uint64_t out = 7;

    CHECK(size_mul(6, 7, &out) && out == 42);
    CHECK(size_mul(UINT64_MAX, 1, &out) && out == UINT64_MAX);
    CHECK(size_add(UINT64_MAX - 1, 1, &out) && out == UINT64_MAX);
    out = 7;
    CHECK(!size_mul(1ull << 32, 1ull << 32, &out) && out == 7);
    CHECK(!size_add(UINT64_MAX, 1, &out) && out == 7);
}

TEST(size_align_rounds_to_a_power_of_two)
{
    CHECK(size_align_up(0, 32) == 0);
    CHECK(size_align_up(1, 32) == 32);
    CHECK(size_align_up(32, 32) == 32);
    CHECK(size_align_up(UINT64_MAX - 31, 32) == UINT64_MAX - 31);
    CHECK(size_align_up(5, 1) == 5);
    CHECK(size_align_down(31, 32) == 0);
    CHECK(size_align_down(65, 32) == 64);
}

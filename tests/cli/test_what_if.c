/* tests/cli/test_what_if.c - ceilings and budgets as --what-if takes them (docs/cli.md, "plan") */
#include "cli/what_if.h"

#include "harness.h"

// clang-format off
static const struct {
    const char *text;
    bool valid;
    double drive, memory, compute;
    const char *memory_budget, *weights;
} cases[] = {
    {"drive=7GB/s",                          true,  7e9,  0,    0,    "",    ""},
    {"memory=8G",                            true,  0,    0,    0,    "8G",  ""},
    {"memory=50GB/s",                        true,  0,    50e9, 0,    "",    ""},
    {"memory=50%",                           true,  0,    0,    0,    "50%", ""},
    {"memory=8G,drive=7GB/s,compute=1.5GB/s", true, 7e9,  0,    1.5e9, "8G", ""},
    {"memory=50GB/s,memory=8G",              true,  0,    50e9, 0,    "8G",  ""},
    {"weights=min",                          true,  0,    0,    0,    "",    "min"},
    {"drive=100M/s",                         true,  104857600, 0, 0,  "",    ""},
    {"",                                     true,  0,    0,    0,    "",    ""},
    {"drive=7GB",                            false, 0, 0, 0, "", ""},
    {"drive=0GB/s",                          false, 0, 0, 0, "", ""},
    {"drive=/s",                             false, 0, 0, 0, "", ""},
    {"weights=7GB/s",                        false, 0, 0, 0, "", ""},
    {"drive",                                false, 0, 0, 0, "", ""},
    {"disk=7GB/s",                           false, 0, 0, 0, "", ""},
    {"drive=7GB/s,,",                        false, 0, 0, 0, "", ""},
    {"memory=88888888888888888888888888888888888", false, 0, 0, 0, "", ""},
};
// clang-format on

TEST(what_if_takes_rates_as_ceilings_and_sizes_as_budgets)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        WhatIf got = {.drive_bytes_per_s = 1}; // survives a failure
        bool ok = what_if_parse(cases[i].text, &got, &err);

        CHECK_CASE(cases[i].text, ok == cases[i].valid);
        CHECK_CASE(cases[i].text, got.drive_bytes_per_s == (ok ? cases[i].drive : 1));
        CHECK_CASE(cases[i].text, got.memory_bytes_per_s == cases[i].memory);
        CHECK_CASE(cases[i].text, got.compute_bytes_per_s == cases[i].compute);
        CHECK_CASE(cases[i].text, strcmp(got.memory, cases[i].memory_budget) == 0);
        CHECK_CASE(cases[i].text, strcmp(got.weights, cases[i].weights) == 0);
        CHECK_CASE(cases[i].text, ok || err.id == ERROR_USAGE);
    }
}

TEST(nothing_asked_is_nothing_given)
{
    Error err = {0};
    WhatIf got = {.drive_bytes_per_s = 1};

    CHECK(what_if_parse(NULL, &got, &err));
    CHECK(got.drive_bytes_per_s == 0);
}

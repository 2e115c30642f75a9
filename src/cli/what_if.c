/* A list of NAME=VALUE. "memory" is the one name with two meanings, which the unit tells apart:
 * 8G is a budget, 50GB/s a bandwidth. */
#include "cli/what_if.h"

#include <stddef.h>
#include <stdio.h>

#include "base/size.h"
#include "base/view.h"

#define PER_SECOND "/s"

// clang-format off
static const struct {
    const char *name;
    bool has_rate, has_budget;
    size_t rate, budget; // offsets in WhatIf
} names[] = {
    {"drive",   true,  false, offsetof(WhatIf, drive_bytes_per_s),   0},
    {"memory",  true,  true,  offsetof(WhatIf, memory_bytes_per_s),  offsetof(WhatIf, memory)},
    {"compute", true,  false, offsetof(WhatIf, compute_bytes_per_s), 0},
    {"weights", false, true,  0,                                     offsetof(WhatIf, weights)},
};
// clang-format on

static bool parse_rate(const char *value, double *out, Error *err)
{
    char size[WHAT_IF_SIZE_BYTES];
    uint64_t n_bytes = 0;

    snprintf(size, sizeof size, "%.*s", (int)(strlen(value) - strlen(PER_SECOND)), value);
    if (!size_parse(size, &n_bytes, err)) return false;
    if (n_bytes == 0) return error_set(err, ERROR_USAGE, "'%s' is no rate", value);
    *out = (double)n_bytes;
    return true;
}

static bool parse_value(size_t row, const char *value, WhatIf *out, Error *err)
{
    size_t n = strlen(value), n_suffix = strlen(PER_SECOND);
    bool is_rate = n > n_suffix && strcmp(value + n - n_suffix, PER_SECOND) == 0;
    char *base = (char *)out;
    Budget budget;

    if (is_rate && names[row].has_rate) {
        double rate = 0;
        if (!parse_rate(value, &rate, err)) return false;
        memcpy(base + names[row].rate, &rate, sizeof rate);
        return true;
    }
    if (is_rate || !names[row].has_budget)
        return error_set(err, ERROR_USAGE, "'%s' is %s", value,
            is_rate ? "a rate, where a size is asked for" : "no rate such as 7GB/s");
    if (!budget_parse(value, &budget, err)) return false;
    snprintf(base + names[row].budget, WHAT_IF_SIZE_BYTES, "%s", value);
    return true;
}

static bool parse_pair(const char *pair, WhatIf *out, Error *err)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t n = strlen(names[i].name);
        if (strncmp(pair, names[i].name, n) != 0 || pair[n] != '=') continue;
        return parse_value(i, pair + n + 1, out, err) || error_at(err, "%s", names[i].name);
    }
    return error_set(err, ERROR_USAGE, "'%s' is not drive=, memory=, compute= or weights=", pair);
}

bool what_if_parse(const char *text, WhatIf *out, Error *err)
{
    WhatIf result = {0};
    char pair[2 * WHAT_IF_SIZE_BYTES];

    while (text && *text) {
        size_t n = strcspn(text, ",");
        if (n >= WHAT_IF_SIZE_BYTES)
            return error_set(err, ERROR_USAGE, "'%.*s...' is too long", WHAT_IF_SIZE_BYTES, text);
        snprintf(pair, sizeof pair, "%.*s", (int)n, text);
        if (!parse_pair(pair, &result, err)) return false;
        text += n + (text[n] == ',');
    }
    *out = result;
    return true;
}

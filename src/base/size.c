/*
 * Sizes are parsed in integers: "0.7G" gives the same bytes on every machine, and the
 * largest values are exact. Units are case-sensitive, because "2Gb" means bits to those
 * who write it with care.
 */
#include "base/size.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/view.h"

typedef struct SizeUnit {
    const char *name;
    uint64_t n_bytes;
} SizeUnit;

// clang-format off
static const SizeUnit size_units[] = {
    {"",    1},          {"B",   1},
    {"K",   1ull << 10}, {"KiB", 1ull << 10}, {"KB", 1000},
    {"M",   1ull << 20}, {"MiB", 1ull << 20}, {"MB", 1000000},
    {"G",   1ull << 30}, {"GiB", 1ull << 30}, {"GB", 1000000000},
    {"T",   1ull << 40}, {"TiB", 1ull << 40}, {"TB", 1000000000000},
};
// clang-format on

/* "12.5" cut into its digits; what follows them is `rest`. */
typedef struct DecimalText {
    StringView whole, fraction;
    const char *rest;
} DecimalText;

bool size_mul(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t product;

    if (__builtin_mul_overflow(a, b, &product)) return false;
    *out = product;
    return true;
}

bool size_add(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t sum;

    if (__builtin_add_overflow(a, b, &sum)) return false;
    *out = sum;
    return true;
}

uint64_t size_align_down(uint64_t n, uint64_t alignment)
{
    assert(alignment > 0 && (alignment & (alignment - 1)) == 0);
    return n & ~(alignment - 1);
}

uint64_t size_align_up(uint64_t n, uint64_t alignment)
{
    assert(n <= UINT64_MAX - (alignment - 1));
    return size_align_down(n + (alignment - 1), alignment);
}

static StringView take_digits(const char **text)
{
    StringView digits = {.data = *text};

    while (**text >= '0' && **text <= '9') (*text)++;
    digits.n_bytes = (size_t)(*text - digits.data);
    return digits;
}

/* Digits, and after a point at least one more. */
static bool read_decimal(const char *text, DecimalText *out)
{
    out->whole = take_digits(&text);
    out->fraction = (StringView){0};
    out->rest = text;
    if (out->whole.n_bytes == 0) return false;
    if (*text != '.') return true;

    text++;
    out->fraction = take_digits(&text);
    out->rest = text;
    return out->fraction.n_bytes > 0;
}

static bool read_integer(StringView digits, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits.n_bytes; i++)
        if (!size_mul(value, 10, &value)
            || !size_add(value, (uint64_t)(digits.data[i] - '0'), &value))
            return false;
    *out = value;
    return true;
}

/* The whole bytes of 0.<digits> units. From the last digit to the first, so that each
 * step divides an integer: floor((d*u + floor(x)) / 10) = floor((d*u + x) / 10). */
static uint64_t fraction_bytes(StringView digits, uint64_t unit_bytes)
{
    uint64_t n_bytes = 0;

    for (size_t i = digits.n_bytes; i > 0; i--)
        n_bytes = ((uint64_t)(digits.data[i - 1] - '0') * unit_bytes + n_bytes) / 10;
    return n_bytes;
}

static const SizeUnit *find_unit(const char *name)
{
    for (size_t i = 0; i < COUNT(size_units); i++)
        if (strcmp(size_units[i].name, name) == 0) return &size_units[i];
    return NULL;
}

bool size_parse(const char *text, uint64_t *n_bytes, Error *err)
{
    DecimalText decimal;
    uint64_t value;
    const SizeUnit *unit = NULL;

    if (read_decimal(text, &decimal)) unit = find_unit(decimal.rest);
    if (!unit)
        return error_set(err, ERROR_USAGE, "'%s' is not a size such as 14M, 1.5GB or 512MiB", text);
    if (unit->n_bytes == 1 && decimal.fraction.n_bytes > 0)
        return error_set(err, ERROR_USAGE, "'%s' is a fraction of a byte; a unit is missing", text);
    if (!read_integer(decimal.whole, &value) || !size_mul(value, unit->n_bytes, &value)
        || !size_add(value, fraction_bytes(decimal.fraction, unit->n_bytes), &value))
        return error_set(err, ERROR_USAGE, "'%s' is 2^64 bytes or more", text);
    *n_bytes = value;
    return true;
}

static bool percent_parse(const DecimalText *decimal, double *percent)
{
    double value = 0;
    double scale = 1;

    for (size_t i = 0; i < decimal->whole.n_bytes; i++)
        value = value * 10 + (decimal->whole.data[i] - '0');
    for (size_t i = 0; i < decimal->fraction.n_bytes; i++) {
        scale /= 10;
        value += scale * (decimal->fraction.data[i] - '0');
    }
    *percent = value;
    return value > 0 && value <= 100;
}

bool budget_parse(const char *text, Budget *out, Error *err)
{
    DecimalText decimal;
    Budget budget = {.unit = BUDGET_BYTES};

    if (strcmp(text, "all") == 0) {
        budget.unit = BUDGET_ALL;
    } else if (strcmp(text, "min") == 0) {
        budget.unit = BUDGET_MIN;
    } else if (read_decimal(text, &decimal) && strcmp(decimal.rest, "%") == 0) {
        budget.unit = BUDGET_PERCENT;
        if (!percent_parse(&decimal, &budget.percent))
            return error_set(err, ERROR_USAGE, "'%s' is not above 0%% and up to 100%%", text);
    } else if (!size_parse(text, &budget.n_bytes, NULL)) {
        return error_set(
            err, ERROR_USAGE, "'%s' is not a budget such as 2G, 50%%, all or min", text);
    }
    *out = budget;
    return true;
}

const char *size_format(uint64_t n_bytes, char *out)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)n_bytes / 1024;
    size_t unit = 0;

    if (n_bytes < 1024) {
        snprintf(out, 24, "%u B", (unsigned)n_bytes);
        return out;
    }
    // 1023.95 would be written as 1024.0
    while (value >= 1023.95 && unit + 1 < COUNT(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 24, "%.1f %s", value, units[unit]);
    return out;
}

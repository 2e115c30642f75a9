/* tests/quant/test_f16.c - small floats against their definition, value by value. */
#include "quant/f16.h"

#include <math.h>

#include "harness.h"

/* The definition of IEEE 754 section 3.4, in double. */
static double f16_value(uint32_t bits)
{
    uint32_t exponent = (bits >> 10) & 31, mantissa = bits & 1023;
    double sign = bits & 0x8000 ? -1 : 1;

    if (exponent == 31) return mantissa ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0) return sign * ldexp(mantissa, -24);
    return sign * ldexp(1024 + mantissa, (int)exponent - 25);
}

TEST(every_f16_has_its_value)
{
    uint32_t n_wrong = 0;

    for (uint32_t bits = 0; bits < 65536; bits++) {
        float want = (float)f16_value(bits), got = f16_to_f32((uint16_t)bits);
        bool is_same = isnan(want) ? isnan(got) : f32_to_bits(want) == f32_to_bits(got);
        n_wrong += !is_same;
    }
    CHECK(n_wrong == 0);
}

TEST(every_f16_survives_the_way_there_and_back)
{
    uint32_t n_wrong = 0;

    for (uint32_t bits = 0; bits < 65536; bits++) {
        bool is_nan = (bits & 0x7fff) > 0x7c00;
        uint32_t want = is_nan ? bits | 0x200 : bits; // quiet
        n_wrong += f32_to_f16(f16_to_f32((uint16_t)bits)) != want;
    }
    CHECK(n_wrong == 0);
}

/* Between neighbours: the middle goes to the even one, a hair beside it to the nearer. */
TEST(rounding_is_to_nearest_even)
{
    uint32_t n_wrong = 0;

    for (uint32_t bits = 0; bits < 0x7bff; bits++) {
        float low = f16_to_f32((uint16_t)bits), high = f16_to_f32((uint16_t)(bits + 1));
        float middle = (low + high) * 0.5f; // exact: float32 has 13 bits more
        uint32_t even = bits % 2 == 0 ? bits : bits + 1;
        n_wrong += f32_to_f16(middle) != even;
        n_wrong += f32_to_f16(-middle) != (even | 0x8000);
        n_wrong += f32_to_f16(nextafterf(middle, 0)) != bits;
        n_wrong += f32_to_f16(nextafterf(middle, INFINITY)) != bits + 1;
    }
    CHECK(n_wrong == 0);
}

TEST(the_edges_of_f16)
{
    static const struct {
        uint32_t f32_bits;
        uint16_t want;
    } cases[] = {
        {0x00000000, 0x0000},
        {0x80000000, 0x8000},
        {0x00000001, 0x0000}, // the smallest float32
        {0x33000000, 0x0000}, // 2^-25: the middle below the smallest f16, to even
        {0x33000001, 0x0001},
        {0x387fe000, 0x0400}, // rounds up into the normal ones
        {0x477fefff, 0x7bff}, // just below 65520
        {0x477ff000, 0x7c00}, // 65520
        {0x7f7fffff, 0x7c00}, // the largest float32
        {0x7f800000, 0x7c00},
        {0xff800000, 0xfc00},
        {0x7f800001, 0x7e00}, // a signalling NaN, its payload too small to stay
        {0xffc02000, 0xfe01},
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK(f32_to_f16(f32_from_bits(cases[i].f32_bits)) == cases[i].want);
}

TEST(bf16_is_the_upper_half)
{
    uint32_t n_wrong = 0;

    for (uint32_t bits = 0; bits < 65536; bits++)
        n_wrong += f32_to_bits(bf16_to_f32((uint16_t)bits)) != bits << 16;
    CHECK(n_wrong == 0);
    CHECK(bf16_to_f32(0x3f80) == 1.0f);
}

TEST(e8m0_is_a_power_of_two)
{
    for (uint32_t bits = 0; bits < 255; bits++)
        CHECK((double)e8m0_to_f32((uint8_t)bits) == ldexp(1, (int)bits - 127));
    CHECK(isnan(e8m0_to_f32(255)));
}

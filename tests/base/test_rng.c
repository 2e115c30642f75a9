/* tests/base/test_rng.c - the generators against the vectors of their authors. */
#include "harness.h"

#include "base/rng.h"

// clang-format off
/* kat_vectors of the Random123 distribution, "philox4x32 10". */
static const struct {
    uint32_t counter[4], key[2], want[4];
} philox[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};
// clang-format on

TEST(rng_philox_gives_the_published_vectors)
{
    for (size_t i = 0; i < COUNT(philox); i++) {
        uint32_t got[4];
        rng_philox(philox[i].counter, philox[i].key, got);
        CHECK_BITS(philox[i].want, got, sizeof(got));
    }
}

TEST(rng_at_is_the_first_half_of_philox)
{
    static const uint32_t counter[4] = {0x89abcdef, 0x01234567, 0, 0};
    static const uint32_t key[2] = {0x76543210, 0xfedcba98};
    uint32_t words[4];

    rng_philox(counter, key, words);
    CHECK(rng_at(0xfedcba9876543210, 0x0123456789abcdef) == ((uint64_t)words[1] << 32 | words[0]));
    CHECK(rng_at(0, 0) == 0xe169c58d6627e8d5);
}

/* splitmix64 from 0 begins e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f
 * f88bb8a8724c81ec (the author's splitmix64.c); xoshiro256** goes on from there. */
TEST(rng_stream_is_xoshiro_seeded_by_splitmix)
{
    static const uint64_t seeded[4] = {
        0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f, 0xf88bb8a8724c81ec};
    static const uint64_t small[4] = {11520, 0, 1509978240, 1215971899390074240}; // from 1 2 3 4
    Rng rng = rng_seeded(0);

    CHECK_BITS(seeded, rng.state, sizeof(seeded));
    rng = (Rng){{1, 2, 3, 4}};
    for (size_t i = 0; i < COUNT(small); i++) CHECK(rng_next(&rng) == small[i]);
}

TEST(rng_below_stays_below_and_reaches_all)
{
    Rng rng = rng_seeded(harness_seed());
    bool seen[7] = {false};

    for (int i = 0; i < 2000; i++) {
        uint64_t value = rng_below(&rng, COUNT(seen));
        if (CHECK(value < COUNT(seen))) seen[value] = true;
    }
    for (size_t i = 0; i < COUNT(seen); i++) CHECK(seen[i]);
    for (int i = 0; i < 100; i++) {
        CHECK(rng_below(&rng, 1) == 0);
        CHECK(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
    }
}

TEST(rng_unit_is_in_the_half_open_interval)
{
    Rng rng = rng_seeded(harness_seed());

    for (int i = 0; i < 10000; i++) {
        float value = rng_unit(&rng);
        CHECK(value >= 0 && value < 1);
        CHECK(value * 0x1p24f == (float)(uint32_t)(value * 0x1p24f));
    }
}

TEST(rng_fill_writes_the_stream_in_little_endian_and_no_more)
{
    Rng a = rng_seeded(42), b = rng_seeded(42);

    for (size_t n_bytes = 0; n_bytes < 20; n_bytes++) {
        unsigned char bytes[24];
        memset(bytes, 0xa5, sizeof(bytes));
        rng_fill(&a, bytes, n_bytes);
        for (size_t i = 0; i < n_bytes; i += 8) {
            uint64_t word = rng_next(&b);
            for (size_t k = i; k < i + 8 && k < n_bytes; k++)
                CHECK(bytes[k] == (unsigned char)(word >> (8 * (k - i))));
        }
        CHECK(bytes[n_bytes] == 0xa5);
    }
}

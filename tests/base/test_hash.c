/* tests/base/test_hash.c - a hash that uses all it is given. */
#include "harness.h"

#include "base/hash.h"
#include "base/rng.h"

TEST(hash_bytes_depends_on_each_bit_on_length_and_on_seed)
{
    Rng rng = rng_seeded(harness_seed());
    unsigned char bytes[67];

    rng_fill(&rng, bytes, sizeof(bytes));
    for (size_t n_bytes = 0; n_bytes < sizeof(bytes); n_bytes++) {
        uint64_t hash = hash_bytes(bytes, n_bytes, 1);
        CHECK(hash == hash_bytes(bytes, n_bytes, 1));
        CHECK(hash != hash_bytes(bytes, n_bytes, 2));
        CHECK(hash != hash_bytes(bytes, n_bytes + 1, 1));
        for (size_t bit = 0; bit < 8 * n_bytes; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            CHECK(hash != hash_bytes(bytes, n_bytes, 1));
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
    }
}

TEST(hash_bytes_tells_zeros_by_their_number)
{
    static const unsigned char zeros[64];

    for (size_t a = 0; a < sizeof(zeros); a++)
        for (size_t b = 0; b < a; b++) CHECK(hash_bytes(zeros, a, 0) != hash_bytes(zeros, b, 0));
}

TEST(hash_name_says_which_library_made_the_values)
{
    // XXH3_64bits of nothing with seed 0, from the xxHash specification
    bool is_xxh3 = hash_bytes("", 0, 0) == 0x2d06800538d394c2;

    CHECK(is_xxh3 == (strcmp(hash_name(), "xxh3-64") == 0));
}

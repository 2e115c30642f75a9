/* tests/gguf/test_reader.c - nothing is read that is not there. */
#include "gguf/reader.h"

#include "harness.h"

static const uint8_t bytes[] = {5, 0, 0, 0, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 1, 2, 3, 4};

static const GgufStringLimits limits = {1, 5, ERROR_FORMAT_KEY};

TEST(reading_goes_forward)
{
    GgufReader reader = {.data = bytes, .n_loaded = sizeof bytes, .file_bytes = sizeof bytes};
    StringView text = {0};
    uint32_t number = 0;
    Error err = {0};

    CHECK(gguf_read_string(&reader, &limits, &text, &err));
    CHECK(view_is(text, "hello"));
    CHECK(gguf_read_left(&reader) == 4);
    CHECK(gguf_read_u32(&reader, &number, &err));
    CHECK(number == 0x04030201);
    CHECK(gguf_read_left(&reader) == 0);
}

TEST(reading_stops_at_the_end_of_the_file)
{
    for (uint64_t n = 0; n < sizeof bytes; n++) {
        GgufReader reader = {.data = bytes, .n_loaded = n, .file_bytes = n};
        uint64_t want = n - n / 8 * 8;
        uint64_t number = 99;
        Error err = {0};

        for (uint64_t i = 0; i < n / 8; i++) CHECK(gguf_read_u64(&reader, &number, &err));
        number = 99;
        CHECK(!gguf_read_u64(&reader, &number, &err));
        CHECK_ERROR(err, ERROR_FORMAT_TRUNCATED);
        CHECK(number == 99);
        CHECK(gguf_read_left(&reader) == want);
        CHECK(reader.wanted_bytes == 0);
    }
}

TEST(a_huge_length_does_not_wrap)
{
    static const uint64_t lengths[] = {
        6, 17, UINT32_MAX, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 7, UINT64_MAX};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        GgufReader reader = {.data = bytes, .n_loaded = sizeof bytes, .file_bytes = sizeof bytes};
        Error err = {0};

        reader.at = 12;
        CHECK(!gguf_read_bytes(&reader, lengths[i], &err));
        CHECK_ERROR(err, ERROR_FORMAT_TRUNCATED);
        CHECK(reader.at == 12);
    }
}

TEST(unloaded_bytes_are_asked_for)
{
    GgufReader reader = {.data = bytes, .n_loaded = 10, .file_bytes = sizeof bytes};
    StringView text = {0};
    Error err = {0};

    CHECK(!gguf_read_string(&reader, &limits, &text, &err));
    CHECK(reader.wanted_bytes == 13);
    CHECK(!text.data);
}

TEST(a_string_has_its_limits)
{
    static const struct {
        uint64_t n_bytes;
        ErrorId want;
    } cases[] = {
        {0, ERROR_FORMAT_KEY},
        {1, ERROR_NONE},
        {5, ERROR_NONE},
        {6, ERROR_FORMAT_KEY},
        {UINT64_MAX, ERROR_FORMAT_KEY},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t data[16] = {0};
        GgufReader reader = {.data = data, .n_loaded = sizeof data, .file_bytes = sizeof data};
        StringView text = {0};
        Error err = {0};

        memcpy(data, &cases[i].n_bytes, 8);
        CHECK(gguf_read_string(&reader, &limits, &text, &err) == (cases[i].want == ERROR_NONE));
        CHECK(err.id == cases[i].want);
    }
}

/* tests/base/test_error.c - one line per failure, the place in front of the reason. */
#include "harness.h"

#include "base/utf8.h"

TEST(error_set_is_false_and_says_why)
{
    Error err = {0};

    CHECK(!error_set(&err, ERROR_FORMAT_TRUNCATED, "ends at byte %d of %d", 10, 20));
    CHECK_ERROR(err, ERROR_FORMAT_TRUNCATED);
    CHECK(strcmp(err.message, "ends at byte 10 of 20") == 0);
    CHECK(!error_set(NULL, ERROR_USAGE, "nobody listens"));
    CHECK(!error_at(NULL, "nowhere"));
}

TEST(error_at_puts_places_in_front)
{
    Error err = {0};

    error_set(&err, ERROR_READ, "the drive said no");
    CHECK(!error_at(&err, "tensor '%s'", "blk.7"));
    CHECK(!error_at(&err, "%s", "model.gguf"));
    CHECK(strcmp(err.message, "model.gguf: tensor 'blk.7': the drive said no") == 0);
    CHECK_ERROR(err, ERROR_READ);
}

TEST(error_set_may_use_the_message_that_it_replaces)
{
    Error err = {0};

    error_set(&err, ERROR_READ, "first");
    error_set(&err, ERROR_FILE_CHANGED, "after '%s'", err.message);
    CHECK(strcmp(err.message, "after 'first'") == 0);
}

TEST(error_messages_are_safe_for_a_terminal)
{
    Error err = {0};

    error_set(&err, ERROR_TENSOR_NAME, "'%s'", "a\x1b]0;title\x07\xff\xc3\xa9");
    CHECK(strcmp(err.message, "'a\\x1b]0;title\\x07\\xff\xc3\xa9'") == 0);
    error_at(&err, "%s", "two\nlines");
    CHECK(strstr(err.message, "two\\x0alines: 'a") == err.message);
}

TEST(error_messages_that_are_too_long_lose_their_end)
{
    static char long_text[3000];
    Error err = {0};

    for (size_t i = 0; i + 2 < sizeof(long_text); i += 2) memcpy(long_text + i, "\xc3\xa9", 2);
    for (int shift = 0; shift < 2; shift++) { // so that the cut falls into a character
        error_set(&err, ERROR_USAGE, "%s%s", shift == 0 ? "" : "x", long_text);
        size_t n = strlen(err.message);
        CHECK(n >= ERROR_MESSAGE_BYTES - 4 && n < ERROR_MESSAGE_BYTES);
        CHECK(utf8_is_valid(err.message, n));
        CHECK(!strchr(err.message, '\\'));
        error_at(&err, "place");
        CHECK(strstr(err.message, "place: ") == err.message);
        CHECK(utf8_is_valid(err.message, strlen(err.message)));
        error_at(&err, "%s", long_text);
        CHECK(utf8_is_valid(err.message, strlen(err.message)));
    }
}

TEST(error_table_gives_status_and_hint)
{
    CHECK(error_exit_status(ERROR_USAGE) == 2);
    CHECK(error_exit_status(ERROR_FORMAT_TRUNCATED) == 3);
    CHECK(error_exit_status(ERROR_BUDGET) == 4);
    CHECK(error_exit_status(ERROR_READ) == 5);
    CHECK(error_exit_status(ERROR_NONE) == 1);
    CHECK(error_exit_status((ErrorId)9999) == 1);
    CHECK(strstr(error_hint(ERROR_FORMAT_TRUNCATED), "incomplete"));
    CHECK(!error_hint(ERROR_FORMAT_COUNT));
    CHECK(!error_hint(ERROR_NONE));
}

TEST(error_numbers_are_given_once)
{
#define X(number, name, exit_status, http_status, hint) number,
    static const int numbers[] = {
#include "base/errors.def"
    };
#undef X

    for (size_t i = 1; i < COUNT(numbers); i++) CHECK(numbers[i - 1] < numbers[i]);
}

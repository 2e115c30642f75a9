/* cli/input - files, prompts, lists of ids. */
#include "harness.h"

#include <fcntl.h>

#include "cli/input.h"

static const char *write_file(const char *name, const void *data, size_t n_bytes)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", harness_temporary_folder(), name);
    FILE *stream = fopen(path, "wb");
    CHECK(stream && fwrite(data, 1, n_bytes, stream) == n_bytes && fclose(stream) == 0);
    return path;
}

TEST(files_are_read_byte_for_byte)
{
    static const size_t lengths[] = {0, 1, 65534, 65535, 65536, 300000};
    static char data[300000];
    Error err = {0};
    Text text;

    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 7 + (i >> 8));
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const char *path = write_file("text", data, lengths[i]);
        CHECK(input_read(path, &text, &err));
        CHECK(text.n_bytes == lengths[i]);
        CHECK_BITS(data, text.data, lengths[i]);
        CHECK(text.data[text.n_bytes] == '\0');
        input_free(&text);
    }
}

TEST(unreadable_files_are_named)
{
    Error err = {0};
    Text text = {.n_bytes = 3};

    CHECK(!input_read("/nonexistent/prompt", &text, &err));
    CHECK_ERROR(err, ERROR_USAGE);
    CHECK(strstr(err.message, "/nonexistent/prompt"));
    CHECK(!text.data && text.n_bytes == 0);
    CHECK(!input_read(harness_temporary_folder(), &text, &err));
    CHECK_ERROR(err, ERROR_USAGE);
}

TEST(one_line_end_is_dropped)
{
    static const struct {
        const char *text, *want;
    } cases[] = {{"a\n", "a"}, {"a\n\n", "a\n"}, {"a", "a"}, {"\n", ""}, {"", ""}, {"a\r", "a\r"}};
    Error err = {0};
    Text text;

    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK(input_copy(cases[i].text, &text, &err));
        input_drop_line_end(&text);
        CHECK_CASE(cases[i].text, text.n_bytes == strlen(cases[i].want));
        CHECK_CASE(cases[i].text, strcmp(text.data, cases[i].want) == 0);
        input_free(&text);
    }
}

TEST(ids_are_separated_by_blanks_and_commas)
{
    static const int32_t want[] = {1, 22, 0, 2147483647};
    Error err = {0};
    Ids ids = {0};

    CHECK(input_parse_ids(view_of(" 1,22\n0 , 2147483647,\r\n"), &ids, &err));
    CHECK(ids.n == 4);
    CHECK_BITS(want, ids.ids, sizeof want);
    CHECK(input_parse_ids(view_of(""), &ids, &err));
    CHECK(ids.n == 4);
    input_free_ids(&ids);
}

TEST(a_comma_needs_an_id_in_front)
{
    static const char *const cases[] = {"1,,2", ",1", "1, ,2", ",", "1,\n,"};

    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        Ids ids = {0};
        CHECK_CASE(cases[i], !input_parse_ids(view_of(cases[i]), &ids, &err));
        CHECK_ERROR(err, ERROR_USAGE);
        CHECK_CASE(cases[i], strstr(err.message, "comma"));
        input_free_ids(&ids);
    }
}

TEST(what_is_no_id_is_quoted)
{
    static const char *const cases[] = {
        "x", "1x", "-1", "2147483648", "99999999999999999999999", "1.5", "0x10"};

    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        Ids ids = {0};
        CHECK_CASE(cases[i], !input_parse_ids(view_of(cases[i]), &ids, &err));
        CHECK_ERROR(err, ERROR_USAGE);
        CHECK_CASE(cases[i], strstr(err.message, cases[i]));
        input_free_ids(&ids);
    }
}

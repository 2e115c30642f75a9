/* cli/terminal - text that is safe to show, and JSON strings. */
#include "harness.h"

#include <fcntl.h>

#include "cli/terminal.h"

/* What the function writes for some bytes, into `out`. */
static size_t json_string(const char *text, size_t n_bytes, char *out, size_t out_bytes)
{
    FILE *stream = fmemopen(out, out_bytes, "w");

    terminal_write_json_string(stream, text, n_bytes);
    size_t n = (size_t)ftell(stream);
    fclose(stream);
    return n;
}

TEST(pieces_are_json_strings_or_hex)
{
    static const struct {
        const char *text;
        size_t n_bytes;
        const char *want;
    } cases[] = {
        {"", 0, "\"\""},
        {" the", 4, "\" the\""},
        {"\"\\", 2, "\"\\\"\\\\\""},
        {"\n\t\x01\x7f", 4, "\"\\n\\u0009\\u0001\\u007f\""},
        {"\xc3\xa9", 2, "\"\xc3\xa9\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xc3", 1, "hex:c3"},
        {"a\xff", 2, "hex:61ff"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char got[64] = {0};
        size_t n = json_string(cases[i].text, cases[i].n_bytes, got, sizeof got);
        CHECK_CASE(cases[i].want, n == strlen(cases[i].want));
        CHECK_CASE(cases[i].want, strcmp(got, cases[i].want) == 0);
    }
}

/* Runs the writer on a terminal of its own and reads what a terminal would get. */
static size_t shown_on_terminal(const char *text, size_t n_bytes, char *out, size_t out_bytes)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY), saved = dup(STDOUT_FILENO);
    size_t n_read = 0;

    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) return SIZE_MAX;
    int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    if (slave < 0) return SIZE_MAX;
    fflush(stdout);
    dup2(slave, STDOUT_FILENO);
    terminal_write_text(text, n_bytes);
    putchar('|'); // so that there is always something to read, and an end
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    while (n_read < out_bytes - 1 && (n_read == 0 || out[n_read - 1] != '|')) {
        ssize_t n = read(terminal, out + n_read, out_bytes - 1 - n_read);
        if (n <= 0) break;
        n_read += (size_t)n;
    }
    close(slave);
    close(saved);
    close(terminal);
    out[n_read > 0 ? n_read - 1 : 0] = '\0';
    return n_read;
}

TEST(a_terminal_gets_no_control_characters)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain\ttext", "plain\ttext"}, {"\x1b[2J", "\\x1b[2J"}, // clears the screen
        {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},              // retitles the window
        {"a\rb", "a\\x0db"},                                     // overwrites the line
        {"\xc2\x9b"
         "2J",
            "\\xc2\\x9b"
            "2J"},                                        // CSI of one character
        {"\xff\x7f", "\\xff\\x7f"},                       // no UTF-8; DEL
        {"\xe2\x80\xae\xc3\xa9", "\xe2\x80\xae\xc3\xa9"}, // direction is part of a text
        {"\xef\xbf\xbd", "\xef\xbf\xbd"},                 // U+FFFD itself
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char got[128] = {0};
        size_t n = shown_on_terminal(cases[i].text, strlen(cases[i].text), got, sizeof got);
        if (n == SIZE_MAX) TEST_SKIP("this machine gives no pseudo-terminals");
        CHECK_CASE(cases[i].want, strcmp(got, cases[i].want) == 0);
    }
}

TEST(a_pipe_gets_the_bytes)
{
    static const char text[] = "\x1b[2J\xff\r";
    char got[16] = {0};
    int ends[2], saved = dup(STDOUT_FILENO);

    CHECK(pipe(ends) == 0);
    fflush(stdout);
    dup2(ends[1], STDOUT_FILENO);
    terminal_write_text(text, sizeof text - 1);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(ends[1]);
    CHECK(read(ends[0], got, sizeof got) == (ssize_t)sizeof text - 1);
    CHECK_BITS(text, got, sizeof text - 1);
    close(ends[0]);
    close(saved);
}

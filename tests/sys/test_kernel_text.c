/* tests/sys/test_kernel_text.c - reading what the kernel writes (sys/kernel_text.h) */
#include "sys/kernel_text.h"

#include <fcntl.h>
#include <unistd.h>

#include "harness.h"

static const char *make_text(const char *text)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/text", harness_temporary_folder());
    FILE *stream = fopen(path, "w");
    CHECK(stream && fputs(text, stream) >= 0 && fclose(stream) == 0);
    return path;
}

TEST(kernel_text_reads_a_whole_file_and_cuts_a_long_one)
{
    char text[6];

    CHECK(kernel_text_read(make_text("four\n"), text, sizeof(text)));
    CHECK(strcmp(text, "four\n") == 0);
    CHECK(kernel_text_read(make_text("seventeen"), text, sizeof(text)));
    CHECK(strcmp(text, "seven") == 0);
}

TEST(kernel_text_says_when_there_is_nothing)
{
    char text[8] = "before";

    CHECK(!kernel_text_read("/proc/nothing", text, sizeof(text)));
    CHECK(*text == '\0');
    CHECK(!kernel_text_read("/proc", text, sizeof(text)));
    CHECK(!kernel_text_read(make_text(""), text, sizeof(text)));
}

TEST(kernel_text_takes_numbers_only)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t want;
    } cases[] = {
        {"12\n", true, 12},
        {"  \t7 kB", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"-1", false, 0},
        {"max", false, 0},
        {" \n", false, 0},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t got = 99;
        bool ok = kernel_text_number(make_text(cases[i].text), &got);
        CHECK_CASE(cases[i].text, ok == cases[i].valid);
        CHECK_CASE(cases[i].text, got == (cases[i].valid ? cases[i].want : 99));
    }
}

TEST(kernel_text_finds_fields_at_the_start_of_lines)
{
    const char *text = "VmPeak:\t  900 kB\nNotVmRSS: 3\nVmRSS:\t 12 kB\nlast 5";
    uint64_t got = 99;

    CHECK(kernel_text_field(text, "VmRSS:", &got) && got == 12);
    CHECK(kernel_text_field(text, "VmPeak:", &got) && got == 900);
    CHECK(kernel_text_field(text, "last", &got) && got == 5);
    got = 99;
    CHECK(!kernel_text_field(text, "RSS:", &got));
    CHECK(!kernel_text_field("", "x", &got));
    CHECK(got == 99);
}

TEST(kernel_text_reads_an_open_file_anew)
{
    char text[16];
    int fd = open(make_text("one"), O_RDONLY);

    CHECK(kernel_text_read_again(fd, text, sizeof(text)) && strcmp(text, "one") == 0);
    CHECK(kernel_text_read_again(fd, text, sizeof(text)) && strcmp(text, "one") == 0);
    make_text("seventeen"); // the same file
    CHECK(kernel_text_read_again(fd, text, sizeof(text)) && strcmp(text, "seventeen") == 0);
    close(fd);
    CHECK(!kernel_text_read_again(-1, text, sizeof(text)) && text[0] == '\0');
}

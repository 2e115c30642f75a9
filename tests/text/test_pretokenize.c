/* Where texts are cut, by the name of the pre-tokenizer. '|' marks the cuts. */
#include "text/pretokenize.h"

#include "harness.h"

#define TEXT_CHARS_MAX 256

// clang-format off
static const struct {
    const char *pre, *wanted;
} cases[] = {
    {"gpt-2", "Hello| world|!|  | how|'s| it|'|S|?"},
    {"gpt-2", " |\t|x| 12345|-->|\n\n"},
    {"gpt-2", "a|  | b|\n|c|   "},
    {"gpt-2", "café| ½½| 中文|。"},
    {"llama3", "Hello| world|!|  | how|'s| it|'S|?"},
    {"llama3", "123|45| |678|9"},
    {"llama3", "(foo|_bar|)\n\n|  | baz|\n  \n|  | x"},
    {"llama3", "a|\r\n\r\n|b| ...\n\n|c|  "},
    {"llama3", "nai\xc3\xafve|\xcc\x81x"},            // a mark may lead a word
    {"qwen2", "1|2|3| |4|'LL|'xy|'re"},
    {"qwen2", "x|  |\u3000y|\n\n|z"},
    {"qwen35", "nai\xcc\x88ve\xcc\x81x"},            // marks are part of words
    {"default", "a|+|b|...|c|,| d| |123|456|7"},
    {"falcon", "a|`+`|b| |123|4"},
    {"starcoder", "x|1|2| |3|y"},
    {"deepseek-v3", "123|45|中文かな|abc|$x| é|!!\n\n|x"},
    {"deepseek-coder", "a|\n|\n|b| c|!?|中文|1|2"},
    {"gpt-4o", "HTTPServer| Camel|Case's| XMLs|12|/\n/|x"},
    {"tekken", "HTTPServer|'s| A|1|2"},
    {"kimi-k2", "中文|abc|中文|AB|12"},
    {"superbpe", "x|1|234|567|y|123"},
    {"bloom", "a| b| c|,| d|. "},
    {"laguna", "a| b|\n\n|c"},
    {"minicpm5", "a|123|4|b"},
    {"exaone-moe", " a b| | c"},
    {"seed-coder", "a|!!|\n|b"},
    {"ufakzeka", "it|'s"},
};
// clang-format on

/* Decodes a text without its marks, cuts it, and writes it with the cuts marked. */
static void cut(const char *pre, const char *wanted, char *out)
{
    Char chars[TEXT_CHARS_MAX];
    char text[TEXT_CHARS_MAX];
    size_t n = 0, at_out = 0;

    for (; *wanted; wanted++)
        if (*wanted != '|') text[n++] = *wanted;
    n = chars_decode((StringView){text, n}, chars);
    pretokenize(pretokenizer_find(view_of(pre)), chars, n);
    for (size_t at = 0, end; at < n; at = end) {
        end = pretokenize_piece_end(chars, at, n);
        if (at > 0) out[at_out++] = '|';
        for (size_t i = at; i < end; i++) at_out += char_encode(chars[i], (uint8_t *)out + at_out);
    }
    out[at_out] = '\0';
}

TEST(names_cut_where_the_table_says)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        char got[4 * TEXT_CHARS_MAX];
        if (!CHECK_CASE(cases[i].pre, pretokenizer_find(view_of(cases[i].pre)) != NULL)) continue;
        cut(cases[i].pre, cases[i].wanted, got);
        if (!CHECK_CASE(cases[i].pre, strcmp(got, cases[i].wanted) == 0))
            printf("    wanted %s\n    got    %s\n", cases[i].wanted, got);
    }
}

TEST(names_that_are_not_built_are_not_guessed)
{
    const char *names[] = {"", "llama", "llama3 ", "gpt-2 mpt", "gemma4", "tiny_aya", "LLAMA3"};

    for (size_t i = 0; i < COUNT(names); i++)
        CHECK_CASE(names[i], pretokenizer_find(view_of(names[i])) == NULL);
    CHECK(pretokenizer_find(view_of("llama-bpe")) == pretokenizer_find(view_of("llama3")));
}

TEST(the_list_names_each_row_once_and_is_cut_to_its_room)
{
    char list[1024], small[16];
    size_t n_names = 0;

    pretokenizer_list(list, sizeof(list));
    for (char *at = list; *at; n_names++) {
        size_t n = strcspn(at, ",");
        CHECK(pretokenizer_find((StringView){at, n}) != NULL);
        at += n + (at[n] ? 2 : 0);
    }
    CHECK(n_names == 29);
    pretokenizer_list(small, sizeof(small));
    CHECK(strncmp(small, list, sizeof(small) - 1) == 0 && small[15] == '\0');
}

/* Each of these is where a scan to the end from every character would take hours. */
TEST(every_name_cuts_long_runs_in_linear_time)
{
    enum { N = 1 << 18 };
    static Char chars[N];
    static char text[N];
    const char *runs[] = {"a", "A", " ", "\n", "0", ".", "'", "aA", " \n", "\t ", "A1", " a",
        "\xff", "\xcc\x81", "\xc3\xa9", "\303\251A"};
    char list[1024];

    pretokenizer_list(list, sizeof(list));
    for (char *at = list; *at;) {
        size_t n_name = strcspn(at, ",");
        const Pretokenizer *row = pretokenizer_find((StringView){at, n_name});
        for (size_t r = 0; r < COUNT(runs); r++) {
            for (size_t i = 0; i < N; i++) text[i] = runs[r][i % strlen(runs[r])];
            size_t n = chars_decode((StringView){text, N}, chars), n_covered = 0;
            pretokenize(row, chars, n);
            for (size_t i = 0; i < n; i = n_covered) n_covered = pretokenize_piece_end(chars, i, n);
            CHECK(n_covered == n);
        }
        at += n_name + (at[n_name] ? 2 : 0);
    }
}

/* `hypura tokenize` and `hypura detokenize` from outside. */
#include "program.h"

static Program program;

TEST(ids_stand_on_one_line)
{
    program.input = "Hello world";
    CHECK(RUN(&program, "tokenize", MIXTURE) == 0);
    CHECK(program.n_err == 0);
    CHECK(strcmp(program.out, "42 498 81 1076\n") == 0);
    CHECK(RUN(&program, "tokenize", MIXTURE, "--pieces") == 0);
    CHECK(strcmp(program.out, "42\t\"H\"\n498\t\"ell\"\n81\t\"o\"\n1076\t\" world\"\n") == 0);
    program.input = NULL;
    CHECK(RUN(&program, "tokenize", MIXTURE) == 0);
    CHECK(strcmp(program.out, "\n") == 0);
}

TEST(special_tokens_are_text_unless_asked_for)
{
    program.input = "<|im_end|>";
    CHECK(RUN(&program, "tokenize", MIXTURE, "--special") == 0);
    CHECK(strcmp(program.out, "2\n") == 0);
    CHECK(RUN(&program, "tokenize", MIXTURE) == 0);
    CHECK(strchr(program.out, ' ')); // several tokens
    program.input = NULL;
    CHECK(RUN(&program, "detokenize", MIXTURE, "2") == 0);
    CHECK(program.n_out == 0);
    CHECK(RUN(&program, "detokenize", MIXTURE, "--special", "2") == 0);
    CHECK(strcmp(program.out, "<|im_end|>") == 0);
}

TEST(any_characters_survive_both_ways)
{
    static char ids[PROGRAM_BYTES_MAX + 1];
    char bytes[128 + 3 * 64];

    for (size_t i = 0; i < 128; i++) bytes[i] = (char)i;
    for (size_t i = 0; i < 64; i++) // U+2040 to U+207F
        memcpy(bytes + 128 + 3 * i, (const char[]){(char)0xe2, (char)0x81, (char)(0x80 + i)}, 3);
    program.input = bytes;
    program.n_input = sizeof bytes;
    CHECK(RUN(&program, "tokenize", MIXTURE) == 0);
    memcpy(ids, program.out, program.n_out + 1);
    program.input = ids;
    program.n_input = 0;
    CHECK(RUN(&program, "detokenize", MIXTURE) == 0);
    CHECK(program.n_out == sizeof bytes);
    CHECK_BITS(bytes, program.out, sizeof bytes);
    program.input = NULL;
}

TEST(pieces_that_are_no_characters_are_hex)
{
    program.input = "\xf0\x9f\xa6\x8a"; // a fox, which the vocabulary has no token for
    CHECK(RUN(&program, "tokenize", MIXTURE, "--pieces") == 0);
    CHECK(strstr(program.out, "\thex:") && strstr(program.out, "8a\n"));
    program.input = NULL;
}

TEST(begin_tokens_are_added_unless_forbidden)
{
    const char *model = program_tiny_model("tiny-dense"); // adds 510

    program.input = "a";
    CHECK(RUN(&program, "tokenize", model) == 0);
    CHECK(strcmp(program.out, "510 97\n") == 0);
    CHECK(RUN(&program, "tokenize", model, "--no-add-special") == 0);
    CHECK(strcmp(program.out, "97\n") == 0);
    program.input = "510,97 98\n";
    CHECK(RUN(&program, "detokenize", model) == 0);
    CHECK(strcmp(program.out, "ab") == 0);
    program.input = NULL;
}

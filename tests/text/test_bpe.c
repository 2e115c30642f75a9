/* Byte-level BPE over a vocabulary of 256 letters and a few merges. */
#include "text/bpe.h"

#include "base/log.h"
#include "text/made.h"

static const MadeToken tokens[] = {{.text = "he"}, {.text = "ll"}, {.text = "llo"},
    {.text = "hello"}, {.text = "Ġhello"}, {.text = "Ġw"}, {.text = "abc"}, {.text = "Ã©"},
    {.text = "lo"}};
static const char *const merges[] = {
    "l l", "h e", "ll o", "he llo", "Ġ hello", "Ġ w", "Ã ©", "l o"};

static Vocab *make(Made *made, const char *pre)
{
    made_bpe(made, pre, tokens, COUNT(tokens), merges, COUNT(merges));
    return made_vocab(made);
}

TEST(letters_and_bytes_are_one_to_one)
{
    bool seen[0x200] = {0};
    size_t n_bytes = 0;

    for (unsigned byte = 0; byte < 256; byte++) {
        uint32_t letter = bpe_letter_of_byte((uint8_t)byte);
        CHECK(letter < 0x144 && !seen[letter]);
        seen[letter] = true;
        CHECK(bpe_byte_of_letter(letter) == (int)byte);
    }
    for (uint32_t code = 0; code < 0x30000; code++) n_bytes += bpe_byte_of_letter(code) >= 0;
    CHECK(n_bytes == 256);
    CHECK(bpe_letter_of_byte(' ') == 0x120 && bpe_letter_of_byte('\n') == 0x10a);
}

TEST(merges_join_by_rank_and_from_the_left)
{
    Made made;
    Vocab *vocab = make(&made, "gpt-2");

    CHECK(gives(vocab, "hello", "hello"));
    CHECK(gives(vocab, "hello hello", "hello|Ġhello"));
    CHECK(gives(vocab, "lllo", "ll|lo")); // the left pair of l first
    CHECK(gives(vocab, "hel", "he|l"));
    CHECK(gives(vocab, "é", "Ã©"));
    CHECK(gives(vocab, "\xff", "ï|¿|½")); // U+FFFD, byte by byte
    CHECK(gives(vocab, "", ""));
    vocab_free(vocab);
}

TEST(a_token_that_no_merge_reaches_needs_ignore_merges)
{
    Made made;
    Vocab *gpt2 = make(&made, "gpt-2"), *llama3;

    CHECK(gives(gpt2, "abc", "a|b|c"));
    vocab_free(gpt2);
    llama3 = make(&made, "llama3");
    CHECK(gives(llama3, "abc", "abc"));
    CHECK(gives(llama3, "abcd", "a|b|c|d"));
    vocab_free(llama3);
}

TEST(a_byte_without_token_gives_nothing)
{
    static const MadeToken few[] = {{.text = "a"}, {.text = "b"}, {.text = "ab"}};
    static const char *const one[] = {"a b"};
    Made made;

    made_bpe(&made, "gpt-2", few, COUNT(few), one, 1);
    made.n_letters = 0;
    made.source.n_tokens = COUNT(few);
    Vocab *vocab = made_vocab(&made);
    CHECK(gives(vocab, "axab", "a|ab"));
    vocab_free(vocab);
}

TEST(a_merge_given_twice_has_its_first_rank)
{
    static const MadeToken more[] = {{.text = "ab"}, {.text = "bc"}};
    static const char *const twice[] = {"a b", "b c", "a b"};
    Made made;

    made_bpe(&made, "gpt-2", more, COUNT(more), twice, COUNT(twice));
    Vocab *vocab = made_vocab(&made);
    CHECK(gives(vocab, "abc", "ab|c"));
    vocab_free(vocab);
}

TEST(merges_that_are_none_are_refused_by_number)
{
    static const char *const bad[] = {
        "", "a", "ab", " ", "  ", " a", "a ", "h x", "x h", "e h", "he llo he"};

    log_set_level(LOG_QUIET);
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *const lines[] = {"h e", bad[i]};
        Error err = {0};
        Made made;
        made_bpe(&made, "gpt-2", tokens, COUNT(tokens), lines, 2);
        CHECK_CASE(bad[i], vocab_create(&made.source, &err) == NULL);
        CHECK_ERROR(err, ERROR_TOKENIZER);
        CHECK_CASE(bad[i], strstr(err.message, "merge 1") != NULL);
    }
}

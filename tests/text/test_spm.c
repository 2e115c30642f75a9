/* SentencePiece-style BPE: scores, prefix blank, bytes, words. */
#include "text/spm.h"

#include <math.h>

#include "base/log.h"
#include "text/made.h"

#define B SPM_BLANK

static const MadeToken tokens[] = {{.text = "<unk>", .type = 2}, {.text = "<s>", .type = 3},
    {.text = "</s>", .type = 3}, {.text = "<0x41>", .type = 6}, {.text = "<0xFF>", .type = 6},
    {.text = B, .score = -9}, {.text = "a", .score = -9}, {.text = "b", .score = -9},
    {.text = "c", .score = -9}, {.text = "ab", .score = -1}, {.text = "bc", .score = 0},
    {.text = "abc", .score = -5}, {.text = B "a", .score = -2}, {.text = "aa", .score = -3},
    {.text = "中", .score = -9}, {.text = B B, .score = -3}};

TEST(the_highest_score_merges_first)
{
    Made made;

    made_spm(&made, tokens, COUNT(tokens));
    Vocab *vocab = made_vocab(&made);
    CHECK(gives(vocab, "bc", B "|bc"));
    CHECK(gives(vocab, "abc", B "a|bc"));     // bc, then ▁a; ▁abc is no token
    CHECK(gives(vocab, "babc", B "|b|abc"));  // bc, then a+bc
    CHECK(gives(vocab, "caaa", B "|c|aa|a")); // equal scores: leftmost
    CHECK(gives(vocab, "中b", B "|中|b"));
    CHECK(gives(vocab, "", ""));
    vocab_free(vocab);
}

TEST(the_prefix_blank_stands_before_text_and_after_special_tokens)
{
    Made made;
    TokenizeOptions parse = {.parse_special = true}, both = {true, true};

    made_spm(&made, tokens, COUNT(tokens));
    Vocab *vocab = made_vocab(&made);
    CHECK(strcmp(tokens_of(vocab, view_of("b<s>b</s>"), parse), B "|b|<s>|" B "|b|</s>") == 0);
    CHECK(strcmp(tokens_of(vocab, view_of(" b"), both), "<s>|" B B "|b") == 0);
    vocab_free(vocab);

    made.source.add_space_prefix = 0;
    vocab = made_vocab(&made);
    CHECK(gives(vocab, "b b", "b|" B "|b"));
    vocab_free(vocab);
}

TEST(what_is_no_token_becomes_bytes_or_the_unknown_token)
{
    Made made;

    made_spm(&made, tokens, COUNT(tokens));
    Vocab *vocab = made_vocab(&made);
    CHECK(gives(vocab, "A", B "|<0x41>"));
    CHECK(gives(vocab, "é", B "|<unk>|<unk>"));
    CHECK(gives(vocab, "\xff", B "|<0xFF>"));
    // A bad first byte says four bytes, so the blank behind it comes apart.
    CHECK(gives(vocab, "\xff b", B "|<0xFF>|<unk>|<unk>|<unk>|b"));
    vocab_free(vocab);
}

TEST(tokens_over_words_are_found_where_a_vocabulary_has_them)
{
    static const MadeToken crossing[] = {{.text = "<unk>", .type = 2}, {.text = B, .score = -9},
        {.text = "a", .score = -9}, {.text = "b", .score = -9}, {.text = "a" B, .score = -1},
        {.text = "a" B "b", .score = -2}};
    Made made;

    made_spm(&made, crossing, COUNT(crossing));
    Vocab *vocab = made_vocab(&made);
    CHECK(!vocab->spm.words_are_apart);
    CHECK(gives(vocab, "a b", B "|a" B "b"));
    vocab_free(vocab);

    made_spm(&made, tokens, COUNT(tokens));
    vocab = made_vocab(&made);
    CHECK(vocab->spm.words_are_apart);
    vocab_free(vocab);
}

TEST(scores_must_be_there_and_be_numbers)
{
    static MadeToken bad[] = {{.text = "<unk>", .type = 2}, {.text = "a"}};
    Error err = {0};
    Made made;

    log_set_level(LOG_QUIET);
    made_spm(&made, bad, COUNT(bad));
    made.source.score = NULL;
    CHECK(vocab_create(&made.source, &err) == NULL);
    CHECK_ERROR(err, ERROR_TOKENIZER);

    bad[1].score = NAN;
    made_spm(&made, bad, COUNT(bad));
    err = (Error){0};
    CHECK(vocab_create(&made.source, &err) == NULL);
    CHECK_ERROR(err, ERROR_TOKENIZER);
    CHECK(strstr(err.message, "token 1") != NULL);

    bad[1].score = -INFINITY; // a number, the worst
    Vocab *vocab = made_vocab(&made);
    CHECK(gives(vocab, "a", "<unk>|<unk>|<unk>|a"));
    vocab_free(vocab);
}

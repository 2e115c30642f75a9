/* Ids to text: pieces, the prefix blank, the clean-up of blanks. */
#include "base/fault.h"
#include "base/ledger.h"
#include "base/log.h"
#include "text/made.h"

/* Tokenizes and comes back. */
static bool comes_back(const Vocab *vocab, const char *text, const char *wanted)
{
    TokenList ids = {0};
    TextBuffer back = {0};

    CHECK(vocab_tokenize(vocab, view_of(text), (TokenizeOptions){0}, &ids, NULL));
    CHECK(vocab_detokenize(vocab, ids.ids, ids.n, (DetokenizeOptions){0}, &back, NULL));
    bool same = view_is((StringView){back.data, back.n_bytes}, wanted);
    if (!same)
        printf("    '%s': wanted '%s', got '%.*s'\n", text, wanted, (int)back.n_bytes, back.data);
    token_list_free(&ids);
    text_buffer_free(&back);
    return same;
}

// clang-format off
static const struct {
    const char *text, *wanted;
} cleaned[] = {
    {"",                    ""},
    {" ",                   " "},
    {"a , b . c ! d ?",     "a, b. c! d?"},
    {" .",                  "."},
    {"a  .",                "a ."},
    {"a ; b",               "a ; b"},
    {"it 's I 'm",          "it's I'm"},
    {"we 're I 've",        "we're I've"},
    {"he 'll I 'd 'x",      "he 'll I 'd 'x"},
    {"a ' b",               "a'b"},
    {"a ' ' b",             "a'' b"},
    {" '",                  " '"},
    {" 'r",                 " 'r"},
};
// clang-format on

TEST(clean_spaces_drops_what_the_table_says)
{
    Made made;

    log_set_level(LOG_QUIET);
    made_bpe(&made, "gpt-2", NULL, 0, NULL, 0);
    Vocab *vocab = made_vocab(&made);
    for (size_t i = 0; i < COUNT(cleaned); i++)
        CHECK_CASE(cleaned[i].text, comes_back(vocab, cleaned[i].text, cleaned[i].wanted));
    vocab_free(vocab);

    made_bpe(&made, "qwen2", NULL, 0, NULL, 0); // whose files say that nothing is cleaned
    vocab = made_vocab(&made);
    for (size_t i = 0; i < COUNT(cleaned); i++)
        CHECK_CASE(cleaned[i].text, comes_back(vocab, cleaned[i].text, cleaned[i].text));
    vocab_free(vocab);
}

TEST(any_text_comes_back_from_bytes)
{
    Made made;

    made_bpe(&made, "qwen2", NULL, 0, NULL, 0);
    Vocab *vocab = made_vocab(&made);
    CHECK(comes_back(vocab, "naïve 中文 \xf0\x9f\xa6\x99\n\t", "naïve 中文 \xf0\x9f\xa6\x99\n\t"));
    vocab_free(vocab);
}

TEST(pieces_follow_the_type)
{
    static const MadeToken tokens[] = {{.text = "Ġhi"}, {.text = "Ġuser", .type = 4},
        {.text = "Ġctl", .type = 3}, {.text = "<0x0A>", .type = 6}, {.text = "<0xZZ>", .type = 6},
        {.text = "<0x-1>", .type = 6}, {.text = "日本"}, {.text = "", .type = 1},
        {.text = "\xff\xc4", .type = 1}};
    Made made;

    log_set_level(LOG_QUIET);
    made_bpe(&made, "gpt-2", tokens, COUNT(tokens), NULL, 0);
    Vocab *vocab = made_vocab(&made);
    CHECK(view_is(vocab_piece(vocab, 256, false), " hi"));
    CHECK(view_is(vocab_piece(vocab, 257, false), "Ġuser"));
    CHECK(vocab_piece(vocab, 258, false).n_bytes == 0);
    CHECK(view_is(vocab_piece(vocab, 258, true), "Ġctl"));
    CHECK(view_is(vocab_piece(vocab, 259, false), "\n"));
    CHECK(view_is(vocab_piece(vocab, 260, false), "<0xZZ>"));
    CHECK(view_is(vocab_piece(vocab, 261, false), "<0x-1>"));
    CHECK(view_is(vocab_piece(vocab, 262, false), "日本"));
    CHECK(view_is(vocab_piece(vocab, 263, false), "[EMPTY_263]"));
    CHECK(view_is(vocab_piece(vocab, 264, false), "\xff\xc4"));
    CHECK(vocab_piece(vocab, 265, true).n_bytes == 0 && vocab_piece(vocab, -1, true).n_bytes == 0);
    CHECK(view_is(vocab_token_text(vocab, 256), "Ġhi"));
    CHECK(vocab_token_text(vocab, 265).n_bytes == 0);
    vocab_free(vocab);
}

TEST(the_prefix_blank_goes_with_the_first_token)
{
    static const MadeToken tokens[] = {{.text = "<unk>", .type = 2}, {.text = "<s>", .type = 3},
        {.text = "</s>", .type = 3}, {.text = SPM_BLANK}, {.text = SPM_BLANK "a"}, {.text = "a"}};
    static const struct {
        const char *label;
        int32_t ids[4];
        size_t n;
        DetokenizeOptions options;
        const char *wanted;
    } cases[] = {
        {"first token's blank", {4, 4}, 2, {false, false}, "a a"},
        {"one blank only", {3, 4}, 2, {false, false}, " a"},
        {"hidden token is first", {1, 4}, 2, {false, false}, " a"},
        {"shown token is first", {1, 4, 2}, 3, {false, true}, "<s> a</s>"},
        {"removed", {1, 4, 2}, 3, {true, true}, " a</s>"}, // EOS is not added, so it stays
        {"nothing", {0}, 0, {true, true}, ""},
        {"only what is removed", {1}, 1, {true, true}, ""},
        {"ids out of range", {-5, 99, 5}, 3, {false, true}, "a"},
    };
    Made made;

    made_spm(&made, tokens, COUNT(tokens));
    Vocab *vocab = made_vocab(&made);
    for (size_t i = 0; i < COUNT(cases); i++) {
        TextBuffer out = {0};
        CHECK(vocab_detokenize(vocab, cases[i].ids, cases[i].n, cases[i].options, &out, NULL));
        CHECK_CASE(cases[i].label, view_is((StringView){out.data, out.n_bytes}, cases[i].wanted));
        text_buffer_free(&out);
    }
    vocab_free(vocab);
}

TEST(text_is_appended_and_a_failure_leaves_it)
{
    Made made;
    TextBuffer out = {0};
    int32_t ids[200];
    Error err = {0};

    made_bpe(&made, "gpt-2", NULL, 0, NULL, 0);
    Vocab *vocab = made_vocab(&made);
    for (size_t i = 0; i < COUNT(ids); i++) ids[i] = '.';
    CHECK(text_buffer_append(&out, view_of("kept "), NULL));
    fault_arm(FAULT_ALLOC, 1, true);
    CHECK(!vocab_detokenize(vocab, ids, COUNT(ids), (DetokenizeOptions){0}, &out, &err));
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(view_is((StringView){out.data, out.n_bytes}, "kept "));
    CHECK(vocab_detokenize(vocab, ids, 2, (DetokenizeOptions){0}, &out, NULL));
    CHECK(view_is((StringView){out.data, out.n_bytes}, "kept ..")); // cleaned alone
    text_buffer_free(&out);
    vocab_free(vocab);
    CHECK(ledger_held(MEM_TEXT) == 0);
}

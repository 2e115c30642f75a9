/* What ends a generation, what is control, whatever the file says. */
#include "base/log.h"
#include "text/made.h"

static unsigned attributes_of(const Vocab *vocab, const char *text)
{
    return vocab->attributes[text_table_find(&vocab->texts, view_of(text))];
}

static bool ends(const Vocab *vocab, const char *text)
{
    return vocab_ends_generation(vocab, (int32_t)text_table_find(&vocab->texts, view_of(text)));
}

TEST(known_texts_and_keys_end_a_generation)
{
    static const MadeToken tokens[] = {{.text = "<|im_end|>"}, {.text = "</s>", .type = 4},
        {.text = "stop"}, {.text = "eom"}, {.text = "<fim_pad>", .type = 3},
        {.text = "other", .type = 3}, {.text = "<｜end▁of▁sentence｜>"}, {.text = "<|file_sep|>"}};
    Made made;

    made_bpe(&made, "gpt-2", tokens, COUNT(tokens), NULL, 0);
    made.source.eos = 256 + 2;
    made.source.eom = 256 + 3;
    Vocab *vocab = made_vocab(&made);
    CHECK(ends(vocab, "<|im_end|>") && attributes_of(vocab, "<|im_end|>") & TOKEN_CONTROL);
    CHECK(ends(vocab, "</s>") && attributes_of(vocab, "</s>") & TOKEN_CONTROL);
    CHECK(ends(vocab, "stop") && !(attributes_of(vocab, "stop") & TOKEN_CONTROL));
    CHECK(ends(vocab, "eom") && ends(vocab, "<fim_pad>") && ends(vocab, "<|file_sep|>"));
    CHECK(ends(vocab, "<｜end▁of▁sentence｜>"));
    CHECK(!ends(vocab, "other") && !ends(vocab, "a"));
    CHECK(!vocab_ends_generation(vocab, -1) && !vocab_ends_generation(vocab, 264));
    CHECK(!vocab_ends_generation(vocab, INT32_MIN) && !vocab_ends_generation(vocab, INT32_MAX));
    vocab_free(vocab);
}

TEST(harmony_answers_go_on_behind_end_and_show_their_channels)
{
    static const MadeToken tokens[] = {{.text = "<|end|>", .type = 3},
        {.text = "<|return|>", .type = 3}, {.text = "<|call|>", .type = 3},
        {.text = "<|channel|>", .type = 3}};
    Made made;

    made_bpe(&made, "gpt-2", tokens, COUNT(tokens), NULL, 0);
    Vocab *vocab = made_vocab(&made);
    CHECK(!ends(vocab, "<|end|>") && ends(vocab, "<|return|>") && ends(vocab, "<|call|>"));
    CHECK(view_is(vocab_piece(vocab, 256 + 3, false), "<|channel|>"));
    CHECK(vocab_piece(vocab, 256, false).n_bytes == 0);
    vocab_free(vocab);

    made.source.n_tokens = 256 + 1; // without the others it does end
    vocab = made_vocab(&made);
    CHECK(ends(vocab, "<|end|>"));
    vocab_free(vocab);
}

TEST(types_that_the_format_does_not_define_stand_for_nothing)
{
    static const MadeToken tokens[] = {{.text = "x1", .type = 7}, {.text = "x2", .type = -1},
        {.text = "x3", .type = INT32_MAX}, {.text = "x4", .type = 5}};
    Made made;

    log_set_level(LOG_QUIET);
    made_bpe(&made, "gpt-2", tokens, COUNT(tokens), NULL, 0);
    Vocab *vocab = made_vocab(&made);
    for (int32_t i = 256; i < 260; i++) CHECK(vocab_piece(vocab, i, true).n_bytes == 0);
    vocab_free(vocab);
}

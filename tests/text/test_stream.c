/* Text while tokens come: whole characters only, and in the end the same text. */
#include "base/fault.h"
#include "base/log.h"
#include "base/rng.h"
#include "text/made.h"

/* Streams bytes as tokens of one byte each; after every token the text is valid UTF-8. */
static void stream_bytes(const Vocab *vocab, StringView bytes, TextBuffer *out)
{
    DetokenizeStream stream = {0};

    for (size_t i = 0; i < bytes.n_bytes; i++) {
        CHECK(vocab_stream_token(vocab, &stream, (uint8_t)bytes.data[i], out, NULL));
        CHECK(utf8_is_valid(out->data ? out->data : "", out->n_bytes));
    }
    CHECK(vocab_stream_end(&stream, out, NULL));
    CHECK(stream.n_held == 0 && !stream.has_begun);
}

// clang-format off
static const struct {
    const char *label, *bytes, *wanted;
} cases[] = {
    {"ascii",                "plain",                         "plain"},
    {"two to four bytes",    "é中\xf0\x9f\xa6\x99.",          "é中\xf0\x9f\xa6\x99."},
    {"cut at the end",       "a\xf0\x9f\xa6",                 "a\xef\xbf\xbd"},
    {"cut by another",       "\xe4\xb8\xc3\xa9",              "\xef\xbf\xbdé"},
    {"cut by ascii",         "\xe4\xb8x",                     "\xef\xbf\xbdx"},
    {"no lead byte",         "\xff\x80",                      "\xef\xbf\xbd\xef\xbf\xbd"},
    {"surrogate",            "\xed\xa0\x80",                  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};
// clang-format on

TEST(characters_are_shown_whole)
{
    Made made;

    made_bpe(&made, "qwen2", NULL, 0, NULL, 0);
    log_set_level(LOG_QUIET);
    Vocab *vocab = made_vocab(&made);
    for (size_t i = 0; i < COUNT(cases); i++) {
        TextBuffer out = {0};
        stream_bytes(vocab, view_of(cases[i].bytes), &out);
        CHECK_CASE(cases[i].label, view_is((StringView){out.data, out.n_bytes}, cases[i].wanted));
        text_buffer_free(&out);
    }
    vocab_free(vocab);
}

TEST(a_character_is_shown_as_soon_as_it_is_whole)
{
    Made made;
    DetokenizeStream stream = {0};
    TextBuffer out = {0};
    const uint8_t bytes[] = {'a', 0xe4, 0xb8, 0xad, 0xf0, 0x9f, 0xa6, 0x99};
    const size_t wanted[] = {1, 1, 1, 4, 4, 4, 4, 8};

    made_bpe(&made, "qwen2", NULL, 0, NULL, 0);
    Vocab *vocab = made_vocab(&made);
    for (size_t i = 0; i < COUNT(bytes); i++) {
        CHECK(vocab_stream_token(vocab, &stream, bytes[i], &out, NULL));
        CHECK(out.n_bytes == wanted[i]);
    }
    text_buffer_free(&out);
    vocab_free(vocab);
}

TEST(any_bytes_stream_to_what_decoding_them_at_once_gives)
{
    Made made;
    Rng rng = rng_seeded(harness_seed());

    made_bpe(&made, "qwen2", NULL, 0, NULL, 0);
    Vocab *vocab = made_vocab(&made);
    for (int round = 0; round < 2000; round++) {
        static const uint8_t likely[] = {'a', 0x80, 0xbf, 0xc3, 0xe4, 0xed, 0xf0, 0xf4, 0xff, 0x9f};
        char bytes[16], wanted[64];
        size_t n = rng_below(&rng, sizeof(bytes)), n_wanted = 0;
        TextBuffer out = {0};
        uint32_t code;

        for (size_t i = 0; i < n; i++) bytes[i] = (char)likely[rng_below(&rng, COUNT(likely))];
        for (size_t i = 0; i < n;) {
            i += utf8_decode(bytes + i, n - i, &code);
            n_wanted += utf8_from_code_point(code, wanted + n_wanted);
        }
        stream_bytes(vocab, (StringView){bytes, n}, &out);
        CHECK(view_equal((StringView){out.data, out.n_bytes}, (StringView){wanted, n_wanted}));
        text_buffer_free(&out);
    }
    vocab_free(vocab);
}

TEST(control_tokens_are_not_shown_and_the_first_blank_goes)
{
    static const MadeToken tokens[] = {{.text = "<unk>", .type = 2}, {.text = "<s>", .type = 3},
        {.text = "</s>", .type = 3}, {.text = SPM_BLANK "a"}};
    Made made;
    DetokenizeStream stream = {0};
    TextBuffer out = {0};

    made_spm(&made, tokens, COUNT(tokens));
    Vocab *vocab = made_vocab(&made);
    CHECK(vocab_stream_token(vocab, &stream, 3, &out, NULL));
    CHECK(vocab_stream_token(vocab, &stream, 2, &out, NULL));
    CHECK(vocab_stream_token(vocab, &stream, 3, &out, NULL));
    CHECK(vocab_stream_token(vocab, &stream, 77, &out, NULL));
    CHECK(view_is((StringView){out.data, out.n_bytes}, "a a"));

    out.n_bytes = 0;
    stream = (DetokenizeStream){.has_begun = true}; // behind a prompt
    CHECK(vocab_stream_token(vocab, &stream, 3, &out, NULL));
    CHECK(view_is((StringView){out.data, out.n_bytes}, " a"));
    text_buffer_free(&out);
    vocab_free(vocab);
}

TEST(a_failed_token_leaves_text_and_stream)
{
    Made made;
    Vocab *vocab;
    uint64_t nth = 0;
    bool done = false;

    made_bpe(&made, "qwen2", NULL, 0, NULL, 0);
    vocab = made_vocab(&made);
    while (!done) {
        DetokenizeStream stream = {
            .held = {(char)0xe4, (char)0xb8}, .n_held = 2, .has_begun = true};
        TextBuffer out = {0};
        Error err = {0};
        fault_arm(FAULT_ALLOC, ++nth, true);
        done = vocab_stream_token(vocab, &stream, 0xad, &out, &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (!done) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(stream.n_held == (done ? 0 : 2) && out.n_bytes == (done ? 3 : 0));
        text_buffer_free(&out);
    }
    CHECK(nth == 3);
    vocab_free(vocab);
}

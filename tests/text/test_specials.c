/* Special and user-defined tokens are cut out of the text first. */
#include "text/specials.h"

#include "base/fault.h"
#include "base/ledger.h"
#include "text/made.h"

static const MadeToken tokens[] = {{.text = "<s>", .type = 3}, {.text = "<s><s>", .type = 3},
    {.text = "user", .type = 4}, {.text = "<think>", .type = 4}, {.text = "think>x", .type = 4},
    {.text = "  ", .type = 4}, {.text = "   ", .type = 4}, {.text = "UN", .type = 5},
    {.text = "<u>", .type = 2}};

static bool cuts(const Vocab *vocab, const char *text, bool parse_special, const char *wanted)
{
    FragmentList list;
    char got[256] = "";
    size_t n = 0;

    CHECK(specials_partition(vocab, view_of(text), parse_special, &list, NULL));
    for (size_t i = 0; i < list.n; i++) {
        Fragment f = list.items[i];
        n += (size_t)snprintf(got + n, sizeof(got) - n, f.token == TOKEN_NONE ? "%.*s|" : "{%.*s}|",
            (int)(f.end - f.begin), text + f.begin);
    }
    fragment_list_free(&list);
    if (strcmp(got, wanted) == 0) return true;
    printf("    '%s': wanted %s, got %s\n", text, wanted, got);
    return false;
}

TEST(longer_tokens_are_cut_out_before_shorter_ones)
{
    Made made;

    made_bpe(&made, "gpt-2", tokens, COUNT(tokens), NULL, 0);
    Vocab *vocab = made_vocab(&made);
    CHECK(cuts(vocab, "", true, ""));
    CHECK(cuts(vocab, "plain", true, "plain|"));
    CHECK(cuts(vocab, "<s>", true, "{<s>}|"));
    CHECK(cuts(vocab, "a<s><s><s>b", true, "a|{<s><s>}|{<s>}|b|"));
    CHECK(cuts(vocab, "a<thINk><think>y", true, "a<thINk>|{<think>}|y|"));
    CHECK(cuts(vocab, "<think>x", true, "{<think>}|x|")); // equally long: the left one
    CHECK(cuts(vocab, "a     b", true, "a|{   }|{  }|b|"));
    CHECK(cuts(vocab, "<s", true, "<s|"));
    CHECK(cuts(vocab, "UN", true, "UN|")); // unused tokens are not special
    vocab_free(vocab);
}

TEST(control_tokens_need_parse_special_and_user_defined_ones_do_not)
{
    Made made;

    made_bpe(&made, "gpt-2", tokens, COUNT(tokens), NULL, 0);
    Vocab *vocab = made_vocab(&made);
    CHECK(cuts(vocab, "<s>user<u><think>", false, "<s>|{user}|<u>|{<think>}|"));
    CHECK(cuts(vocab, "<s>user<u>", true, "{<s>}|{user}|{<u>}|"));
    vocab_free(vocab);
}

TEST(phi_3_tokens_swallow_white_space_behind_them_and_masks_before)
{
    static const MadeToken phi[] = {{.text = "<|user|>", .type = 3}, {.text = "<s>", .type = 3},
        {.text = "<mask>", .type = 4}, {.text = "          ", .type = 4}};
    Made made;

    made_bpe(&made, "gpt-2", phi, COUNT(phi), NULL, 0);
    made.source.general_name = view_of("My Phi-3 mini");
    Vocab *vocab = made_vocab(&made);
    CHECK(cuts(vocab, "a <|user|> \n\t b<s> c", true, "a |{<|user|> \n\t }|b|{<s>}| c|"));
    CHECK(cuts(vocab, "<|user|>  <|user|>", true, "{<|user|>  }|{<|user|>}|"));
    // What a longer token took is not there any more. (That one swallows what is behind it.)
    CHECK(cuts(vocab, "<|user|>           a", true, "{<|user|>}|{           }|a|"));
    vocab_free(vocab);

    made_bpe(&made, "jina-v2-de", phi, COUNT(phi), NULL, 0);
    vocab = made_vocab(&made);
    CHECK(cuts(vocab, "a \n<mask> b  <mask>", true, "a|{<mask>}| b|{<mask>}|"));
    CHECK(cuts(vocab, "  <mask>", true, "{<mask>}|"));
    CHECK(cuts(vocab, "          <mask>", true, "{          }|{<mask>}|"));
    vocab_free(vocab);
}

TEST(a_failed_partition_holds_nothing)
{
    Made made;
    FragmentList list;
    uint64_t nth = 0;
    bool done = false;

    made_bpe(&made, "gpt-2", tokens, COUNT(tokens), NULL, 0);
    Vocab *vocab = made_vocab(&made);
    uint64_t held = ledger_held(MEM_TEXT);
    while (!done) {
        Error err = {0};
        fault_arm(FAULT_ALLOC, ++nth, true);
        done = specials_partition(vocab, view_of("a<s>b<s><s>user x   y"), true, &list, &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (!done) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        if (!done) CHECK(ledger_held(MEM_TEXT) == held);
    }
    CHECK(nth > 2);
    fragment_list_free(&list);
    vocab_free(vocab);
}

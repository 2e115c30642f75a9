/* The whole way from text to ids: special ids, failures, long texts. */
#include "base/fault.h"
#include "base/ledger.h"
#include "base/log.h"
#include "base/mem.h"
#include "text/made.h"

static const MadeToken bpe_tokens[] = {{.text = "<s>", .type = 3}, {.text = "</s>", .type = 3},
    {.text = "aa"}, {.text = "aaaa"}, {.text = "ĠĠ"}, {.text = "Ã©"}};
static const char *const bpe_merges[] = {"a a", "aa aa", "Ġ Ġ", "Ã ©"};
static const MadeToken spm_tokens[] = {{.text = "<unk>", .type = 2}, {.text = "<s>", .type = 3},
    {.text = "</s>", .type = 3}, {.text = SPM_BLANK, .score = -1}, {.text = "a", .score = -2},
    {.text = "aa", .score = -3}, {.text = SPM_BLANK SPM_BLANK, .score = -4},
    {.text = "aaaa", .score = -5}};

static Vocab *make_bpe(Made *made, const char *pre)
{
    made_bpe(made, pre, bpe_tokens, COUNT(bpe_tokens), bpe_merges, COUNT(bpe_merges));
    made->source.bos = 256;
    made->source.eos = 257;
    return made_vocab(made);
}

static Vocab *make_spm(Made *made)
{
    made_spm(made, spm_tokens, COUNT(spm_tokens));
    return made_vocab(made);
}

TEST(special_ids_are_added_as_model_and_caller_want)
{
    static const struct {
        const char *pre;
        int8_t add_bos, add_eos;
        bool add_special;
        const char *wanted;
    } cases[] = {
        {"gpt-2", -1, -1, true, "aa"},
        {"llama3", -1, -1, true, "<s>|aa"},
        {"llama3", 0, -1, true, "aa"},
        {"llama3", -1, 1, true, "<s>|aa|</s>"},
        {"gpt-2", 1, 1, true, "<s>|aa|</s>"},
        {"gpt-2", 1, 1, false, "aa"},
    };

    log_set_level(LOG_QUIET);
    for (size_t i = 0; i < COUNT(cases); i++) {
        Made made;
        vocab_free(make_bpe(&made, cases[i].pre));
        made.source.add_bos = cases[i].add_bos;
        made.source.add_eos = cases[i].add_eos;
        Vocab *vocab = made_vocab(&made);
        TokenizeOptions options = {.add_special = cases[i].add_special};
        CHECK_CASE(cases[i].wanted,
            strcmp(tokens_of(vocab, view_of("aa"), options), cases[i].wanted) == 0);
        vocab_free(vocab);
    }
}

TEST(nul_bytes_are_text)
{
    Made made;
    Vocab *vocab = make_bpe(&made, "gpt-2");

    CHECK(strcmp(tokens_of(vocab, (StringView){"a\0a", 3}, (TokenizeOptions){0}), "a|Ā|a") == 0);
    vocab_free(vocab);
}

/* Every allocation of a call fails once: the list is as it was, nothing is held. */
static void check_failures(const Vocab *vocab, const char *text)
{
    TokenList ids = {0};
    bool done = false;
    uint64_t nth = 0;

    CHECK(token_list_add(&ids, 7, NULL));
    while (!done) {
        uint64_t held = ledger_held(MEM_TEXT);
        size_t capacity = ids.capacity;
        Error err = {0};
        fault_arm(FAULT_ALLOC, ++nth, true);
        done = vocab_tokenize(vocab, view_of(text), (TokenizeOptions){true, true}, &ids, &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (done) break;
        CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(ids.n == 1 && ids.ids[0] == 7);
        if (ids.capacity == capacity) CHECK(ledger_held(MEM_TEXT) == held);
    }
    CHECK(nth > 3 && ids.n > 10 && ids.ids[0] == 7);
    token_list_free(&ids);
}

TEST(a_failed_call_leaves_the_list)
{
    Made made;
    const char *text =
        "a <s>aaaaaa  aaaéé\n\n and \xff</s> more words for the list to grow by, and "
        "then again as many, since lists grow by half";
    Vocab *vocab = make_bpe(&made, "llama3");

    check_failures(vocab, text);
    vocab_free(vocab);
    vocab = make_spm(&made);
    check_failures(vocab, text);
    vocab_free(vocab);
    CHECK(ledger_held(MEM_TEXT) == 0);
}

TEST(a_failed_creation_holds_nothing)
{
    for (int model = 0; model < 2; model++) {
        Made made;
        Vocab *vocab = model == 0 ? make_bpe(&made, "llama3") : make_spm(&made);
        vocab_free(vocab);
        vocab = NULL;
        uint64_t nth = 0;
        while (!vocab) {
            Error err = {0};
            fault_arm(FAULT_ALLOC, ++nth, true);
            vocab = vocab_create(&made.source, &err);
            fault_arm(FAULT_ALLOC, 0, false);
            if (vocab) break;
            CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
            CHECK(ledger_held(MEM_TEXT) == 0);
        }
        CHECK(nth > 8);
        vocab_free(vocab);
    }
}

TEST(a_budget_is_kept)
{
    Made made;
    Vocab *vocab = make_bpe(&made, "gpt-2");
    TokenList ids = {0};
    Error err = {0};
    enum { N = 1 << 20 };
    char *text = mem_alloc(MEM_OTHER, N, NULL);

    CHECK(text != NULL);
    memset(text, 'a', N);
    ledger_set_limit(ledger_total() + N);
    CHECK(!vocab_tokenize(vocab, (StringView){text, N}, (TokenizeOptions){0}, &ids, &err));
    ledger_set_limit(0);
    CHECK_ERROR(err, ERROR_BUDGET);
    CHECK(ids.n == 0);
    token_list_free(&ids);
    mem_free(MEM_OTHER, text);
    vocab_free(vocab);
}

/* What the bound on time and stack is about: one character, over and over. */
static void check_run(const Vocab *vocab, const char *unit, char *text, size_t n, bool comes_back)
{
    TokenList ids = {0};
    TextBuffer back = {0};

    for (size_t i = 0; i < n; i++) text[i] = unit[i % strlen(unit)];
    CHECK_CASE(
        unit, vocab_tokenize(vocab, (StringView){text, n}, (TokenizeOptions){0}, &ids, NULL));
    CHECK_CASE(unit, ids.n > 0);
    if (comes_back) {
        CHECK(vocab_detokenize(vocab, ids.ids, ids.n, (DetokenizeOptions){0}, &back, NULL));
        CHECK_CASE(unit, view_equal((StringView){text, n}, (StringView){back.data, back.n_bytes}));
    }
    token_list_free(&ids);
    text_buffer_free(&back);
}

TEST(ten_megabytes_of_one_character_are_text_like_any_other)
{
    static const char *const units[] = {" ", "\n", "0", "é", "\xcc\x81"};
    const size_t n = 10000000;
    char *text = mem_alloc(MEM_OTHER, n, NULL);
    Made made;
    Vocab *vocab = make_bpe(&made, "qwen2");

    CHECK(text != NULL);
    check_run(vocab, "a", text, n, true);
    check_run(vocab, "\xff", text, n / 10, false);
    for (size_t i = 0; i < COUNT(units); i++) check_run(vocab, units[i], text, n / 10, true);
    vocab_free(vocab);
    vocab = make_spm(&made);
    check_run(vocab, " ", text, n, true);
    check_run(vocab, "a", text, n / 10, true);
    check_run(vocab, "\xff", text, n / 10, false);
    vocab_free(vocab);
    mem_free(MEM_OTHER, text);
}

TEST(a_text_above_the_limit_is_refused)
{
    Made made;
    Vocab *vocab = make_spm(&made);
    TokenList ids = {0};
    Error err = {0};
    StringView text = {"", (size_t)TEXT_BYTES_MAX + 1};

    CHECK(!vocab_tokenize(vocab, text, (TokenizeOptions){0}, &ids, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    vocab_free(vocab);
}

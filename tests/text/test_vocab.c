/*
 * The vocabulary oracle: llama.cpp's ids, texts and pieces, for every configuration whose
 * model and pre-tokenizer are built. The selection in tests/data/text is always there, the
 * whole oracle where the shared folder is.
 */
#include "text/oracle.h"

#include "base/log.h"
#include "text/made.h"

/* Pre-tokenizers and models that are not built; each must be refused by name. */
static const char not_built[] =
    " pre-deepseek-llm pre-jais-2 pre-gemma4 pre-granite-embed-multi-311m raw-model-gemma4 "
    "pre-sarvam-moe pre-whitespace pre-chameleon pre-afmoe pre-tiny_aya pre-cohere2moe own-ugm "
    "own-ugm-nocharsmap own-ugm-xlmr own-ugm-keepws own-rwkv real-deepseek-llm real-bert-bge ";

TEST(the_selection_gives_the_oracles_ids_and_texts)
{
    static Oracle oracle;

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    log_set_level(LOG_QUIET);
    if (oracle_open(&oracle, view_of(HYPURA_SOURCE_ROOT "/tests/data/text"))) {
        oracle_check(&oracle);
        CHECK(oracle.n_configs == 6);
        CHECK(oracle.n_lines == 2618);
    }
    oracle_close(&oracle);
}

TEST(all_configurations_give_the_oracles_ids_and_texts)
{
    const char *index = harness_shared_path("oracle/vocab/index.json");
    static Oracle oracle;

    if (!index) TEST_SKIP("the folder of expected data is absent");
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    log_set_level(LOG_QUIET);
    if (oracle_open(&oracle, (StringView){index, (size_t)(strrchr(index, '/') - index)})) {
        oracle.not_built = not_built;
        oracle_check(&oracle);
        CHECK(oracle.n_configs == 117);
        CHECK(oracle.n_refused == 18);
        CHECK(oracle.n_lines == 43178);
    }
    oracle_close(&oracle);
}

static bool refuses(const Made *made, const char *reason)
{
    Error err = {0};

    CHECK(vocab_create(&made->source, &err) == NULL);
    CHECK_ERROR(err, ERROR_TOKENIZER);
    CHECK(ledger_held(MEM_TEXT) == 0);
    if (strstr(err.message, reason)) return true;
    printf("    wanted '%s', got '%s'\n", reason, err.message);
    return false;
}

/* What a file may claim and no vocabulary can be. */
TEST(malformed_sources_are_refused_with_the_reason)
{
    static const MadeToken twice[] = {{.text = "x1"}, {.text = "y1"}, {.text = "x1"}};
    static const MadeToken fine[] = {{.text = "<s>", .type = 3}};
    static char huge[65538];
    const MadeToken long_token[] = {{.text = huge}};
    Made made;

    log_set_level(LOG_QUIET);
    made_bpe(&made, "gpt-2", twice, COUNT(twice), NULL, 0);
    CHECK(refuses(&made, "tokens 256 and 258"));
    memset(huge, 'x', sizeof(huge) - 1);
    made_bpe(&made, "gpt-2", long_token, 1, NULL, 0);
    CHECK(refuses(&made, "token 256: 65537 bytes"));
    made_bpe(&made, "gpt-2", fine, 1, NULL, 0);
    made.source.n_tokens = 0;
    CHECK(refuses(&made, "0 tokens"));
    made.source.n_tokens = UINT32_MAX;
    CHECK(refuses(&made, "4294967295 tokens"));

    made_bpe(&made, "gpt-2", fine, 1, NULL, 0);
    made.source.eos = 257;
    CHECK(refuses(&made, "eos_token_id 257"));
    made.source.eos = -2;
    CHECK(refuses(&made, "eos_token_id -2"));
    made.source.eos = 256;
    made.source.fim_sep = INT32_MAX;
    CHECK(refuses(&made, "fim_sep_token_id"));

    made_bpe(&made, "chameleon", fine, 1, NULL, 0);
    CHECK(refuses(&made, "'chameleon' is not built; built are default, gpt-2,"));
    made_bpe(&made, "gpt-2", fine, 1, NULL, 0);
    made.source.model = view_of("t5");
    CHECK(refuses(&made, "'t5' is not built; built are gpt2, llama"));
}

TEST(absent_keys_have_the_defaults_of_their_model)
{
    static const MadeToken tokens[] = {{.text = "u", .type = 2}, {.text = "b"}, {.text = "e"}};
    Made made;

    log_set_level(LOG_QUIET);
    made_spm(&made, tokens, COUNT(tokens));
    Vocab *vocab = made_vocab(&made);
    CHECK(vocab_bos(vocab) == 1 && vocab_eos(vocab) == 2 && vocab_adds_bos(vocab));
    CHECK(!vocab_adds_eos(vocab) && vocab_ends_generation(vocab, 2));
    vocab_free(vocab);
    made.source.n_tokens = 1;
    vocab = made_vocab(&made);
    CHECK(vocab_bos(vocab) == TOKEN_NONE && vocab_eos(vocab) == TOKEN_NONE);
    vocab_free(vocab);

    made_bpe(&made, NULL, tokens, COUNT(tokens) - 3, NULL, 0); // no pre: "default"
    made.source.type = NULL;
    vocab = made_vocab(&made);
    CHECK(vocab->pretokenizer == pretokenizer_find(view_of("default")));
    CHECK(vocab_bos(vocab) == TOKEN_NONE && vocab_eos(vocab) == TOKEN_NONE);
    CHECK(!vocab_adds_bos(vocab) && vocab_n_tokens(vocab) == 256);
    vocab_free(vocab);
    vocab_free(NULL);
}

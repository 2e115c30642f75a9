/*
 * The vocabulary oracle: llama.cpp's ids, texts and pieces, for every configuration whose
 * model and pre-tokenizer are built. The selection in tests/data/text is always there, the
 * whole oracle where the shared folder is.
 */
#include "text/oracle.h"

#include "base/log.h"
#include "gguf/writer.h"
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
        CHECK(oracle.n_lines == 1766);
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

/* A file with these keys, opened for its metadata; checks that loading fails and why. */
typedef struct KeyCase {
    const char *label;
    void (*write)(GgufWriter *writer);
    ErrorId wanted; // ERROR_NONE: loads
    const char *reason;
} KeyCase;

static const StringView three[] = {{"a", 1}, {"b", 1}, {"ab", 2}};
static const StringView one_merge[] = {{"a b", 3}};

static void write_bpe(GgufWriter *writer)
{
    gguf_writer_string(writer, "tokenizer.ggml.model", view_of("gpt2"));
    gguf_writer_string(writer, "tokenizer.ggml.pre", view_of("gpt-2"));
    gguf_writer_strings(writer, "tokenizer.ggml.tokens", three, 3);
    gguf_writer_strings(writer, "tokenizer.ggml.merges", one_merge, 1);
}

static void write_no_model(GgufWriter *writer)
{
    gguf_writer_strings(writer, "tokenizer.ggml.tokens", three, 3);
}

static void write_no_tokens(GgufWriter *writer)
{
    gguf_writer_string(writer, "tokenizer.ggml.model", view_of("gpt2"));
}

static void write_model_number(GgufWriter *writer)
{
    gguf_writer_u32(writer, "tokenizer.ggml.model", 1);
}

static void write_token_numbers(GgufWriter *writer)
{
    const int32_t numbers[] = {1, 2, 3};

    gguf_writer_string(writer, "tokenizer.ggml.model", view_of("gpt2"));
    gguf_writer_i32s(writer, "tokenizer.ggml.tokens", numbers, 3);
}

static void write_few_scores(GgufWriter *writer)
{
    const float scores[] = {0, 0};

    write_bpe(writer);
    gguf_writer_f32s(writer, "tokenizer.ggml.scores", scores, 2);
}

static void write_many_types(GgufWriter *writer)
{
    const int32_t types[] = {1, 1, 1, 1};

    write_bpe(writer);
    gguf_writer_i32s(writer, "tokenizer.ggml.token_type", types, 4);
}

static void write_far_bos(GgufWriter *writer)
{
    write_bpe(writer);
    gguf_writer_u32(writer, "tokenizer.ggml.bos_token_id", 3);
}

static void write_huge_eos(GgufWriter *writer)
{
    write_bpe(writer);
    gguf_writer_u64(writer, "tokenizer.ggml.eos_token_id", UINT64_C(1) << 33);
}

static void write_none_ids(GgufWriter *writer)
{
    write_bpe(writer);
    gguf_writer_u32(writer, "tokenizer.ggml.bos_token_id", UINT32_MAX);
    gguf_writer_i32(writer, "tokenizer.ggml.padding_token_id", -1);
}

static void write_text_flag(GgufWriter *writer)
{
    write_bpe(writer);
    gguf_writer_string(writer, "tokenizer.ggml.add_bos_token", view_of("true"));
}

static const KeyCase key_cases[] = {
    {"whole", write_bpe, ERROR_NONE, ""},
    {"ids that say none", write_none_ids, ERROR_NONE, ""},
    {"no model", write_no_model, ERROR_KEY_MISSING, "tokenizer.ggml.model"},
    {"no tokens", write_no_tokens, ERROR_KEY_MISSING, "tokenizer.ggml.tokens"},
    {"model is a number", write_model_number, ERROR_KEY_TYPE, "tokenizer.ggml.model"},
    {"tokens are numbers", write_token_numbers, ERROR_KEY_TYPE, "tokenizer.ggml.tokens"},
    {"two scores for three", write_few_scores, ERROR_TOKENIZER, "2 elements for 3 tokens"},
    {"four types for three", write_many_types, ERROR_TOKENIZER, "4 elements for 3 tokens"},
    {"bos behind the last", write_far_bos, ERROR_TOKENIZER, "bos_token_id 3"},
    {"eos of 34 bits", write_huge_eos, ERROR_TOKENIZER, "eos_token_id"},
    {"flag is a text", write_text_flag, ERROR_KEY_TYPE, "add_bos_token"},
};

static void check_keys(const KeyCase *c)
{
    GgufWriter *writer = gguf_writer_create(NULL);
    const uint8_t *header;
    size_t n_bytes;
    char path[256];
    Vocab *vocab = NULL;
    Error err = {0};

    c->write(writer);
    CHECK(gguf_writer_header(writer, &header, &n_bytes, NULL));
    snprintf(path, sizeof(path), "%s/keys.gguf", harness_temporary_folder());
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(header, 1, n_bytes, file) == n_bytes);
    if (file) fclose(file);
    gguf_writer_free(writer);

    GgufFile *gguf = gguf_open(path, GGUF_METADATA_ONLY, NULL, 0, &err);
    if (!CHECK_CASE(c->label, gguf != NULL)) return;
    CHECK_CASE(c->label, vocab_load(gguf, &vocab, &err) == (c->wanted == ERROR_NONE));
    gguf_close(gguf);
    CHECK_ERROR(err, c->wanted);
    CHECK_CASE(c->label, strstr(err.message, c->reason) != NULL);
    CHECK_CASE(c->label, (vocab != NULL) == (c->wanted == ERROR_NONE));
    vocab_free(vocab);
}

TEST(keys_of_a_file_are_checked_before_they_are_believed)
{
    log_set_level(LOG_QUIET);
    for (size_t i = 0; i < COUNT(key_cases); i++) check_keys(&key_cases[i]);
}

/*
 * Runs the vocabulary oracle: a folder with index.json (configurations), strings.jsonl,
 * pieces.jsonl, expect/ and gguf/, made by llama.cpp. tests/data/text/README.md says what
 * the fields mean.
 */
#ifndef HYPURA_TESTS_TEXT_ORACLE_H
#define HYPURA_TESTS_TEXT_ORACLE_H

#include <inttypes.h>

#include "base/json.h"
#include "base/mem.h"
#include "engine/vocab_source.h"
#include "harness.h"
#include "text/internal.h"
#include "text/sha256.h"

typedef struct Oracle {
    char folder[4096];
    Json *index, *strings, *pieces; // strings and pieces: lists of lines
    const char *not_built;          // " name name " of configurations that are refused
    size_t n_configs, n_refused, n_lines;
} Oracle;

static TextBuffer read_file(const Oracle *oracle, const char *name)
{
    char path[8192];
    TextBuffer content = {0};
    char block[4096];
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", oracle->folder, name);
    FILE *file = fopen(path, "rb");
    if (!CHECK_CASE(path, file != NULL)) return content;
    while ((n = fread(block, 1, sizeof(block), file)) > 0)
        CHECK(text_buffer_append(&content, (StringView){block, n}, NULL));
    fclose(file);
    return content;
}

/* A file of one JSON object a line, as a list. */
static Json *read_lines(const Oracle *oracle, const char *name)
{
    TextBuffer content = read_file(oracle, name);
    Json *list = json_list();
    Error err = {0};

    for (size_t at = 0; at < content.n_bytes;) {
        const char *end = memchr(content.data + at, '\n', content.n_bytes - at);
        size_t n = end ? (size_t)(end - content.data) - at : content.n_bytes - at;
        Json *line = n > 0 ? json_parse((StringView){content.data + at, n}, &err) : NULL;
        if (n > 0 && CHECK_CASE(name, line != NULL)) json_add(list, line);
        at += n + 1;
    }
    text_buffer_free(&content);
    return list;
}

static bool oracle_open(Oracle *oracle, StringView folder)
{
    Error err = {0};

    *oracle = (Oracle){.not_built = ""};
    snprintf(oracle->folder, sizeof(oracle->folder), "%.*s", SV(folder));
    TextBuffer index = read_file(oracle, "index.json");
    oracle->index = json_parse((StringView){index.data, index.n_bytes}, &err);
    text_buffer_free(&index);
    oracle->strings = read_lines(oracle, "strings.jsonl");
    oracle->pieces = read_lines(oracle, "pieces.jsonl");
    return CHECK(oracle->index != NULL);
}

static void oracle_close(Oracle *oracle)
{
    json_free(oracle->index);
    json_free(oracle->strings);
    json_free(oracle->pieces);
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A JSON string, or {"hex": "…"}; `out` is cleared first. */
static void read_bytes(const Json *value, TextBuffer *out)
{
    StringView text = json_get_text(json_is_object(value) ? json_get(value, "hex") : value);

    out->n_bytes = 0;
    if (!json_is_object(value)) CHECK(text_buffer_append(out, text, NULL));
    for (size_t i = 0; json_is_object(value) && i + 1 < text.n_bytes; i += 2) {
        char byte = (char)(hex_digit(text.data[i]) << 4 | hex_digit(text.data[i + 1]));
        CHECK(text_buffer_append(out, (StringView){&byte, 1}, NULL));
    }
}

static bool find_string(const Oracle *oracle, StringView name, TextBuffer *out)
{
    for (size_t i = 0; i < json_count(oracle->strings); i++) {
        const Json *line = json_at(oracle->strings, i);
        if (!view_equal(json_get_text(json_get(line, "s")), name)) continue;
        const Json *text = json_get(line, "text");
        read_bytes(text ? text : line, out); // the line itself has the key "hex"
        return true;
    }
    return false;
}

/* Opens a configuration's GGUF with its keys changed. */
static GgufFile *open_config(const Oracle *oracle, const Json *config, Error *err)
{
    GgufOverride overrides[8] = {0};
    size_t n = 0;
    void *cursor = NULL;
    StringView key;
    char path[8192];

    for (const Json *value; (value = json_next_member(json_get(config, "set"), &cursor, &key));) {
        if (!CHECK(n < COUNT(overrides))) break;
        GgufOverride *override = &overrides[n++];
        override->key = key;
        override->is_removal = json_is_null(value);
        override->type = json_is_bool(value) ? GGUF_BOOL : GGUF_STRING;
        override->boolean = json_get_bool(value, false);
        override->text = json_get_text(value);
    }
    snprintf(
        path, sizeof(path), "%s/%.*s", oracle->folder, SV(json_get_text(json_get(config, "gguf"))));
    return gguf_open(path, GGUF_METADATA_ONLY, overrides, n, err);
}

static bool has_id(const Json *list, int64_t id)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (json_get_i64(json_at(list, i), -2) == id) return true;
    return false;
}

static void check_properties(const char *name, const Json *config, const Vocab *vocab)
{
    int64_t n_tokens = json_get_i64(json_get(config, "n_tokens"), -1);

    CHECK_CASE(name, vocab_n_tokens(vocab) == n_tokens);
    CHECK_CASE(name, vocab_adds_bos(vocab) == json_get_bool(json_get(config, "add_bos"), false));
    CHECK_CASE(name, vocab_adds_eos(vocab) == json_get_bool(json_get(config, "add_eos"), false));
    CHECK_CASE(name, vocab_bos(vocab) == json_get_i64(json_get(config, "bos"), -2));
    CHECK_CASE(name, vocab_eos(vocab) == json_get_i64(json_get(config, "eos"), -2));
    for (int32_t id = 0; id < n_tokens; id++)
        if (vocab_ends_generation(vocab, id) != has_id(json_get(config, "eog"), id)) {
            printf("  %s: token %d\n", name, id);
            CHECK_CASE(
                name, vocab_ends_generation(vocab, id) == has_id(json_get(config, "eog"), id));
        }
}

static void check_pieces(
    const char *name, const Json *config, const char *key, const Vocab *vocab, bool show_special)
{
    Sha256 sha = sha256_begin();
    char digest[65];

    for (uint32_t i = 0; i < vocab_n_tokens(vocab); i++) {
        StringView piece = vocab_piece(vocab, (int32_t)i, show_special);
        uint32_t n = (uint32_t)piece.n_bytes;
        sha256_add(&sha, (uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 0}, 4);
        sha256_add(&sha, piece.data, n);
    }
    sha256_end(&sha, digest);
    CHECK_CASE(name, view_is(json_get_text(json_get(config, key)), digest));
}

static void check_samples(
    const Oracle *oracle, const char *name, const Json *config, const Vocab *vocab)
{
    int64_t wanted = json_get_i64(json_get(config, "piece_samples"), -1);
    TextBuffer text = {0};
    size_t n = 0;

    for (size_t i = 0; i < json_count(oracle->pieces); i++) {
        const Json *line = json_at(oracle->pieces, i);
        if (json_get_i64(json_get(line, "id"), -2) != wanted) continue;
        const Json *samples = json_get(line, "samples");
        for (n = 0; n < json_count(samples); n++) {
            const Json *sample = json_at(samples, n);
            int32_t id = (int32_t)json_get_i64(json_at(sample, 0), -1);
            for (size_t k = 0; k < 2; k++) {
                read_bytes(json_at(sample, 1 + k), &text);
                StringView piece = vocab_piece(vocab, id, k == 1);
                CHECK_CASE(name, view_equal(piece, (StringView){text.data, text.n_bytes}));
            }
            int64_t attributes = vocab->attributes[id] & ~TOKEN_ENDS_GENERATION;
            CHECK_CASE(name, attributes == json_get_i64(json_at(sample, 3), -1));
        }
    }
    CHECK_CASE(name, n > 0);
    text_buffer_free(&text);
}

static bool ids_are(const Json *line, const TokenList *ids)
{
    const Json *wanted = json_get(line, "ids"), *rle = json_get(line, "rle");
    size_t n = 0;

    for (size_t i = 0; rle && i < json_count(rle); i++)
        for (int64_t k = json_get_i64(json_at(json_at(rle, i), 1), 0); k > 0; k--, n++)
            if (n >= ids->n || ids->ids[n] != json_get_i64(json_at(json_at(rle, i), 0), -2))
                return false;
    for (; wanted && n < json_count(wanted); n++)
        if (n >= ids->n || ids->ids[n] != json_get_i64(json_at(wanted, n), -2)) return false;
    return n == ids->n;
}

/* The detokenised text under `key` must be `wanted`, which takes the line's own value. */
static void check_text(const char *label, const Vocab *vocab, const Json *line, const char *key,
    DetokenizeOptions options, const TokenList *ids, TextBuffer *wanted)
{
    TextBuffer got = {0};

    if (json_get(line, key)) read_bytes(json_get(line, key), wanted);
    CHECK(vocab_detokenize(vocab, ids->ids, ids->n, options, &got, NULL));
    StringView a = {wanted->data, wanted->n_bytes}, b = {got.data, got.n_bytes};
    if (!CHECK_CASE(label, view_equal(a, b)))
        printf("    %s: wanted '%.*s', got '%.*s'\n", key, SV(a), SV(b));
    text_buffer_free(&got);
}

static void check_line(Oracle *oracle, const char *config, const Vocab *vocab, const Json *line)
{
    StringView name = json_get_text(json_get(line, "s"));
    TokenizeOptions options = {
        json_get_i64(json_get(line, "a"), 0) != 0, json_get_i64(json_get(line, "p"), 0) != 0};
    TokenList ids = {0};
    TextBuffer text = {0};
    char label[256];

    snprintf(label, sizeof(label), "%s %.*s a=%d p=%d", config, SV(name), options.add_special,
        options.parse_special);
    if (CHECK_CASE(label, find_string(oracle, name, &text))
        && CHECK_CASE(label,
            vocab_tokenize(vocab, (StringView){text.data, text.n_bytes}, options, &ids, NULL))
        && !json_get(line, "crash")) {
        if (!CHECK_CASE(label, ids_are(line, &ids))) {
            printf("    got");
            for (size_t i = 0; i < ids.n && i < 40; i++) printf(" %d", ids.ids[i]);
            printf("\n");
        } else {
            check_text(label, vocab, line, "d0", (DetokenizeOptions){false, false}, &ids, &text);
            check_text(label, vocab, line, "d1", (DetokenizeOptions){false, true}, &ids, &text);
            check_text(label, vocab, line, "d2", (DetokenizeOptions){true, true}, &ids, &text);
        }
        oracle->n_lines++;
    }
    token_list_free(&ids);
    text_buffer_free(&text);
}

/* Does the list " a b c " hold the word? */
static bool lists(const char *words, const char *word)
{
    char padded[128];

    snprintf(padded, sizeof(padded), " %s ", word);
    return strstr(words, padded) != NULL;
}

static void check_config(Oracle *oracle, const Json *config)
{
    char name[96], expect[128];
    Vocab *vocab = NULL;
    Error err = {0};

    snprintf(name, sizeof(name), "%.*s", SV(json_get_text(json_get(config, "config"))));
    snprintf(expect, sizeof(expect), "%.*s", SV(json_get_text(json_get(config, "expect"))));
    oracle->n_configs++;
    GgufFile *gguf = open_config(oracle, config, &err);
    if (!CHECK_CASE(name, gguf != NULL)) return;
    bool loaded = vocab_load(gguf, &vocab, &err);
    gguf_close(gguf);
    if (lists(oracle->not_built, name)) {
        oracle->n_refused++;
        CHECK_CASE(name, !loaded && err.id == ERROR_TOKENIZER && strstr(err.message, "not built"));
        vocab_free(vocab);
        return;
    }
    if (!CHECK_CASE(name, loaded)) {
        printf("    %s\n", err.message);
        return;
    }
    check_properties(name, config, vocab);
    check_pieces(name, config, "pieces_sha256", vocab, false);
    check_pieces(name, config, "pieces_special_sha256", vocab, true);
    check_samples(oracle, name, config, vocab);

    Json *lines = read_lines(oracle, expect);
    for (size_t i = 0; i < json_count(lines); i++)
        check_line(oracle, name, vocab, json_at(lines, i));
    json_free(lines);
    vocab_free(vocab);
}

static void oracle_check(Oracle *oracle)
{
    for (size_t i = 0; i < json_count(oracle->index); i++)
        check_config(oracle, json_at(oracle->index, i));
    printf("  %zu configurations, of these %zu refused as not built; %zu lines equal\n",
        oracle->n_configs, oracle->n_refused, oracle->n_lines);
}

#endif

/* Fuzz target: a vocabulary and a text.
 *
 * Byte 0 picks the model and pre-tokenizer, byte 1 the options. Then lines up to a NUL:
 * "m<left> <right>" is a merge, "<digit><text>" a token of that type. The rest is the text.
 * Beyond not crashing: a refusal is a TOKENIZER error; ids are tokens; what streams is
 * valid UTF-8; bytes come back; nothing is held afterwards. */
#include <assert.h>
#include <stdlib.h>

#include "base/ledger.h"
#include "base/log.h"
#include "base/utf8.h"
#include "text/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { LINES_MAX = 512 };

typedef struct Input {
    VocabSource source;
    StringView tokens[LINES_MAX], merges[LINES_MAX];
    int32_t types[LINES_MAX];
    uint32_t n_letters, n_lines;
    char letter[4];
} Input;

static bool give_token(void *context, uint32_t index, StringView *out)
{
    Input *input = context;

    if (index >= input->n_letters) {
        *out = input->tokens[index - input->n_letters];
        return true;
    }
    size_t n = utf8_from_code_point(bpe_letter_of_byte((uint8_t)index), input->letter);
    *out = (StringView){input->letter, n};
    return true;
}

static bool give_merge(void *context, uint32_t index, StringView *out)
{
    *out = ((Input *)context)->merges[index];
    return true;
}

static int32_t give_type(void *context, uint32_t index)
{
    const Input *input = context;

    return index < input->n_letters ? 1 : input->types[index - input->n_letters];
}

static float give_score(void *context, uint32_t index)
{
    (void)context;
    return -(float)(index % 37); // with ties
}

/* Reads the lines; returns what is behind them. */
static StringView read_lines(Input *input, StringView rest)
{
    uint32_t n_tokens = 0, n_merges = 0;

    while (rest.n_bytes > 0 && rest.data[0] != '\0') {
        size_t n = 0;
        while (n < rest.n_bytes && rest.data[n] != '\n' && rest.data[n] != '\0') n++;
        StringView text = {rest.data + 1, n > 0 ? n - 1 : 0};
        if (n > 0 && rest.data[0] == 'm' && n_merges < LINES_MAX)
            input->merges[n_merges++] = text;
        else if (n > 0 && n_tokens < LINES_MAX) {
            input->types[n_tokens] = rest.data[0] - '0';
            input->tokens[n_tokens++] = text;
        }
        n += n < rest.n_bytes && rest.data[n] == '\n';
        rest = (StringView){rest.data + n, rest.n_bytes - n};
    }
    input->source.n_tokens = input->n_letters + n_tokens;
    input->source.n_merges = n_merges;
    if (rest.n_bytes == 0) return rest;
    return (StringView){rest.data + 1, rest.n_bytes - 1};
}

static StringView read_input(Input *input, StringView data)
{
    static const char *const names[] = {"default", "gpt-2", "llama3", "qwen2", "qwen35", "gpt-4o",
        "deepseek-v3", "kimi-k2", "exaone-moe", "youtu", "superbpe", "deepseek-coder", "bloom",
        "starcoder", "jina-v2-es"};
    uint8_t pick = (uint8_t)data.data[0];
    bool is_spm = pick % 16 == 15;

    input->source = (VocabSource){.model = view_of(is_spm ? "llama" : "gpt2"),
        .general_name = view_of(pick & 0x80 ? "phi-3" : ""),
        .token = give_token,
        .merge = give_merge,
        .type = give_type,
        .score = give_score,
        .context = input,
        .bos = 0,
        .eos = 0,
        .eot = TOKEN_NONE,
        .eom = TOKEN_NONE,
        .unknown = pick & 0x40 ? 0 : TOKEN_NONE,
        .fim_pad = TOKEN_NONE,
        .fim_rep = TOKEN_NONE,
        .fim_sep = TOKEN_NONE,
        .add_bos = -1,
        .add_eos = pick & 0x20 ? 1 : -1,
        .add_space_prefix = -1};
    if (!is_spm) input->source.pre = view_of(names[pick % 16]);
    input->n_letters = is_spm || pick & 0x10 ? 0 : 256;
    return read_lines(input, (StringView){data.data + 2, data.n_bytes - 2});
}

static void check_texts(const Vocab *vocab, const TokenList *ids)
{
    TextBuffer whole = {0}, streamed = {0};
    DetokenizeStream stream = {0};

    for (size_t i = 0; i < ids->n; i++) {
        assert(ids->ids[i] >= 0 && (uint32_t)ids->ids[i] < vocab_n_tokens(vocab));
        bool added = vocab_stream_token(vocab, &stream, ids->ids[i], &streamed, NULL);
        assert(added);
        assert(utf8_is_valid(streamed.data ? streamed.data : "", streamed.n_bytes));
    }
    bool ended = vocab_stream_end(&stream, &streamed, NULL);
    bool done =
        vocab_detokenize(vocab, ids->ids, ids->n, (DetokenizeOptions){true, true}, &whole, NULL);
    assert(ended && done);
    text_buffer_free(&whole);
    text_buffer_free(&streamed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static Input input;
    Error err = {0};

    if (n_bytes < 2) return 0;
    log_set_level(LOG_QUIET);
    StringView text = read_input(&input, (StringView){(const char *)data, n_bytes});
    Vocab *vocab = vocab_create(&input.source, &err);
    assert(vocab || err.id == ERROR_TOKENIZER);
    if (vocab) {
        TokenList ids = {0};
        TokenizeOptions options = {data[1] & 1, data[1] & 2};
        bool done = vocab_tokenize(vocab, text, options, &ids, NULL);
        assert(done);
        check_texts(vocab, &ids);
        token_list_free(&ids);
    }
    vocab_free(vocab);
    assert(ledger_total() == 0);
    return 0;
}

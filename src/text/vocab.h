/* Text to token ids and back, as the model's file defines it. */
#ifndef HYPURA_TEXT_VOCAB_H
#define HYPURA_TEXT_VOCAB_H

#include "base/error.h"
#include "base/view.h"

#define TOKEN_NONE (-1)

/* What a file says about its tokenizer; borrowed until vocab_create returns. Absent keys
 * are given as the "not given" value named here; vocab_create applies the defaults. */
typedef struct VocabSource {
    StringView model;        // tokenizer.ggml.model: "gpt2", "llama"
    StringView pre;          // tokenizer.ggml.pre; data NULL: not given
    StringView general_name; // general.name; data NULL: not given
    uint32_t n_tokens;
    bool (*token)(
        void *context, uint32_t index, StringView *out); // called with rising index, once each
    bool (*merge)(void *context, uint32_t index, StringView *out); // likewise, "left right"
    float (*score)(void *context, uint32_t index);                 // NULL: no scores
    int32_t (*type)(void *context,
        uint32_t
            index); // NULL: all normal. 1 normal 2 unknown 3 control 4 user defined 5 unused 6 byte
    void *context;
    uint32_t n_merges;
    int32_t bos, eos, eot, eom, unknown, separator, padding; // TOKEN_NONE: not given
    int32_t fim_pad, fim_rep, fim_sep;
    int8_t add_bos, add_eos, add_sep, add_space_prefix; // -1: not given
} VocabSource;

typedef struct Vocab Vocab; // immutable after creation; any number of threads may read it

/*
 * Makes a vocabulary (MEM_TEXT); the caller ends it with vocab_free, which accepts NULL.
 * NULL: TOKENIZER where the source is malformed (no tokens, two of equal text, one above
 * 64 KiB, an id out of range, a merge that is not two tokens that make a third, SPM
 * without scores) or names a model or pre-tokenizer that is not built; `err` lists which
 * are. Tolerated as in llama.cpp: empty tokens, types that the format does not define,
 * missing types, no `pre` (a warning, then "default"), merges given twice (the first
 * counts), bytes without token (SPM: the unknown token; BPE: nothing), no bos or eos.
 */
CHECKED Vocab *vocab_create(const VocabSource *source, Error *err);
void vocab_free(Vocab *vocab);

uint32_t vocab_n_tokens(const Vocab *vocab);
int32_t vocab_bos(const Vocab *vocab); // TOKEN_NONE: none
int32_t vocab_eos(const Vocab *vocab);
bool vocab_adds_bos(const Vocab *vocab);
bool vocab_adds_eos(const Vocab *vocab);
/* Does this token end a generation? */
bool vocab_ends_generation(const Vocab *vocab, int32_t token);

/* Growing list of ids; owned by the caller, token_list_free accepts a zeroed one. */
typedef struct TokenList {
    int32_t *ids;
    size_t n, capacity;
} TokenList;
void token_list_free(TokenList *list);

typedef struct TokenizeOptions {
    bool add_special;   // BOS and EOS as the model wants them
    bool parse_special; // text of control tokens becomes those tokens
} TokenizeOptions;

/*
 * Appends the ids of `text` (any bytes, NUL included; at most 1 GiB). On failure `out` is
 * unchanged. Time is n log n in the text whatever it is, memory linear, stack constant.
 * Special tokens are cut out first, longest first; user-defined ones always.
 */
CHECKED bool vocab_tokenize(
    const Vocab *vocab, StringView text, TokenizeOptions options, TokenList *out, Error *err);

/* The bytes of one token, borrowed for the vocabulary's life: control tokens are empty
 * unless show_special. An SPM piece keeps its leading blank. An id out of range is empty. */
StringView vocab_piece(const Vocab *vocab, int32_t token, bool show_special);
/* The token's text as it stands in the file. */
StringView vocab_token_text(const Vocab *vocab, int32_t token);

/* Appends the bytes of many ids to a growing buffer: what llama.cpp's detokenize gives
 * (the SPM prefix blank removed at the start, clean_spaces applied). */
typedef struct TextBuffer {
    char *data;
    size_t n_bytes, capacity;
} TextBuffer;
void text_buffer_free(TextBuffer *buffer);

typedef struct DetokenizeOptions {
    bool remove_special; // drop BOS and EOS that the model adds
    bool show_special;   // write special tokens' text
} DetokenizeOptions;

CHECKED bool vocab_detokenize(const Vocab *vocab, const int32_t *ids, size_t n,
    DetokenizeOptions options, TextBuffer *out, Error *err);

/*
 * Text while its tokens come: always whole characters, always valid UTF-8. A character that
 * has begun waits for its other bytes; bytes that belong to none become U+FFFD. Control
 * tokens show nothing. Zeroed is a fresh stream; one that goes on behind a text (a prompt
 * that was shown already) sets has_begun, so that the first piece keeps its prefix blank.
 */
typedef struct DetokenizeStream {
    char held[8]; // an incomplete character
    uint32_t n_held;
    bool has_begun; // SPM: the first piece loses its prefix blank
} DetokenizeStream;

/* Appends what can be shown now. On failure `out` and the stream are unchanged. */
CHECKED bool vocab_stream_token(
    const Vocab *vocab, DetokenizeStream *stream, int32_t token, TextBuffer *out, Error *err);

/* Appends what is held, as U+FFFD; the stream is then fresh. */
CHECKED bool vocab_stream_end(DetokenizeStream *stream, TextBuffer *out, Error *err);

#endif

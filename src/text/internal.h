/* What the files of this folder share: the vocabulary and the growing lists. */
#ifndef HYPURA_TEXT_INTERNAL_H
#define HYPURA_TEXT_INTERNAL_H

#include "text/bpe.h"
#include "text/merge.h"
#include "text/pretokenize.h"
#include "text/specials.h"
#include "text/spm.h"
#include "text/text_table.h"
#include "text/vocab.h"

// The longest text that is taken at once: SPM triples blanks, and offsets have 32 bits.
#define TEXT_BYTES_MAX (1u << 30)

typedef enum TokenAttribute {
    TOKEN_UNKNOWN = 1,
    TOKEN_UNUSED = 2,
    TOKEN_NORMAL = 4,
    TOKEN_CONTROL = 8,
    TOKEN_USER_DEFINED = 16,
    TOKEN_BYTE = 32,
    TOKEN_STRIPS_LEFT = 128,  // swallows white space before it
    TOKEN_STRIPS_RIGHT = 256, // and behind it
    TOKEN_ENDS_GENERATION = 512
} TokenAttribute;

typedef enum VocabModel { VOCAB_BPE, VOCAB_SPM } VocabModel;

struct Vocab {
    VocabModel model;
    uint32_t n_tokens;
    TextTable texts;                  // as they stand in the file; number = id
    uint16_t *attributes;             // [n_tokens] of TokenAttribute
    char *pieces;                     // the bytes that tokens stand for, one behind the other
    uint64_t *piece_ends;             // [n_tokens]
    const Pretokenizer *pretokenizer; // BPE
    Bpe bpe;
    Spm spm;
    Specials specials;
    int32_t bos, eos, unknown;
    bool adds_bos, adds_eos, adds_space_prefix, cleans_spaces;
};

/* One call of vocab_tokenize: where the ids go, and scratch that pieces use in turn. */
struct TokenizeJob {
    const Vocab *vocab;
    TokenList *out;
    Merger merger;
    TextBuffer bytes; // BPE: a piece's letters; SPM: a fragment with its blanks escaped
    Char *chars;      // BPE: a fragment's characters
    size_t chars_capacity;
};

/* Attributes of the source's token types, then what texts and keys say about special
 * tokens: control, end of generation, white space that they swallow. */
CHECKED bool vocab_set_attributes(Vocab *vocab, const VocabSource *source, Error *err);

/* Fills `pieces`; texts and attributes are there. */
CHECKED bool vocab_make_pieces(Vocab *vocab, Error *err);

/* Growing lists (MEM_TEXT). On failure they are as they were. */
CHECKED bool token_list_reserve(TokenList *list, size_t n_more, Error *err);
CHECKED bool token_list_add(TokenList *list, int32_t id, Error *err);
CHECKED bool text_buffer_append(TextBuffer *buffer, StringView text, Error *err);

#endif

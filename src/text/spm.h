/*
 * SentencePiece's BPE as GGUF files of the llama-2 family carry it: no merge list, but a
 * score for each token. Two neighbours merge where their text is a token, the highest
 * score first, the leftmost of equals; what is left and no token becomes byte tokens.
 */
#ifndef HYPURA_TEXT_SPM_H
#define HYPURA_TEXT_SPM_H

#include "text/text_table.h"
#include "text/vocab.h"

// U+2581, which stands for a blank in the vocabulary.
#define SPM_BLANK "\xe2\x96\x81"

typedef struct TokenizeJob TokenizeJob;

/* Zeroed is empty. */
typedef struct Spm {
    uint32_t *ranks;           // [n_tokens] by falling score, equal scores have one rank
    uint32_t byte_tokens[256]; // TEXT_NONE: the vocabulary has none
    // No token reaches over the place before a blank that follows something else, so that
    // no merge does, and text can be merged word by word: the same result, and the heap
    // stays small (English text with the llama-2 vocabulary: ten times the speed).
    bool words_are_apart;
} Spm;

/* Reads the source's scores; TOKENIZER where there are none or one is not a number. */
CHECKED bool spm_init(Spm *spm, const TextTable *texts, const VocabSource *source, Error *err);
void spm_destroy(Spm *spm);

/*
 * Appends the ids of one fragment to the job's list, with a blank put before it where
 * `prefix_blank`. A character is as long as its first byte says, whatever follows, as in
 * llama.cpp. A byte without token gives the unknown token, or nothing without one.
 */
CHECKED bool spm_add_fragment(TokenizeJob *job, StringView text, bool prefix_blank, Error *err);

#endif

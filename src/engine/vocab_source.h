/* The vocabulary of a GGUF file: its tokenizer keys, handed to text/vocab.h. */
#ifndef HYPURA_ENGINE_VOCAB_SOURCE_H
#define HYPURA_ENGINE_VOCAB_SOURCE_H

#include "gguf/gguf.h"
#include "text/vocab.h"

/*
 * Makes the vocabulary that the tokenizer.ggml.* keys describe. On success the caller ends
 * *out with vocab_free; `gguf` is borrowed for the call. Fails with KEY_MISSING (model or
 * tokens), KEY_TYPE, KEY_RANGE, or TOKENIZER: malformed, contradicting or not built.
 */
CHECKED bool vocab_load(const GgufFile *gguf, Vocab **out, Error *err);

#endif

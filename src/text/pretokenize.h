/*
 * Cuts text into the pieces that byte-level BPE merges within. Every tokenizer family has
 * its own way, named by the key tokenizer.ggml.pre; here each is a row of a table: stages,
 * each a list of alternatives (text/match.h). A stage is applied to every piece that the
 * stages before left; what no alternative matches stays whole. The alternatives are those
 * that llama.cpp's users have, where these differ from the models' own.
 */
#ifndef HYPURA_TEXT_PRETOKENIZE_H
#define HYPURA_TEXT_PRETOKENIZE_H

#include "base/error.h"
#include "text/chars.h"

typedef struct Pretokenizer Pretokenizer; // a row of the table, alive for ever

/* The row of a name as it stands in the file, or NULL where none is built. */
const Pretokenizer *pretokenizer_find(StringView name);

/* The built rows' first names, joined by ", ". `out` is cut at n_bytes, NUL included. */
void pretokenizer_list(char *out, size_t n_bytes);

/* What else the name decides. */
bool pretokenizer_ignores_merges(const Pretokenizer *row); // a piece that is a token is taken whole
bool pretokenizer_adds_bos(const Pretokenizer *row);
bool pretokenizer_cleans_spaces(const Pretokenizer *row);      // in vocab_detokenize
bool pretokenizer_strips_before_mask(const Pretokenizer *row); // `<mask>` swallows white space

/* Sets CHAR_BEGINS on the first character of each piece of chars[0..n). Time is linear,
 * memory constant. */
void pretokenize(const Pretokenizer *row, Char *chars, size_t n);

/* The end of the piece that begins at `at` < n. */
size_t pretokenize_piece_end(const Char *chars, size_t at, size_t n);

#endif

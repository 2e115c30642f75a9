/* SentencePiece-style BPE; spm.h says what it computes. */
#include "text/spm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "text/internal.h"

typedef struct Scored {
    float score;
    uint32_t token;
} Scored;

static int by_falling_score(const void *a, const void *b)
{
    float x = ((const Scored *)a)->score, y = ((const Scored *)b)->score;

    return (x < y) - (x > y);
}

static bool read_scores(Scored *scored, const VocabSource *source, Error *err)
{
    for (uint32_t i = 0; i < source->n_tokens; i++) {
        scored[i] = (Scored){source->score(source->context, i), i};
        if (isnan(scored[i].score))
            return error_set(err, ERROR_TOKENIZER, "token %u: its score is not a number", i);
    }
    return true;
}

/* The token `<0x41>` of a byte, or the token that is the byte. */
static uint32_t find_byte_token(const TextTable *texts, unsigned byte)
{
    char text[8], raw = (char)byte;
    uint32_t token;

    snprintf(text, sizeof(text), "<0x%02X>", byte);
    token = text_table_find(texts, view_of(text));
    return token != TEXT_NONE ? token : text_table_find(texts, (StringView){&raw, 1});
}

/* Bytes of the character at bytes[at], by its first byte alone. */
static size_t character_bytes(StringView bytes, size_t at)
{
    static const uint8_t by_high_nibble[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t n = by_high_nibble[(uint8_t)bytes.data[at] >> 4];

    return n < bytes.n_bytes - at ? n : bytes.n_bytes - at;
}

/* The end of the word that begins at bytes[at]: the place of the next blank behind
 * something else. The number of characters passed is added to *n_characters. */
static size_t word_end(StringView bytes, size_t at, uint32_t *n_characters)
{
    bool after_other = false;

    while (at < bytes.n_bytes) {
        StringView rest = {bytes.data + at, bytes.n_bytes - at};
        bool is_blank = view_starts_with(rest, SPM_BLANK);
        if (is_blank && after_other) break;
        after_other = !is_blank;
        at += character_bytes(bytes, at);
        (*n_characters)++;
    }
    return at;
}

/* Does no token reach from one word into the next? */
static bool tokens_end_with_words(const TextTable *texts)
{
    for (uint32_t i = 0; i < texts->n; i++) {
        StringView text = text_table_get(texts, i);
        uint32_t n_characters = 0;
        if (word_end(text, 0, &n_characters) < text.n_bytes) return false;
    }
    return true;
}

bool spm_init(Spm *spm, const TextTable *texts, const VocabSource *source, Error *err)
{
    uint32_t n = source->n_tokens;
    Scored *scored = NULL;
    bool done = false;

    *spm = (Spm){0};
    if (!source->score)
        return error_set(err, ERROR_TOKENIZER, "model 'llama' without tokenizer.ggml.scores");
    scored = mem_alloc_array(MEM_TEXT, n, sizeof(*scored), err);
    if (!scored) goto out;
    spm->ranks = mem_alloc_array(MEM_TEXT, n, sizeof(*spm->ranks), err);
    if (!spm->ranks) goto out;
    if (!read_scores(scored, source, err)) goto out;

    qsort(scored, n, sizeof(*scored), by_falling_score);
    for (uint32_t i = 0, rank = 0; i < n; i++) {
        if (i > 0 && scored[i].score < scored[i - 1].score) rank++;
        spm->ranks[scored[i].token] = rank;
    }
    for (unsigned byte = 0; byte < 256; byte++)
        spm->byte_tokens[byte] = find_byte_token(texts, byte);
    spm->words_are_apart = tokens_end_with_words(texts);
    done = true;

out:
    mem_free(MEM_TEXT, scored);
    if (!done) spm_destroy(spm);
    return done;
}

void spm_destroy(Spm *spm)
{
    mem_free(MEM_TEXT, spm->ranks);
    *spm = (Spm){0};
}

/* The job's bytes: the text with U+2581 for each blank. */
static bool escape_blanks(TokenizeJob *job, StringView text, bool prefix_blank, Error *err)
{
    job->bytes.n_bytes = 0;
    if (prefix_blank && !text_buffer_append(&job->bytes, view_of(SPM_BLANK), err)) return false;
    for (size_t i = 0; i < text.n_bytes;) {
        const char *blank = memchr(text.data + i, ' ', text.n_bytes - i);
        size_t n = blank ? (size_t)(blank - text.data) - i : text.n_bytes - i;

        if (!text_buffer_append(&job->bytes, (StringView){text.data + i, n}, err)) return false;
        if (blank && !text_buffer_append(&job->bytes, view_of(SPM_BLANK), err)) return false;
        i += n + (blank != NULL);
    }
    return true;
}

/* A stretch of text that is merged by itself; symbols' ids are places in it. */
typedef struct SpmWord {
    const Vocab *vocab;
    StringView bytes;
} SpmWord;

/* The bytes from symbol `first` up to symbol `stop`, or to the end. */
static StringView symbols_text(
    const SpmWord *word, const MergeSymbol *symbols, uint32_t first, uint32_t stop)
{
    size_t begin = symbols[first].id;
    size_t end = stop == MERGE_NONE ? word->bytes.n_bytes : symbols[stop].id;

    return (StringView){word->bytes.data + begin, end - begin};
}

static uint32_t pair_rank(const void *context, const MergeSymbol *symbols, uint32_t left)
{
    const SpmWord *word = context;
    StringView text = symbols_text(word, symbols, left, symbols[symbols[left].next].next);
    uint32_t token = text_table_find(&word->vocab->texts, text);

    return token == TEXT_NONE ? MERGE_NONE : word->vocab->spm.ranks[token];
}

static bool add_bytes(TokenizeJob *job, StringView text, Error *err)
{
    const Vocab *vocab = job->vocab;

    for (size_t i = 0; i < text.n_bytes; i++) {
        uint32_t byte_token = vocab->spm.byte_tokens[(uint8_t)text.data[i]];
        int32_t token = byte_token == TEXT_NONE ? vocab->unknown : (int32_t)byte_token;
        if (token != TOKEN_NONE && !token_list_add(job->out, token, err)) return false;
    }
    return true;
}

static bool add_word(TokenizeJob *job, StringView bytes, uint32_t n_characters, Error *err)
{
    const SpmWord word = {job->vocab, bytes};
    const MergeRules rules = {.rank = pair_rank, .context = &word};
    MergeSymbol *symbols;

    if (!merger_begin(&job->merger, n_characters, err)) return false;
    symbols = job->merger.symbols;
    for (size_t at = 0, i = 0; at < bytes.n_bytes; at += character_bytes(bytes, at))
        symbols[i++].id = (uint32_t)at;
    if (!merger_run(&job->merger, &rules, err)) return false;

    for (uint32_t i = 0; i != MERGE_NONE; i = symbols[i].next) {
        StringView part = symbols_text(&word, symbols, i, symbols[i].next);
        uint32_t token = text_table_find(&job->vocab->texts, part);
        bool added = token == TEXT_NONE ? add_bytes(job, part, err)
                                        : token_list_add(job->out, (int32_t)token, err);
        if (!added) return false;
    }
    return true;
}

bool spm_add_fragment(TokenizeJob *job, StringView text, bool prefix_blank, Error *err)
{
    if (!escape_blanks(job, text, prefix_blank, err)) return false;

    StringView bytes = {job->bytes.data, job->bytes.n_bytes};
    for (size_t at = 0, end; at < bytes.n_bytes; at = end) {
        uint32_t n_characters = 0;
        end = word_end(bytes, at, &n_characters);
        while (end < bytes.n_bytes && !job->vocab->spm.words_are_apart)
            end = word_end(bytes, end, &n_characters);
        if (!add_word(job, (StringView){bytes.data + at, end - at}, n_characters, err))
            return false;
    }
    return true;
}

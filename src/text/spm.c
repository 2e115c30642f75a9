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

/* Bytes of the character at bytes[at], by its first byte alone. */
static size_t character_bytes(StringView bytes, size_t at)
{
    static const uint8_t by_high_nibble[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t n = by_high_nibble[(uint8_t)bytes.data[at] >> 4];

    return n < bytes.n_bytes - at ? n : bytes.n_bytes - at;
}

/* One symbol for each character; its id is where it begins. */
static bool begin_symbols(TokenizeJob *job, StringView bytes, Error *err)
{
    uint32_t n = 0;

    for (size_t at = 0; at < bytes.n_bytes; at += character_bytes(bytes, at)) n++;
    if (!merger_begin(&job->merger, n, err)) return false;
    n = 0;
    for (size_t at = 0; at < bytes.n_bytes; at += character_bytes(bytes, at))
        job->merger.symbols[n++].id = (uint32_t)at;
    return true;
}

/* The bytes from symbol `first` up to symbol `stop`, or to the end. */
static StringView symbols_text(
    const TokenizeJob *job, const MergeSymbol *symbols, uint32_t first, uint32_t stop)
{
    size_t begin = symbols[first].id;
    size_t end = stop == MERGE_NONE ? job->bytes.n_bytes : symbols[stop].id;

    return (StringView){job->bytes.data + begin, end - begin};
}

static uint32_t pair_rank(const void *context, const MergeSymbol *symbols, uint32_t left)
{
    const TokenizeJob *job = context;
    StringView text = symbols_text(job, symbols, left, symbols[symbols[left].next].next);
    uint32_t token = text_table_find(&job->vocab->texts, text);

    return token == TEXT_NONE ? MERGE_NONE : job->vocab->spm.ranks[token];
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

bool spm_add_fragment(TokenizeJob *job, StringView text, bool prefix_blank, Error *err)
{
    const MergeRules rules = {.rank = pair_rank, .context = job};
    const MergeSymbol *symbols;

    if (!escape_blanks(job, text, prefix_blank, err)) return false;
    if (job->bytes.n_bytes == 0) return true;
    if (!begin_symbols(job, (StringView){job->bytes.data, job->bytes.n_bytes}, err)) return false;
    if (!merger_run(&job->merger, &rules, err)) return false;

    symbols = job->merger.symbols;
    for (uint32_t i = 0; i != MERGE_NONE; i = symbols[i].next) {
        StringView part = symbols_text(job, symbols, i, symbols[i].next);
        uint32_t token = text_table_find(&job->vocab->texts, part);
        bool added = token == TEXT_NONE ? add_bytes(job, part, err)
                                        : token_list_add(job->out, (int32_t)token, err);
        if (!added) return false;
    }
    return true;
}

/* Byte-level BPE; bpe.h says what it computes. */
#include "text/bpe.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/internal.h"

/* Bytes that are printable in Latin-1 stand for themselves; the other 68 take the code
 * points from 0x100 on, in order. */
static bool is_printable(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

uint32_t bpe_letter_of_byte(uint8_t byte)
{
    uint32_t n_before = 0;

    if (is_printable(byte)) return byte;
    for (unsigned i = 0; i < byte; i++) n_before += !is_printable(i);
    return 0x100 + n_before;
}

int bpe_byte_of_letter(uint32_t code_point)
{
    if (code_point < 0x100) return is_printable(code_point) ? (int)code_point : -1;
    if (code_point < 0x121) return (int)(code_point - 0x100);        // 0x00 to 0x20
    if (code_point < 0x143) return (int)(code_point - 0x121 + 0x7f); // 0x7f to 0xa0
    return code_point == 0x143 ? 0xad : -1;
}

static uint32_t pair_hash(uint32_t left, uint32_t right)
{
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;

    return (uint32_t)(hash >> 32 ^ hash >> 15);
}

/* The slot of the pair, or the free one where it belongs. */
static BpePair *find_pair(const Bpe *bpe, uint32_t left, uint32_t right)
{
    uint32_t i = pair_hash(left, right) & (bpe->n_pairs - 1);

    while (bpe->pairs[i].rank != 0 && (bpe->pairs[i].left != left || bpe->pairs[i].right != right))
        i = (i + 1) & (bpe->n_pairs - 1);
    return &bpe->pairs[i];
}

/* The token of a part of a merge's line. */
static bool find_token(
    const TextTable *texts, StringView text, uint32_t rank, uint32_t *token, Error *err)
{
    *token = text_table_find(texts, text);
    if (*token != TEXT_NONE) return true;
    return error_set(err, ERROR_TOKENIZER, "merge %u: '%.*s' is no token", rank, SV(text));
}

/* Line `rank` of the merges: "left right", the blank not the first character. */
static bool add_merge(Bpe *bpe, const TextTable *texts, StringView line, uint32_t rank,
    TextBuffer *joined, Error *err)
{
    const char *blank = line.n_bytes < 3 ? NULL : memchr(line.data + 1, ' ', line.n_bytes - 2);
    uint32_t left, right;

    if (!blank)
        return error_set(err, ERROR_TOKENIZER, "merge %u: '%.*s' is not two texts", rank, SV(line));

    StringView first = {line.data, (size_t)(blank - line.data)};
    StringView second = {blank + 1, line.n_bytes - first.n_bytes - 1};
    joined->n_bytes = 0;
    if (!text_buffer_append(joined, first, err)) return false;
    if (!text_buffer_append(joined, second, err)) return false;
    StringView whole = {joined->data, joined->n_bytes};

    if (!find_token(texts, first, rank, &left, err)) return false;
    if (!find_token(texts, second, rank, &right, err)) return false;
    if (!find_token(texts, whole, rank, &bpe->results[rank], err)) return false;

    BpePair *pair = find_pair(bpe, left, right);
    if (pair->rank == 0) *pair = (BpePair){left, right, rank + 1}; // else the earlier line holds
    return true;
}

static bool add_merges(Bpe *bpe, const TextTable *texts, const VocabSource *source, Error *err)
{
    TextBuffer joined = {0};
    StringView line;
    bool added = true;

    for (uint32_t i = 0; added && i < source->n_merges; i++) {
        added = source->merge(source->context, i, &line)
                || error_set(err, ERROR_TOKENIZER, "merge %u is missing", i);
        added = added && add_merge(bpe, texts, line, i, &joined, err);
    }
    text_buffer_free(&joined);
    return added;
}

bool bpe_init(Bpe *bpe, const TextTable *texts, const VocabSource *source, Error *err)
{
    char letter[4];

    *bpe = (Bpe){.n_pairs = 256};
    if (source->n_merges > UINT32_MAX / 4)
        return error_set(err, ERROR_TOKENIZER, "%u merges are too many", source->n_merges);
    while (bpe->n_pairs / 2 < source->n_merges) bpe->n_pairs *= 2;
    bpe->pairs = mem_alloc_array(MEM_TEXT, bpe->n_pairs, sizeof(*bpe->pairs), err);
    if (!bpe->pairs) goto fail;
    bpe->results = mem_alloc_array(MEM_TEXT, source->n_merges, sizeof(*bpe->results), err);
    if (!bpe->results) goto fail;
    if (!add_merges(bpe, texts, source, err)) goto fail;

    for (unsigned byte = 0; byte < 256; byte++) {
        size_t n = utf8_from_code_point(bpe_letter_of_byte((uint8_t)byte), letter);
        bpe->byte_tokens[byte] = text_table_find(texts, (StringView){letter, n});
    }
    return true;

fail:
    bpe_destroy(bpe);
    return false;
}

void bpe_destroy(Bpe *bpe)
{
    mem_free(MEM_TEXT, bpe->pairs);
    mem_free(MEM_TEXT, bpe->results);
    *bpe = (Bpe){0};
}

static uint32_t pair_rank(const void *context, const MergeSymbol *symbols, uint32_t left)
{
    const MergeSymbol *symbol = &symbols[left];
    uint32_t rank = find_pair(context, symbol->id, symbols[symbol->next].id)->rank;

    return rank - 1; // a free slot holds 0: MERGE_NONE
}

/* Sets *token to the token that the piece's letters spell, or to TEXT_NONE. */
static bool find_whole(TokenizeJob *job, const Char *chars, size_t n, uint32_t *token, Error *err)
{
    const TextTable *texts = &job->vocab->texts;
    uint8_t bytes[4];
    char letter[4];

    *token = TEXT_NONE;
    job->bytes.n_bytes = 0;
    if (n > texts->bytes_max) return true;
    for (size_t i = 0; i < n; i++) {
        size_t n_bytes = char_encode(chars[i], bytes);
        for (size_t k = 0; k < n_bytes; k++) {
            size_t n_letter = utf8_from_code_point(bpe_letter_of_byte(bytes[k]), letter);
            if (!text_buffer_append(&job->bytes, (StringView){letter, n_letter}, err)) return false;
        }
    }
    *token = text_table_find(texts, (StringView){job->bytes.data, job->bytes.n_bytes});
    return true;
}

/* One symbol for each byte of the characters' UTF-8. */
static bool begin_piece(TokenizeJob *job, const Char *chars, size_t n, Error *err)
{
    const uint32_t *byte_tokens = job->vocab->bpe.byte_tokens;
    MergeSymbol *symbol;
    uint32_t n_symbols = 0;
    uint8_t bytes[4];

    for (size_t i = 0; i < n; i++) n_symbols += (uint32_t)char_encode(chars[i], bytes);
    if (!merger_begin(&job->merger, n_symbols, err)) return false;

    symbol = job->merger.symbols;
    for (size_t i = 0; i < n; i++) {
        size_t n_bytes = char_encode(chars[i], bytes);
        for (size_t k = 0; k < n_bytes; k++) (symbol++)->id = byte_tokens[bytes[k]];
    }
    return true;
}

bool bpe_add_piece(TokenizeJob *job, const Char *chars, size_t n, Error *err)
{
    const Vocab *vocab = job->vocab;
    const MergeRules rules = {pair_rank, &vocab->bpe, vocab->bpe.results};

    if (pretokenizer_ignores_merges(vocab->pretokenizer)) {
        uint32_t whole;
        if (!find_whole(job, chars, n, &whole, err)) return false;
        if (whole != TEXT_NONE) return token_list_add(job->out, (int32_t)whole, err);
    }
    if (!begin_piece(job, chars, n, err)) return false;
    if (!merger_run(&job->merger, &rules, err)) return false;
    for (uint32_t i = 0; i != MERGE_NONE; i = job->merger.symbols[i].next) {
        uint32_t token = job->merger.symbols[i].id;
        if (token != TEXT_NONE && !token_list_add(job->out, (int32_t)token, err)) return false;
    }
    return true;
}

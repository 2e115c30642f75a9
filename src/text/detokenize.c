/* Ids to text: the piece of each token, whole texts, and streams. */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/internal.h"

/* The value of "<0x41>", exactly two hexadecimal digits; -1: not of this form. */
static int byte_of_text(StringView text)
{
    int value = 0;

    if (text.n_bytes != 6 || !view_starts_with(text, "<0x") || text.data[5] != '>') return -1;
    for (size_t i = 3; i < 5; i++) {
        const char *digits = "0123456789ABCDEF0123456789abcdef";
        const char *digit = text.data[i] ? strchr(digits, text.data[i]) : NULL;
        if (!digit) return -1;
        value = value * 16 + (int)(digit - digits) % 16;
    }
    return value;
}

/* A normal BPE token: each letter is a byte; what is no letter stands for itself. */
static bool append_letters(TextBuffer *pieces, StringView text, Error *err)
{
    uint32_t code;

    for (size_t i = 0, n; i < text.n_bytes; i += n) {
        n = utf8_decode(text.data + i, text.n_bytes - i, &code);
        int byte = bpe_byte_of_letter(code);
        char raw = (char)byte;
        StringView part = byte < 0 ? (StringView){text.data + i, n} : (StringView){&raw, 1};
        if (!text_buffer_append(pieces, part, err)) return false;
    }
    return true;
}

/* A normal SPM token: U+2581 is a blank. */
static bool append_unescaped(TextBuffer *pieces, StringView text, Error *err)
{
    const size_t n_blank = strlen(SPM_BLANK);

    for (size_t i = 0; i < text.n_bytes;) {
        StringView rest = {text.data + i, text.n_bytes - i};
        bool is_blank = view_starts_with(rest, SPM_BLANK);
        if (!text_buffer_append(pieces, is_blank ? view_of(" ") : (StringView){rest.data, 1}, err))
            return false;
        i += is_blank ? n_blank : 1;
    }
    return true;
}

static bool append_piece(const Vocab *vocab, uint32_t token, TextBuffer *pieces, Error *err)
{
    StringView text = text_table_get(&vocab->texts, token);
    unsigned attributes = vocab->attributes[token];
    int byte = attributes & TOKEN_BYTE ? byte_of_text(text) : -1;
    char raw = (char)byte;

    if (attributes & (TOKEN_CONTROL | TOKEN_UNKNOWN | TOKEN_USER_DEFINED))
        return text_buffer_append(pieces, text, err);
    if (byte >= 0) return text_buffer_append(pieces, (StringView){&raw, 1}, err);
    if (!(attributes & (TOKEN_NORMAL | TOKEN_BYTE))) return true;
    return vocab->model == VOCAB_BPE ? append_letters(pieces, text, err)
                                     : append_unescaped(pieces, text, err);
}

bool vocab_make_pieces(Vocab *vocab, Error *err)
{
    TextBuffer pieces = {0};

    vocab->piece_ends = mem_alloc_array(MEM_TEXT, vocab->n_tokens, sizeof(uint64_t), err);
    if (!vocab->piece_ends) return false;
    for (uint32_t i = 0; i < vocab->n_tokens; i++) {
        if (!append_piece(vocab, i, &pieces, err)) {
            text_buffer_free(&pieces);
            return false;
        }
        vocab->piece_ends[i] = pieces.n_bytes;
    }
    vocab->pieces = pieces.data; // ownership passes
    return true;
}

/* " ." and the like lose their blank. */
static size_t drop_before_marks(char *text, size_t n)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool drops = text[i] == ' ' && i + 1 < n && text[i + 1] && strchr("?!.,", text[i + 1]);
        if (!drops) text[n_kept++] = text[i];
    }
    return n_kept;
}

/* " ' " loses both blanks; the second one then belongs to no other apostrophe. */
static size_t drop_around_apostrophes(char *text, size_t n)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool drops = text[i] == ' ' && i + 2 < n && text[i + 1] == '\'' && text[i + 2] == ' ';
        text[n_kept++] = drops ? '\'' : text[i];
        if (drops) i += 2;
    }
    return n_kept;
}

/* " 's", " 'm", " 're", " 've" lose their blank. `at` is the apostrophe's place. */
static bool is_contraction(const char *text, size_t at, size_t n)
{
    if (at + 1 >= n || text[at] != '\'') return false;
    if (text[at + 1] == 's' || text[at + 1] == 'm') return true;
    return at + 2 < n && (text[at + 1] == 'r' || text[at + 1] == 'v') && text[at + 2] == 'e';
}

static size_t drop_before_contractions(char *text, size_t n)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool drops = text[i] == ' ' && is_contraction(text, i + 1, n);
        if (!drops) text[n_kept++] = text[i];
    }
    return n_kept;
}

/* The clean-up of English text that some tokenizers of 2019 had, three passes in place. */
static size_t clean_spaces(char *text, size_t n)
{
    n = drop_before_marks(text, n);
    n = drop_around_apostrophes(text, n);
    return drop_before_contractions(text, n);
}

static StringView without_blank(StringView piece)
{
    if (piece.n_bytes == 0 || piece.data[0] != ' ') return piece;
    return (StringView){piece.data + 1, piece.n_bytes - 1};
}

bool vocab_detokenize(const Vocab *vocab, const int32_t *ids, size_t n, DetokenizeOptions options,
    TextBuffer *out, Error *err)
{
    size_t n_before = out->n_bytes, first = 0;
    bool drops_blank = vocab->adds_space_prefix;

    if (options.remove_special && vocab->adds_bos && n > 0 && ids[0] == vocab->bos) {
        first = 1;
        drops_blank = false;
    }
    if (options.remove_special && vocab->adds_eos && n > first && ids[n - 1] == vocab->eos) n--;
    for (size_t i = first; i < n; i++) {
        StringView piece = vocab_piece(vocab, ids[i], options.show_special);
        if (i == first && drops_blank) piece = without_blank(piece);
        if (!text_buffer_append(out, piece, err)) {
            out->n_bytes = n_before;
            return false;
        }
    }
    if (vocab->cleans_spaces && out->n_bytes > n_before)
        out->n_bytes = n_before + clean_spaces(out->data + n_before, out->n_bytes - n_before);
    return true;
}

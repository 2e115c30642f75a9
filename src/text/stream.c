/*
 * Ids to text while they come: what is shown is always whole characters, and always valid
 * UTF-8. The bytes of a character that began wait for the rest; bytes that can be part of
 * none become U+FFFD.
 */
#include "base/utf8.h"
#include "text/internal.h"

/* Appends bytes[0..n_bytes), each ill-formed sequence as U+FFFD. */
static bool append_valid(TextBuffer *out, StringView bytes, Error *err)
{
    char replaced[4];
    uint32_t code;

    if (utf8_is_valid(bytes.data, bytes.n_bytes)) return text_buffer_append(out, bytes, err);
    for (size_t i = 0; i < bytes.n_bytes;) {
        i += utf8_decode(bytes.data + i, bytes.n_bytes - i, &code);
        StringView character = {replaced, utf8_from_code_point(code, replaced)};
        if (!text_buffer_append(out, character, err)) return false;
    }
    return true;
}

/* The held bytes and the piece, less an incomplete character at the end, which is held. */
static bool append_piece(DetokenizeStream *stream, StringView piece, TextBuffer *out, Error *err)
{
    TextBuffer joined = {0};
    StringView held = {stream->held, stream->n_held};
    bool added = text_buffer_append(&joined, held, err) && text_buffer_append(&joined, piece, err);

    if (added) {
        size_t n_tail = utf8_incomplete_tail(joined.data, joined.n_bytes);
        size_t n_shown = joined.n_bytes - n_tail;
        added = append_valid(out, (StringView){joined.data, n_shown}, err);
        if (added) {
            if (n_tail > 0) memcpy(stream->held, joined.data + n_shown, n_tail);
            stream->n_held = (uint32_t)n_tail;
        }
    }
    text_buffer_free(&joined);
    return added;
}

bool vocab_stream_token(
    const Vocab *vocab, DetokenizeStream *stream, int32_t token, TextBuffer *out, Error *err)
{
    StringView piece = vocab_piece(vocab, token, false);
    size_t n_before = out->n_bytes;
    bool drops_blank = !stream->has_begun && vocab->adds_space_prefix;

    if (drops_blank && piece.n_bytes > 0 && piece.data[0] == ' ') {
        piece.data++;
        piece.n_bytes--;
    }
    if (!append_piece(stream, piece, out, err)) {
        out->n_bytes = n_before;
        return false;
    }
    stream->has_begun = true;
    return true;
}

bool vocab_stream_end(DetokenizeStream *stream, TextBuffer *out, Error *err)
{
    size_t n_before = out->n_bytes;

    if (!append_valid(out, (StringView){stream->held, stream->n_held}, err)) {
        out->n_bytes = n_before;
        return false;
    }
    *stream = (DetokenizeStream){0};
    return true;
}

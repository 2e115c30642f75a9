/* A byte-level vocabulary that tokenizes any text and shows any token:
 *
 *   0 to 255        one token a byte
 *   256 to 355      syllables ("ba" to "zu"), each with the merge that makes it
 *   from 356 on     words of one and more syllables behind a blank, which only come out of
 *                   the model; they make noise that can be read
 *   the last two    begin and end of a text
 *
 * Bytes are written as characters the way GPT-2's byte-level BPE does: printable ones as
 * themselves, the others from U+0100 on, in order. */
#include "cli/synth_vocab.h"

#include <assert.h>

#include "base/utf8.h"

#define N_BYTES      256u
#define N_SYLLABLES  100u
#define TYPE_NORMAL  1
#define TYPE_CONTROL 3
#define WORD_BYTES   24 // longest: a blank and seven syllables

static const char consonants[] = "bcdfghjklmnpqrstvwxz";
static const char vowels[] = "aeiou";

static bool is_printable(uint32_t byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/* The characters that stand for the bytes. */
static size_t write_byte(uint32_t byte, char *out)
{
    uint32_t n_before = 0;

    if (is_printable(byte)) return utf8_from_code_point(byte, out);
    for (uint32_t i = 0; i < byte; i++) n_before += !is_printable(i);
    return utf8_from_code_point(256 + n_before, out);
}

static size_t write_syllable(uint32_t syllable, char *out)
{
    out[0] = consonants[syllable / 5];
    out[1] = vowels[syllable % 5];
    return 2;
}

/* The number in base 100, a syllable each digit; all different. */
static size_t write_word(uint32_t number, char *out)
{
    uint32_t digits[5], n_digits = 0;
    size_t n_bytes = write_byte(' ', out);

    do {
        digits[n_digits++] = number % N_SYLLABLES;
        number /= N_SYLLABLES;
    } while (number > 0);
    while (n_digits > 0) n_bytes += write_syllable(digits[--n_digits], out + n_bytes);
    return n_bytes;
}

static StringView token_text(uint32_t token, uint32_t n_vocab, char *out)
{
    if (token == n_vocab - 2) return view_of("<|begin_of_text|>");
    if (token == n_vocab - 1) return view_of("<|end_of_text|>");
    if (token < N_BYTES) return (StringView){out, write_byte(token, out)};
    token -= N_BYTES;
    if (token < N_SYLLABLES) return (StringView){out, write_syllable(token, out)};
    return (StringView){out, write_word(token - N_SYLLABLES, out)};
}

static bool write_tokens(GgufWriter *writer, uint32_t n_vocab, Arena *arena, Error *err)
{
    StringView *texts = arena_alloc_array(arena, n_vocab, sizeof *texts, err);
    int32_t *types = arena_alloc_array(arena, n_vocab, sizeof *types, err);
    char *words = arena_alloc_array(arena, n_vocab, WORD_BYTES, err);

    if (!texts || !types || !words) return false;
    for (uint32_t i = 0; i < n_vocab; i++) {
        texts[i] = token_text(i, n_vocab, words + (size_t)i * WORD_BYTES);
        types[i] = i + 2 < n_vocab ? TYPE_NORMAL : TYPE_CONTROL;
    }
    gguf_writer_strings(writer, "tokenizer.ggml.tokens", texts, n_vocab);
    gguf_writer_i32s(writer, "tokenizer.ggml.token_type", types, n_vocab);
    return true;
}

static void write_merges(GgufWriter *writer)
{
    char texts[N_SYLLABLES][3];
    StringView merges[N_SYLLABLES];

    for (uint32_t i = 0; i < N_SYLLABLES; i++) {
        texts[i][0] = consonants[i / 5];
        texts[i][1] = ' ';
        texts[i][2] = vowels[i % 5];
        merges[i] = (StringView){texts[i], 3};
    }
    gguf_writer_strings(writer, "tokenizer.ggml.merges", merges, N_SYLLABLES);
}

bool synth_write_vocab(GgufWriter *writer, const SynthShape *shape, Arena *arena, Error *err)
{
    assert(shape->n_vocab >= 512);
    gguf_writer_string(writer, "tokenizer.ggml.model", view_of("gpt2"));
    gguf_writer_string(writer, "tokenizer.ggml.pre", view_of(shape->pre));
    if (!write_tokens(writer, shape->n_vocab, arena, err)) return false;
    write_merges(writer);
    gguf_writer_u32(writer, "tokenizer.ggml.bos_token_id", shape->n_vocab - 2);
    gguf_writer_u32(writer, "tokenizer.ggml.eos_token_id", shape->n_vocab - 1);
    gguf_writer_bool(writer, "tokenizer.ggml.add_bos_token", shape->adds_bos);
    return true;
}

/*
 * What a token is besides its text: its type in the file, and what its text or the file's
 * keys say. Files mark special tokens wrongly or not at all, so well-known texts count as
 * special whatever their type. The lists are llama.cpp's.
 */
#include "base/log.h"
#include "base/mem.h"
#include "text/internal.h"

static const char *const generation_ends[] = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>",
    "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>",
    "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>",
    "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[", NULL};

/* Fill in the middle: the first text of a list that is a token is control. */
static const char *const fim_prefix[] = {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>",
    "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>", NULL};
static const char *const fim_suffix[] = {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",
    "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>", NULL};
static const char *const fim_middle[] = {"<|fim_middle|>", "<fim-middle>", "<fim_middle>",
    "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>", NULL};
static const char *const fim_pad[] = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", NULL};
static const char *const fim_repo[] = {
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", NULL};
static const char *const fim_separator[] = {"<|file_sep|>", NULL};

/* Shown in the text, since the reader of a harmony answer needs them. */
static const char *const harmony[] = {
    "<|channel|>", "<|message|>", "<|start|>", "<|constrain|>", NULL};

static uint32_t find(const Vocab *vocab, const char *text)
{
    return text_table_find(&vocab->texts, view_of(text));
}

static bool has(const Vocab *vocab, const char *text)
{
    return find(vocab, text) != TEXT_NONE;
}

static void set(Vocab *vocab, const char *text, unsigned attributes)
{
    uint32_t token = find(vocab, text);

    if (token != TEXT_NONE)
        vocab->attributes[token] = (uint16_t)(vocab->attributes[token] | attributes);
}

static void clear(Vocab *vocab, const char *text, unsigned attributes)
{
    uint32_t token = find(vocab, text);

    if (token != TEXT_NONE)
        vocab->attributes[token] = (uint16_t)(vocab->attributes[token] & ~attributes);
}

/* The file's number for a type, 1 to 6; anything else leaves a token that stands for
 * nothing, as an unused one does. */
static uint16_t attribute_of_type(int32_t type)
{
    static const uint16_t attributes[] = {0, TOKEN_NORMAL, TOKEN_UNKNOWN, TOKEN_CONTROL,
        TOKEN_USER_DEFINED, TOKEN_UNUSED, TOKEN_BYTE};

    return type < 0 || type >= (int32_t)COUNT(attributes) ? 0 : attributes[type];
}

/* A token named by a key ends a generation; where no key names it, the first text of the
 * list that is a token is marked with `attributes`. */
static void set_key_or_text(Vocab *vocab, int32_t id, const char *const *texts, unsigned attributes)
{
    if (id != TOKEN_NONE) {
        unsigned ends = attributes & TOKEN_ENDS_GENERATION;
        vocab->attributes[id] = (uint16_t)(vocab->attributes[id] | ends);
        return;
    }
    while (*texts && !has(vocab, *texts)) texts++;
    if (*texts) set(vocab, *texts, attributes);
}

static void set_generation_ends(Vocab *vocab, const VocabSource *source)
{
    const unsigned ends = TOKEN_CONTROL | TOKEN_ENDS_GENERATION;
    const int32_t ids[] = {vocab->eos, source->eot, source->eom};

    for (const char *const *text = generation_ends; *text; text++) set(vocab, *text, ends);
    for (size_t i = 0; i < COUNT(ids); i++)
        if (ids[i] != TOKEN_NONE) vocab->attributes[ids[i]] |= (uint16_t)TOKEN_ENDS_GENERATION;
    set_key_or_text(vocab, source->fim_pad, fim_pad, ends);
    set_key_or_text(vocab, source->fim_rep, fim_repo, ends);
    set_key_or_text(vocab, source->fim_sep, fim_separator, ends);

    // In these families the text closes a part of the answer, not the answer.
    bool is_harmony = (has(vocab, "<|return|>") && has(vocab, "<|call|>"))
                      || (has(vocab, "<|calls|>") && has(vocab, "<|flush|>"));
    if (is_harmony) clear(vocab, "<|end|>", TOKEN_ENDS_GENERATION);
    if (has(vocab, "<|tool_response>")) clear(vocab, "</s>", TOKEN_ENDS_GENERATION);
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Does the name, its ASCII letters in lower case, hold the word? */
static bool name_contains(StringView name, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= name.n_bytes; i++) {
        size_t k = 0;
        while (k < n && ascii_lower(name.data[i + k]) == word[k]) k++;
        if (k == n) return true;
    }
    return false;
}

/* Files do not say which tokens swallow white space; the model's name does. */
static void set_stripping(Vocab *vocab, const VocabSource *source)
{
    if (vocab->pretokenizer && pretokenizer_strips_before_mask(vocab->pretokenizer))
        set(vocab, "<mask>", TOKEN_STRIPS_LEFT);
    if (!name_contains(source->general_name, "phi-3")
        && !name_contains(source->general_name, "phi3"))
        return;
    for (uint32_t i = 0; i < vocab->n_tokens; i++)
        if (vocab->attributes[i] & (TOKEN_CONTROL | TOKEN_UNKNOWN | TOKEN_USER_DEFINED))
            vocab->attributes[i] |= (uint16_t)TOKEN_STRIPS_RIGHT;
    clear(vocab, "<unk>", TOKEN_STRIPS_RIGHT);
    clear(vocab, "<s>", TOKEN_STRIPS_RIGHT);
    clear(vocab, "<|endoftext|>", TOKEN_STRIPS_RIGHT);
}

bool vocab_set_attributes(Vocab *vocab, const VocabSource *source, Error *err)
{
    uint32_t n_ends = 0;

    vocab->attributes = mem_alloc_array(MEM_TEXT, vocab->n_tokens, sizeof(uint16_t), err);
    if (!vocab->attributes) return false;
    for (uint32_t i = 0; i < vocab->n_tokens; i++)
        vocab->attributes[i] =
            source->type ? attribute_of_type(source->type(source->context, i)) : TOKEN_NORMAL;

    set_key_or_text(vocab, TOKEN_NONE, fim_prefix, TOKEN_CONTROL);
    set_key_or_text(vocab, TOKEN_NONE, fim_suffix, TOKEN_CONTROL);
    set_key_or_text(vocab, TOKEN_NONE, fim_middle, TOKEN_CONTROL);
    set_generation_ends(vocab, source);
    for (const char *const *text = harmony; *text; text++) {
        clear(vocab, *text, TOKEN_CONTROL);
        set(vocab, *text, TOKEN_USER_DEFINED);
    }
    set_stripping(vocab, source);

    for (uint32_t i = 0; i < vocab->n_tokens; i++)
        n_ends += (vocab->attributes[i] & TOKEN_ENDS_GENERATION) != 0;
    if (n_ends == 0) log_warn("no token of this vocabulary ends a generation");
    return true;
}

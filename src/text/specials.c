/*
 * One pass over the raw fragments for each length that special tokens have: a position
 * is looked up when its byte begins a special token of that length. Vocabularies have a
 * few dozen lengths but thousands of tokens.
 */
#include "text/specials.h"

#include <stdlib.h>

#include "base/mem.h"
#include "text/internal.h"

#define SPECIAL (TOKEN_CONTROL | TOKEN_UNKNOWN | TOKEN_USER_DEFINED)

static int by_falling_bytes(const void *a, const void *b)
{
    uint32_t x = ((const SpecialLength *)a)->n_bytes, y = ((const SpecialLength *)b)->n_bytes;

    return (x < y) - (x > y);
}

/* A token's own entry; entries of equal length are united afterwards. */
static SpecialLength entry_of(const Vocab *vocab, uint32_t token)
{
    StringView text = text_table_get(&vocab->texts, token);
    uint8_t first = (uint8_t)text.data[0];
    SpecialLength entry = {.n_bytes = (uint32_t)text.n_bytes, .only_first_byte = first};

    entry.has_user_defined = (vocab->attributes[token] & TOKEN_USER_DEFINED) != 0;
    entry.first_bytes[first / 8] = (uint8_t)(1u << first % 8);
    return entry;
}

static void unite(SpecialLength *a, const SpecialLength *b)
{
    a->has_user_defined |= b->has_user_defined;
    if (a->only_first_byte != b->only_first_byte) a->only_first_byte = -1;
    for (size_t i = 0; i < sizeof(a->first_bytes); i++) a->first_bytes[i] |= b->first_bytes[i];
}

bool specials_init(Specials *specials, const Vocab *vocab, Error *err)
{
    uint32_t n = 0, n_lengths = 0;

    for (uint32_t i = 0; i < vocab->n_tokens; i++) n += (vocab->attributes[i] & SPECIAL) != 0;
    *specials = (Specials){.lengths = mem_alloc_array(MEM_TEXT, n, sizeof(SpecialLength), err)};
    if (!specials->lengths) return false;

    n = 0;
    for (uint32_t i = 0; i < vocab->n_tokens; i++)
        if (vocab->attributes[i] & SPECIAL) specials->lengths[n++] = entry_of(vocab, i);
    qsort(specials->lengths, n, sizeof(SpecialLength), by_falling_bytes);
    for (uint32_t i = 0; i < n; i++) {
        SpecialLength *last = &specials->lengths[n_lengths];
        if (n_lengths > 0 && last[-1].n_bytes == specials->lengths[i].n_bytes)
            unite(&last[-1], &specials->lengths[i]);
        else
            specials->lengths[n_lengths++] = specials->lengths[i];
    }
    specials->n = n_lengths;
    return true;
}

void specials_destroy(Specials *specials)
{
    mem_free(MEM_TEXT, specials->lengths);
    *specials = (Specials){0};
}

static bool add_fragment(FragmentList *list, size_t begin, size_t end, int32_t token, Error *err)
{
    if (begin >= end) return true;
    if (list->n == list->capacity) {
        size_t capacity = list->capacity + list->capacity / 2 + 16;
        Fragment *items = mem_resize(MEM_TEXT, list->items, capacity * sizeof(*items), err);
        if (!items) return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = (Fragment){begin, end, token};
    return true;
}

void fragment_list_free(FragmentList *list)
{
    mem_free(MEM_TEXT, list->items);
    *list = (FragmentList){0};
}

static bool is_white(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next position at or after `at` whose byte begins a token of this length, and where
 * such a token has room before `end`; `end`: none. */
static size_t next_start(const SpecialLength *length, StringView text, size_t at, size_t end)
{
    if (end - at < length->n_bytes) return end;

    size_t last = end - length->n_bytes; // inclusive
    if (length->only_first_byte >= 0) {
        const char *found = memchr(text.data + at, length->only_first_byte, last - at + 1);
        return found ? (size_t)(found - text.data) : end;
    }
    for (; at <= last; at++) {
        uint8_t byte = (uint8_t)text.data[at];
        if (length->first_bytes[byte / 8] >> byte % 8 & 1) return at;
    }
    return end;
}

/* The token of `length` bytes at `at` that may be cut out, or TOKEN_NONE. */
static int32_t token_at(const Vocab *vocab, StringView text, bool parse_special)
{
    uint32_t token = text_table_find(&vocab->texts, text);

    if (token >= vocab->n_tokens) return TOKEN_NONE;
    uint16_t attributes = vocab->attributes[token];
    if (!(attributes & SPECIAL)) return TOKEN_NONE;
    if (!parse_special && (attributes & (TOKEN_CONTROL | TOKEN_UNKNOWN))) return TOKEN_NONE;
    return (int32_t)token;
}

/* Cuts the tokens of one length out of a raw fragment. */
static bool cut_fragment(const Vocab *vocab, const SpecialLength *length, StringView text,
    Fragment raw, bool parse_special, FragmentList *out, Error *err)
{
    size_t begin = raw.begin, at = raw.begin;

    while ((at = next_start(length, text, at, raw.end)) < raw.end) {
        StringView candidate = {text.data + at, length->n_bytes};
        int32_t token = token_at(vocab, candidate, parse_special);
        if (token == TOKEN_NONE) {
            at++;
            continue;
        }

        size_t before = at, after = at + length->n_bytes;
        if (vocab->attributes[token] & TOKEN_STRIPS_LEFT)
            while (before > begin && is_white(text.data[before - 1])) before--;
        if (vocab->attributes[token] & TOKEN_STRIPS_RIGHT)
            while (after < raw.end && is_white(text.data[after])) after++;
        if (!add_fragment(out, begin, before, TOKEN_NONE, err)) return false;
        if (!add_fragment(out, at, after, token, err)) return false;
        begin = at = after;
    }
    return add_fragment(out, begin, raw.end, TOKEN_NONE, err);
}

bool specials_partition(
    const Vocab *vocab, StringView text, bool parse_special, FragmentList *out, Error *err)
{
    FragmentList cut = {0};

    *out = (FragmentList){0};
    if (!add_fragment(out, 0, text.n_bytes, TOKEN_NONE, err)) goto fail;
    for (uint32_t i = 0; i < vocab->specials.n; i++) {
        const SpecialLength *length = &vocab->specials.lengths[i];
        if (!parse_special && !length->has_user_defined) continue;

        cut.n = 0;
        for (size_t k = 0; k < out->n; k++) {
            Fragment *fragment = &out->items[k];
            bool done =
                fragment->token == TOKEN_NONE
                    ? cut_fragment(vocab, length, text, *fragment, parse_special, &cut, err)
                    : add_fragment(&cut, fragment->begin, fragment->end, fragment->token, err);
            if (!done) goto fail;
        }
        FragmentList last = *out;
        *out = cut;
        cut = last;
    }
    fragment_list_free(&cut);
    return true;

fail:
    fragment_list_free(&cut);
    fragment_list_free(out);
    return false;
}

/* Chains of places by hash, as in LZ77. */
#include "engine/ngram.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define TOKENS_MIN  2  // that must match
#define TOKENS_WELL 32 // a longer match says no more
#define PLACES_MAX  64 // looked at in one search

bool ngram_init(Ngram *ngram, uint32_t n_tokens_max, Error *err)
{
    *ngram = (Ngram){.n_tokens_max = n_tokens_max, .n_heads = 16};
    while (ngram->n_heads < n_tokens_max && ngram->n_heads < 1u << 30) ngram->n_heads *= 2;
    ngram->heads = mem_alloc_array(MEM_STATE, ngram->n_heads, sizeof(uint32_t), err);
    if (ngram->heads)
        ngram->older = mem_alloc_array(MEM_STATE, n_tokens_max, sizeof(uint32_t), err);
    if (ngram->older) return true;
    ngram_destroy(ngram);
    return false;
}

void ngram_destroy(Ngram *ngram)
{
    mem_free(MEM_STATE, ngram->heads);
    mem_free(MEM_STATE, ngram->older);
    *ngram = (Ngram){0};
}

void ngram_reset(Ngram *ngram)
{
    memset(ngram->heads, 0, ngram->n_heads * sizeof(uint32_t));
    ngram->n_tokens = 0;
}

/* Of the tokens at `place` and before it. */
static uint32_t *head_of(const Ngram *ngram, const int32_t *tokens, uint32_t place)
{
    uint64_t pair = (uint64_t)(uint32_t)tokens[place - 1] << 32 | (uint32_t)tokens[place];
    uint64_t hash = pair * UINT64_C(0x9e3779b97f4a7c15); // Fibonacci hashing: Knuth, volume 3, 6.4

    return &ngram->heads[(hash >> 32) & (ngram->n_heads - 1)];
}

/* How many tokens that end at `place` are those that the text ends with. */
static uint32_t match_length(const int32_t *tokens, uint32_t n_tokens, uint32_t place)
{
    uint32_t n = 0;

    while (n < TOKENS_WELL && n <= place && tokens[place - n] == tokens[n_tokens - 1 - n]) n++;
    return n;
}

static void add(Ngram *ngram, const int32_t *tokens, uint32_t place)
{
    if (place == 0) return;
    uint32_t *head = head_of(ngram, tokens, place);
    ngram->older[place] = *head;
    *head = place + 1;
}

uint32_t ngram_guess(
    Ngram *ngram, const int32_t *tokens, uint32_t n_tokens, uint32_t n_max, int32_t *guesses)
{
    uint32_t best = 0, best_length = TOKENS_MIN - 1;

    assert(n_tokens <= ngram->n_tokens_max && n_tokens >= ngram->n_tokens);
    while (ngram->n_tokens < n_tokens) add(ngram, tokens, ngram->n_tokens++);
    if (n_tokens < TOKENS_MIN) return 0;
    uint32_t next = ngram->older[n_tokens - 1];
    for (uint32_t i = 0; next > 0 && i < PLACES_MAX && best_length < TOKENS_WELL; i++) {
        uint32_t length = match_length(tokens, n_tokens, next - 1);
        if (length > best_length) {
            best_length = length;
            best = next;
        }
        next = ngram->older[next - 1];
    }
    if (best == 0) return 0;
    // A match that reaches the end of the text goes on in the guesses: what repeats, repeats.
    for (uint32_t i = 0; i < n_max; i++)
        guesses[i] = best + i < n_tokens ? tokens[best + i] : guesses[best + i - n_tokens];
    return n_max;
}

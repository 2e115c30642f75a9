/*
 * Selection by counting: a histogram over the upper bits of the logits tells which of its
 * bins hold the k best; only these are gathered, and then sorted digit by digit. Neither
 * step compares, so no arrangement of logits makes it slow.
 */
#include "sample/topk.h"

#include <math.h>
#include <string.h>

#define DIGIT_BITS 11
#define N_DIGITS   3 // 33 bits hold a float's 32
#define N_BINS     (1u << DIGIT_BITS)

/* Rises as the logit falls. */
static uint32_t order_of(float logit)
{
    uint32_t bits;

    logit += 0.0f; // -0 becomes +0
    memcpy(&bits, &logit, sizeof(bits));
    return bits & 0x80000000u ? bits : ~bits & 0x7fffffffu;
}

static uint32_t digit_of(float logit, unsigned digit)
{
    return order_of(logit) >> (digit * DIGIT_BITS) & (N_BINS - 1);
}

/* The last upper digit that k candidates reach down to. */
static uint32_t find_last_bin(const float *logits, uint32_t n, uint32_t k)
{
    uint32_t counts[N_BINS] = {0}, n_before = 0, bin = 0;

    for (uint32_t i = 0; i < n; i++) counts[digit_of(logits[i], N_DIGITS - 1)]++;
    while (bin < N_BINS - 1 && n_before + counts[bin] < k) n_before += counts[bin++];
    return bin;
}

/* One stable pass of a radix sort. */
static void sort_by_digit(const Candidate *from, uint32_t n, unsigned digit, Candidate *to)
{
    uint32_t starts[N_BINS] = {0}, n_before = 0;

    for (uint32_t i = 0; i < n; i++) starts[digit_of(from[i].logit, digit)]++;
    for (uint32_t bin = 0; bin < N_BINS; bin++) {
        uint32_t count = starts[bin];
        starts[bin] = n_before;
        n_before += count;
    }
    for (uint32_t i = 0; i < n; i++) to[starts[digit_of(from[i].logit, digit)]++] = from[i];
}

uint32_t topk_select(const float *logits, uint32_t n, uint32_t k, Candidate *out, Candidate *spare)
{
    uint32_t last_bin = k < n ? find_last_bin(logits, n, k) : N_BINS - 1, n_found = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (digit_of(logits[i], N_DIGITS - 1) > last_bin || isinf(logits[i])) continue;
        spare[n_found++] = (Candidate){.logit = logits[i], .token = (int32_t)i};
    }
    // Gathered by rising id, and each pass is stable: equal logits stay so.
    sort_by_digit(spare, n_found, 0, out);
    sort_by_digit(out, n_found, 1, spare);
    sort_by_digit(spare, n_found, 2, out);
    return n_found < k ? n_found : k;
}

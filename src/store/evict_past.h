/* The passes before, and how much each was like what happens now: what a mixture of experts does
 * next resembles what it did after similar choices.
 *
 * Time goes by calls, one layer of one pass. The call `lag` passes ago is compared with each new
 * one, and what the comparisons of the last dozen calls say counts: `alike` of a lag is 1 where
 * both chose the same experts all along, 0 where never. Next, a layer is expected to choose what
 * it chose after the calls that were most like the last ones. On recorded routing this names the
 * next layer's experts more often than counts of transitions between layers do (0.61 against 0.55
 * and 0.43 against 0.35 of them), in a tenth of the memory. */
#ifndef HYPURA_STORE_EVICT_PAST_H
#define HYPURA_STORE_EVICT_PAST_H

#include "base/mem.h"

#define PAST_PASSES 128 // remembered besides the one under way

typedef struct Past {
    uint64_t *sets;      // [PAST_PASSES + 1][n_layers][n_words] experts used, a bit each; a ring
    uint32_t *n_members; // [PAST_PASSES + 1][n_layers] of each set
    uint32_t n_layers, n_expert, n_words;
    uint64_t n_passes;             // begun; one is under way from the start
    float alike[PAST_PASSES + 1];  // [lag]; the first is not used
    float weight[PAST_PASSES + 1]; // [lag] of what is expected, from `alike` and age
} Past;

CHECKED bool past_init(Past *past, uint32_t n_layers, uint32_t n_expert, Error *err);
void past_destroy(Past *past);

void past_begin_pass(Past *past);

/* The pass under way uses these experts of a layer, each named once. */
void past_call(Past *past, uint32_t layer, const uint32_t *experts, uint32_t n);

/* Before past_expect, once for each call that asks: weighs the passes as of now. */
void past_weigh(Past *past);

/* chance[n_expert]: how likely each expert of `layer` is at that layer's next turn, seen from
 * the last call, which was of layer `now`; 0 for all where the past says nothing. */
void past_expect(const Past *past, uint32_t now, uint32_t layer, float *chance);

/* The same from counts alone: chance[i] is the share of passes in which `layer` used expert i. */
void past_frequency(const Past *past, uint32_t layer, float *chance);

/* The same from transitions: the mean, over the experts that the last call (of layer `now`) used,
 * of what `layer` chose after each of them. An expert seen rarely says what `usual` says
 * (past_frequency of `layer`). */
void past_follow(const Past *past, uint32_t now, uint32_t layer, const float *usual, float *chance);

/* For records: how many passes are remembered, the one under way included, the set of experts that
 * one of them used in a layer (n_words of bits, lag 0: under way), and a word of such a set for a
 * call of the pass under way, which is not compared with others. */
uint32_t past_n_passes(const Past *past);
const uint64_t *past_set(const Past *past, uint32_t lag, uint32_t layer);
void past_take_word(Past *past, uint32_t layer, uint32_t index, uint64_t word);

/* Did the layer's last call use the expert, and how many did it use? */
bool past_used(const Past *past, uint32_t layer, uint32_t expert);
uint32_t past_n_used(const Past *past, uint32_t layer);

#endif

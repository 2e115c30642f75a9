/* Which experts a layer is going to use, said before its router speaks.
 *
 * Three things are known of an expert: how often its layer used it, what followed the experts that
 * were just used (transitions), and what passes like this one used (evict_past.h). Each is a
 * likelihood against an expert of average use; their logarithms are added with weights that are
 * learned as the answers come (logistic regression, one step a call), for each distance its own.
 * So the sum is a probability, a tenth too cautious where guesses are best, and one of the three
 * may say nothing for this model.
 *
 * It decides speed and never bits. On recorded routing, learning from the first decoded token on,
 * as many guesses as a layer has uses name 61 % of them one layer ahead and 59 % three ahead
 * (Qwen3-30B-A3B; gpt-oss-120b: 41 and 39 %); `hypura replay` says it of any trace. */
#ifndef HYPURA_STORE_PREDICT_H
#define HYPURA_STORE_PREDICT_H

#include "store/evict_past.h"

#define PREDICT_AHEAD_MAX 3 // layers
#define PREDICT_TERMS     4 // a constant, and the three

typedef struct PredictGuess {
    uint32_t expert;
    float chance; // that the layer's next turn uses it
} PredictGuess;

typedef struct Predict {
    Past *past; // borrowed; it is weighed here, and fed by its owner
    float weights[PREDICT_AHEAD_MAX][PREDICT_TERMS];
    float *terms;     // [PREDICT_AHEAD_MAX][PREDICT_AHEAD_MAX][n_expert][PREDICT_TERMS]
    float *chance[3]; // [n_expert] scratch
    float base[PREDICT_AHEAD_MAX][PREDICT_AHEAD_MAX];     // log odds of an expert of average use
    uint32_t layer[PREDICT_AHEAD_MAX][PREDICT_AHEAD_MAX]; // that the terms are about, plus 1
} Predict;

/* What it allocates. */
uint64_t predict_table_bytes(uint32_t n_expert);

CHECKED bool predict_init(Predict *predict, Past *past, Error *err);
void predict_destroy(Predict *predict);

/* The past has heard what `layer` uses: what was guessed of it is judged, and learned from. */
void predict_learn(Predict *predict, uint32_t layer);

/* Guesses what comes `ahead` layers after `now`, the layer of the last call; after the last layer
 * comes the first one. ahead: 1 to PREDICT_AHEAD_MAX, at most the number of layers. The n likeliest
 * experts, at most all, go to `guesses`, the likeliest first; of equal ones the lower number. Takes
 * about 8 us with 128 experts. */
void predict_guess(
    Predict *predict, uint32_t now, uint32_t ahead, PredictGuess *guesses, uint32_t n);

#endif

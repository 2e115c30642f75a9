/* How many tokens are worth guessing: what a pass gives, over what it costs, as measured here.
 *
 * A pass over k guesses gives 1 + a + a^2 + ... + a^k tokens where each is right with probability
 * a (Leviathan, Kalman and Matias 2023, arXiv:2211.17192, section 3.1) and takes as long as a
 * pass of k + 1 rows; both are estimated from the passes themselves, so that the experts that more
 * rows choose, the drive and the kernels are all in it. k = 0 is right where guessing does not pay.
 *
 * What is not known yet, or no longer, is tried, and trying may cost a hundredth of the time.
 * No clock in here: the caller measures. */
#ifndef HYPURA_ENGINE_PACE_H
#define HYPURA_ENGINE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_GUESSES_MAX 16

/* Zeroed is a fresh one. */
typedef struct Pace {
    double pass_ns[PACE_GUESSES_MAX + 2];   // [n_rows], decayed means; 0: not seen
    uint32_t seen_at[PACE_GUESSES_MAX + 2]; // [n_rows], in passes
    double guess_ns;                        // of one guess, decayed mean
    double n_right, n_wrong;                // guesses that were looked at, decayed
    double spent_ns;                        // in all passes
    double lost_ns;                         // by trying: time beyond what plain passes would take
    uint32_t n_plain;                       // passes without guesses
    uint32_t n_passes;
    uint32_t n_since_plain; // passes since one without guesses
} Pace;

/* What one pass was. */
typedef struct PacePass {
    uint32_t n_guesses;
    uint32_t n_right; // of them, before the first wrong one; at most n_guesses
    bool is_judged; // a wrong one was met, or all were right: else nothing is known beyond n_right
    double pass_ns, guess_ns; // of the pass, and of guessing before it
} PacePass;

/* The best number of guesses for the next pass, at most n_max (PACE_GUESSES_MAX at most). */
uint32_t pace_choose(const Pace *pace, uint32_t n_max);

void pace_learn(Pace *pace, const PacePass *pass);

/* The probability that a guess is right, as far as is known; 0 where nothing is. */
double pace_acceptance(const Pace *pace);

#endif

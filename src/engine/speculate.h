/* Speculation: a pass evaluates a token together with guesses of what follows, for the bytes of
 * one. Guesses that turn out to be the tokens that come have been evaluated then.
 *
 * It sits below the evaluation of a single token. Nobody draws from anything but the model's
 * logits, and those of a row are the same bits whatever the other rows are; so guesses, right or
 * wrong, however many and whoever made them, change neither a token nor a logit. What a guess is
 * rejected by is the token that was drawn (docs/adr/0012). Failing guesses are given up with a
 * line; they never end a run. */
#ifndef HYPURA_ENGINE_SPECULATE_H
#define HYPURA_ENGINE_SPECULATE_H

#include "engine/draft.h"
#include "engine/ngram.h"
#include "engine/pace.h"

typedef enum GuessSource {
    GUESS_DRAFT, // the draft of the loaded model
    GUESS_NGRAM, // the text itself
    GUESS_SCRIPT // a function, for tests and measurements
} GuessSource;

/* Guesses at most n_max tokens behind tokens[0..n_tokens); returns their number. */
typedef uint32_t GuessScript(
    void *context, const int32_t *tokens, uint32_t n_tokens, uint32_t n_max, int32_t *guesses);

typedef struct SpeculateOptions {
    GuessSource source;
    GuessScript *script;
    void *script_context;
    uint32_t n_fixed; // always as many guesses, if there is room; 0: as many as pay (pace.h)
} SpeculateOptions;

typedef struct Speculation {
    SpeculateOptions options;
    Sequence *sequence;      // that it guesses for; borrowed
    SamplerOptions sampling; // as its tokens are drawn; zeroed: the likeliest ones
    Draft draft;
    Ngram ngram;
    Pace pace;
    int32_t *tokens; // [n_ctx] the text from first_position on, owned
    uint32_t n_tokens;
    bool is_over;                    // guessing failed
    int32_t ahead[PACE_GUESSES_MAX]; // guesses of the last pass
    uint32_t end_ahead;              // position where the sequence was left
    PacePass last;                   // that pass; n_right: taken so far
    bool has_last;                   // not learned from yet
} Speculation;

/* For a sequence that has no tokens yet. Its model gives several rows of logits, and has a draft
 * where that is the source. The caller ends it before the sequence. */
CHECKED bool speculate_init(
    Speculation *speculation, Sequence *sequence, const SpeculateOptions *options, Error *err);
void speculate_destroy(Speculation *speculation); // a zeroed one is fine

/* As sequence_eval: with one token, and guesses, it may have been evaluated already. */
CHECKED bool speculate_eval(
    Speculation *speculation, const int32_t *tokens, size_t n_tokens, Error *err);

/* The sequence was reset, or given tokens by another way: what is known of its text ends here. */
void speculate_forget(Speculation *speculation);

#endif

/* Hypura: run language models that are larger than their memory. Public C API, plain C11.
 *
 * Handles are opaque. Functions that can fail return false or NULL and fill `err` (may be
 * NULL). One thread at a time per handle unless said otherwise. */
#ifndef HYPURA_H
#define HYPURA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HYPURA_API           __attribute__((visibility("default")))
#define HYPURA_MESSAGE_BYTES 768

typedef struct hypura_error {
    int number;       // as printed: [E0214]; 0: none
    int exit_status;  // what the command line exits with
    const char *hint; // static; NULL: none
    char message[HYPURA_MESSAGE_BYTES];
} hypura_error;

typedef struct hypura_model hypura_model;
typedef struct hypura_sequence hypura_sequence;

typedef enum hypura_need {
    HYPURA_NEED_TEXT,    // the vocabulary
    HYPURA_NEED_WEIGHTS, // all
    HYPURA_NEED_PLAN     // the vocabulary and what hypura_model_plan asks for
} hypura_need;

/* All texts are borrowed for the call; NULL or zero takes the default. Start from
 * HYPURA_MODEL_OPTIONS_INIT. */
typedef struct hypura_model_options {
    size_t size_bytes; // sizeof(hypura_model_options)
    hypura_need need;
    const char *memory;             // whole-process budget: "2G", "50%"
    const char *weights;            // budget of the weights: "14M", "25%", "all", "min"
    const char *reserve;            // kept free where `memory` is not given
    const char *io;                 // "auto", "uring", "threads"
    const char *direct;             // "auto", "on", "off"
    const char *kv;                 // "f16", "f32"
    uint32_t n_threads;             // 0: usable physical cores
    uint32_t n_ctx;                 // 0: the model's, at most 4096
    uint32_t n_ubatch;              // rows of a prompt chunk, at most; 0: 512. Changes no bit
    uint32_t n_sequences_max;       // sequences alive at once; 0: 1
    uint32_t n_logit_rows;          // rows of a pass with logits, at most; 0: as many as sequences
    const char *isa;                // limits the instruction set; NULL: HYPURA_ISA decides
    bool f32_activations;           // verification
    const char *const *override_kv; // "KEY=int:1"
    size_t n_override_kv;
    const char *const *mirrors; // paths of further copies of the model, on other drives
    size_t n_mirrors;           // at most 7
    const char *heat_map; // "off", "auto": start from, and save, what runs of this model use most
    const char *trace;    // the run is recorded into this file; NULL: it is not
    bool sandbox;         // give up rights that streaming does not need, for the whole process
    const char *const *write_paths; // with sandbox: files and folders that stay writable
    size_t n_write_paths;
    // Guesses of the next tokens, evaluated in one pass with the token before them. They change no
    // logits. At most one of the two:
    const char *draft; // a small model of the same vocabulary, held in memory whole; NULL: none
    bool draft_ngram;  // what came after the last tokens when they came before
} hypura_model_options;

#define HYPURA_MODEL_OPTIONS_INIT                                               \
    {                                                                           \
        .size_bytes = sizeof(hypura_model_options), .need = HYPURA_NEED_WEIGHTS \
    }

HYPURA_API hypura_model *hypura_model_open(
    const char *path, const hypura_model_options *options, hypura_error *err);
HYPURA_API void hypura_model_close(hypura_model *model); // after its sequences

/* With heat_map "auto", and after the last token: writes what the model's experts were used for
 * to the user's cache folder, so that the next start has them in memory. *n_bytes: what was
 * written; 0 for a dense model. With `sandbox`, no file can be opened for writing afterwards. */
HYPURA_API bool hypura_model_save_heat_map(
    hypura_model *model, uint64_t *n_bytes, hypura_error *err);

HYPURA_API uint32_t hypura_n_vocab(const hypura_model *model);
HYPURA_API uint32_t hypura_n_ctx(const hypura_model *model);
HYPURA_API uint32_t hypura_n_embd(const hypura_model *model);
HYPURA_API uint32_t hypura_n_layer(const hypura_model *model);
HYPURA_API bool hypura_ends_generation(const hypura_model *model, int32_t token);
HYPURA_API bool hypura_adds_bos(const hypura_model *model);

/* Text. *ids and *text are allocated; free them with hypura_free. */
HYPURA_API bool hypura_tokenize(const hypura_model *model, const char *text, size_t n_bytes,
    bool add_special, bool parse_special, int32_t **ids, size_t *n_ids, hypura_error *err);
HYPURA_API bool hypura_detokenize(const hypura_model *model, const int32_t *ids, size_t n_ids,
    bool show_special, char **text, size_t *n_bytes, hypura_error *err);
/* The bytes of one token; borrowed. */
HYPURA_API const char *hypura_piece(
    const hypura_model *model, int32_t token, bool show_special, size_t *n_bytes);
HYPURA_API void hypura_free(void *memory);

/* Tokens to text as they come, never half a character; the text goes on behind another one, so
 * a leading blank stays. *text is borrowed until the next
 * call on the stream; it may be empty. hypura_text_stream_end gives what was held back. */
typedef struct hypura_text_stream hypura_text_stream;
HYPURA_API hypura_text_stream *hypura_text_stream_create(
    const hypura_model *model, hypura_error *err);
HYPURA_API void hypura_text_stream_free(hypura_text_stream *stream);
HYPURA_API bool hypura_text_stream_token(hypura_text_stream *stream, int32_t token,
    const char **text, size_t *n_bytes, hypura_error *err);
HYPURA_API bool hypura_text_stream_end(
    hypura_text_stream *stream, const char **text, size_t *n_bytes, hypura_error *err);

HYPURA_API hypura_sequence *hypura_sequence_create(hypura_model *model, hypura_error *err);
HYPURA_API void hypura_sequence_free(hypura_sequence *sequence);
HYPURA_API uint32_t hypura_sequence_position(const hypura_sequence *sequence); // of the next token
/* Empties the sequence and makes `position` the place of its next token. */
HYPURA_API bool hypura_sequence_reset(
    hypura_sequence *sequence, uint32_t position, hypura_error *err);

/*
 * Evaluates tokens and leaves the logits of the last one in the sequence.
 *
 * tokens    ids in [0, hypura_n_vocab(model)); borrowed for the call
 * n_tokens  at least 1; position + n_tokens may not exceed the context
 *
 * On failure the sequence is as it was before. However a prompt is cut into calls, the
 * logits are the same bits. Blocking.
 */
HYPURA_API bool hypura_sequence_eval(
    hypura_sequence *sequence, const int32_t *tokens, size_t n_tokens, hypura_error *err);
/* Called while tokens are evaluated, after every layer: so far `done` of `total` tokens, by
 * work. Returning false stops the call with an error (exit_status 130), the sequence as before.
 * NULL: nobody is asked. */
typedef bool hypura_progress_callback(void *context, size_t done, size_t total);
HYPURA_API void hypura_model_on_progress(
    hypura_model *model, hypura_progress_callback *callback, void *context);

/* [n_vocab], borrowed until the next eval of this sequence. */
HYPURA_API const float *hypura_sequence_logits(const hypura_sequence *sequence);

/* As hypura_sequence_eval, but every row's results are handed to `row`: logits [n_vocab]
 * and, where wanted, layer outputs; returning false stops with an error of the caller's. */
typedef struct hypura_row {
    size_t index;             // of the token in this call
    const float *logits;      // [n_vocab]
    const float *result_norm; // [n_embd] after the final norm
} hypura_row;
typedef bool hypura_row_callback(void *context, const hypura_row *row);
/* layer outputs [n_embd] of `layer` for row `index`, before the rows' logits are handed out;
 * may be NULL */
typedef bool hypura_layer_callback(
    void *context, uint32_t layer, size_t index, const float *output);
HYPURA_API bool hypura_sequence_eval_rows(hypura_sequence *sequence, const int32_t *tokens,
    size_t n_tokens, hypura_row_callback *row, hypura_layer_callback *layer, void *context,
    hypura_error *err);

/* Several sequences in one pass: one token each, logits left in each. */
HYPURA_API bool hypura_eval_together(
    hypura_sequence *const *sequences, const int32_t *tokens, size_t n, hypura_error *err);

/* Sampling: a token's randomness depends on seed and position alone. With a draft (a model; not
 * with draft_ngram) it is another one than without, from the same distribution. */
typedef struct hypura_sampling {
    size_t size_bytes;
    uint64_t seed;
    float temperature, top_p, min_p;
    int32_t top_k;
} hypura_sampling;
HYPURA_API hypura_sampling hypura_sampling_default(
    void); // temperature 0.8, top_k 40, top_p 0.95, min_p 0.05
HYPURA_API bool hypura_sequence_sample(
    hypura_sequence *sequence, const hypura_sampling *sampling, int32_t *token, hypura_error *err);

/* Many prompts at once, each in a place of its own: a pass over the weights serves all places. One
 * that ends takes the next prompt while the others go on. A prompt gets the tokens that it would
 * get alone. */
typedef struct hypura_batch hypura_batch;
typedef struct hypura_batch_answer {
    uint32_t place;
    int32_t token;
} hypura_batch_answer;

/* n_places: at most n_sequences_max of the model's options, less the sequences that are open. */
HYPURA_API hypura_batch *hypura_batch_create(
    hypura_model *model, uint32_t n_places, hypura_error *err);
HYPURA_API void hypura_batch_free(hypura_batch *batch); // before its model

/* Gives the empty place `place` (below n_places) a prompt of 1 to context - 1 tokens, borrowed
 * until the place is empty again. On failure nothing changed. */
HYPURA_API bool hypura_batch_begin(hypura_batch *batch, uint32_t place, const int32_t *tokens,
    size_t n_tokens, const hypura_sampling *sampling, hypura_error *err);
HYPURA_API void hypura_batch_end(hypura_batch *batch, uint32_t place); // empties it

/* One pass. answers [n_places]: the next token of each place that has one now, also the one that
 * ends generation; long prompts take several passes to their first. The caller ends a place that
 * has got enough, or whose context is full. On failure all places are as before. Blocking. */
HYPURA_API bool hypura_batch_step(
    hypura_batch *batch, hypura_batch_answer *answers, uint32_t *n_answers, hypura_error *err);

/* Bytes that the process may hold (memory), and of the weights; then what parts of it hold. */
typedef struct hypura_budget {
    uint64_t memory, weights, trunk, cache, ring, state, scratch;
} hypura_budget;

/* What happened so far. */
typedef struct hypura_stats {
    size_t size_bytes;
    const char *arch, *io_backend, *isa;
    bool direct;
    uint32_t n_threads;
    hypura_budget budget;
    uint64_t weight_bytes; // of the model's tensors
    uint64_t peak_memory_bytes;
    uint64_t read_bytes, read_missed_bytes, read_load_bytes, read_padding_bytes,
        read_prefetch_wasted_bytes, read_again_bytes;
    uint64_t checked_bytes; // of what was read: held against checksums, and right
    uint64_t written_bytes;
    uint64_t demanded_bytes;        // payload that passes multiplied with
    uint64_t demanded_expert_bytes; // of these, of experts
    uint64_t n_passes;
    uint64_t expert_hits, expert_misses;
    uint64_t stall_ns;
    uint64_t read_demand_bytes; // of read_missed_bytes: asked for only when a router had spoken
    uint64_t pass_ns;           // in passes; of it experts_ns from a router's word to the last
    uint64_t experts_ns;        //   expert done, and experts_stall_ns of that waiting
    uint64_t experts_stall_ns;
    uint64_t drive_busy_ns, drive_busy_bytes; // what the drive gave while it was waited for
    uint64_t n_reads, read_depth_sum;         // their quotient: mean depth of the reads
    uint32_t n_expert_used;                   // of a layer; 0: no mixture
    // Of the cache, under pressure from others: given back to them, and taken up again.
    uint64_t given_back_bytes, taken_again_bytes;
    bool speculates;                          // opened with draft or draft_ngram
    uint64_t drafted, accepted;               // tokens guessed, and of them those that came
    uint64_t draft_passes;                    // that had guesses
} hypura_stats;
HYPURA_API void hypura_model_stats(const hypura_model *model, hypura_stats *stats);

/* A copy of the model's weights: 0 is the model itself, then its mirrors. False: there are not so
 * many, or no weights. */
typedef struct hypura_source {
    const char *path; // of its first part; borrowed from the model
    uint64_t read_bytes;
    double bytes_per_s; // while it had something to do; NAN with a single copy
    bool is_dropped;    // it failed, and is not read any more
} hypura_source;
HYPURA_API bool hypura_model_source(
    const hypura_model *model, uint32_t index, hypura_source *source);

/* Tokens per second that each ceiling allows at most; NAN: not known, or it does not bind. */
typedef struct hypura_bound {
    double drive_per_s, memory_per_s, compute_per_s, layers_per_s;
    const char *name;   // of the least: "drive", "memory", "compute", "layers"; NULL: none
    double least_per_s; // its value
} hypura_bound;

typedef struct hypura_range {
    double low, expected, high;
} hypura_range;

/* Blocks of the model that lie, or could lie, in one place. */
typedef struct hypura_tier {
    const char *name;
    uint64_t n_bytes, n_blocks;
} hypura_tier;
#define HYPURA_TIERS_MAX 8

/* Ceilings that are known better than profile knows them; 0: take what profile measured, and
 * where it never ran a cautious guess. */
typedef struct hypura_plan_options {
    size_t size_bytes;   // sizeof(hypura_plan_options)
    uint32_t n_prompt;   // tokens; 0: 512
    uint32_t n_parallel; // prompts that share every pass; 0: 1
    double drive_bytes_per_s, memory_bytes_per_s;
    double compute_bytes_per_s;           // of weights multiplied with one row
    double other_seconds, expert_seconds; // of compute a pass, outside and within experts
    double hit_rate;                      // of experts, as a run has seen it; 0: not known
    uint64_t more_bytes;                  // for weights, beyond the budget
} hypura_plan_options;
#define HYPURA_PLAN_OPTIONS_INIT                  \
    {                                             \
        .size_bytes = sizeof(hypura_plan_options) \
    }

/* What is to be expected of a model within its budget, before it runs or while it does. */
typedef struct hypura_plan {
    size_t size_bytes;
    hypura_budget budget;
    uint64_t weight_bytes;
    double pass_bytes_per_token;
    hypura_range missing_bytes_per_token; // a dense model's are exact
    hypura_range hit_rate;                // of experts; of bytes in a dense model
    // From a cold start. Generation and its bound are of all prompts that share a pass together;
    // prompts are evaluated one after the other.
    hypura_range prompt_per_s, generate_per_s, first_token_seconds;
    hypura_bound bound; // with the expected ceilings
    hypura_tier tiers[HYPURA_TIERS_MAX];
    uint32_t n_tiers;
    uint32_t n_prompt, n_parallel, n_threads;
    double drive_bytes_per_s, memory_bytes_per_s, compute_bytes_per_s; // as assumed
    bool drive_is_known, memory_is_known, compute_is_known; // measured or given; else a guess
    bool experts_are_known;                                 // by a heat map; true for a dense model
} hypura_plan;

/* Of a model opened with HYPURA_NEED_PLAN or HYPURA_NEED_WEIGHTS. Reads no weights. */
HYPURA_API bool hypura_model_plan(
    hypura_model *model, const hypura_plan_options *options, hypura_plan *plan, hypura_error *err);

HYPURA_API const char *hypura_version(void);

#ifdef __cplusplus
}
#endif
#endif

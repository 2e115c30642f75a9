/* What a run did: times measured here, bytes counted by the engine. */
#ifndef HYPURA_CLI_STATISTICS_H
#define HYPURA_CLI_STATISTICS_H

#include <stdio.h>

#include "base/json.h"
#include "cli/options.h"
#include "cli/outcome.h"
#include "hypura/hypura.h"

typedef enum Finish { FINISH_STOP, FINISH_LENGTH, FINISH_INTERRUPT, FINISH_ERROR } Finish;

/* Filled by the verb as it goes; statistics_destroy ends it. */
#define STATISTICS_SOURCES_MAX 8 // the model and its mirrors

typedef struct Statistics {
    FILE *stream;           // where --stats wants them; NULL: nowhere. Owned unless stderr
    const char *model_path; // borrowed
    OptionSeed seed;        // as used; not given: nothing was sampled
    Finish finish;
    uint64_t n_prompt, n_generated; // tokens
    uint64_t begun_ns;              // when opening the model began
    const char *path;               // of --stats=FILE; NULL: none, or no regular file
    bool is_new;                    // FILE was not there before
    bool explains;                  // somebody will read the outcome
    uint64_t prompt_begun_ns;       // model open, first evaluation not begun
    uint64_t prompt_ended_ns;       // logits of the last prompt token there
    uint64_t *token_ns;             // owned: when each generated token was there
    uint64_t n_token_ns_max;
    hypura_source sources[STATISTICS_SOURCES_MAX]; // their paths are the model's: written before
    uint32_t n_sources;                            // it is closed
    hypura_stats after_prompt, after_second, after_all;
    uint64_t n_in_second; // tokens that came after the first, until after_second; 0: not reached
    Outcome outcome;
    uint64_t saved_bytes; // after the last token: the heat map
    // of prompts that share passes; then token_ns are times of passes, the last of them thinned
    uint32_t n_parallel; // 0: there is one prompt
    uint64_t first_token_ns, last_pass_ns; // clock; 0: not yet
    uint64_t n_pass_times, pass_stride, n_passes;
    uint64_t read_before_bytes; // to look at the model before it was opened to run
    uint64_t output_bytes;
} Statistics;

/* Opens what --stats asks for, before a sandbox forbids it; what the file holds stays until
 * there are statistics to write. Refuses a file that holds a model or has another part in the
 * command. USAGE: it cannot be opened. */
CHECKED bool statistics_init(Statistics *statistics, const Options *options, Error *err);
void statistics_destroy(Statistics *statistics);

/* Makes room for the times of n tokens. */
CHECKED bool statistics_expect_tokens(Statistics *statistics, uint64_t n, Error *err);
/* A token has been generated now. */
void statistics_add_token(Statistics *statistics, const hypura_model *model);

/* Prompts share passes from now on, n_parallel at once. */
CHECKED bool statistics_begin_passes(
    Statistics *statistics, const hypura_model *model, uint32_t n_parallel, Error *err);
/* A pass has ended now, with so many tokens generated and so many of prompts evaluated. */
void statistics_add_pass(Statistics *statistics, uint64_t n_generated, uint64_t n_prompt);

/* "stop", "length", … */
const char *statistics_finish_name(Finish finish);

/* The prompt is evaluated; and everything is done, or failed at any stage: then, unless it has
 * failed, the heat map is saved. */
void statistics_end_prompt(Statistics *statistics, const hypura_model *model);
void statistics_end(Statistics *statistics, hypura_model *model, Finish finish);

/* The end of a verb that has one task: what came of it follows from its status. Writes, and
 * returns the status, or that of a failure to write after a success. */
int statistics_finish(Statistics *statistics, hypura_model *model, int status);

/* Writes the JSON object where --stats wants it, if anywhere. */
CHECKED bool statistics_write(const Statistics *statistics, Error *err);
/* All of its members. */
void statistics_set_json(Json *out, const Statistics *statistics);
/* One line for people, to standard error, and with `why` two more. */
void statistics_summarise(const Statistics *statistics, bool why);

#endif

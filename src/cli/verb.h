/* What the first argument of the command line may be: one row a verb. The functions
 * behind the rows are in main.c, so that the table can be read without an engine. */
#ifndef HYPURA_CLI_VERB_H
#define HYPURA_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>

typedef enum Verb {
    VERB_RUN,
    VERB_INSPECT,
    VERB_PLAN,
    VERB_PROFILE,
    VERB_DOCTOR,
    VERB_BENCH,
    VERB_TOKENIZE,
    VERB_DETOKENIZE,
    VERB_LOGITS,
    VERB_PERPLEXITY,
    VERB_SYNTH,
    VERB_KCHECK,
    VERB_VERIFY,
    VERB_REPLAY,
    VERB_VERSION,
    VERB_HELP,
    VERBS
} Verb;

typedef struct VerbRow {
    const char *name;
    const char *arguments;                   // as in the usage line, without options
    const char *summary;                     // one line, lower case
    const char *details;                     // for `help VERB`; lines of at most 79 columns
    bool takes_model;                        // the first argument is MODEL, unless -m gave it
    size_t n_arguments_min, n_arguments_max; // besides MODEL
} VerbRow;

const VerbRow *verb_row(Verb verb);

/* False: no verb of this version has that name. */
bool verb_find(const char *name, Verb *out);

/* Does the name belong to a verb that this version does not have yet? */
bool verb_is_planned(const char *name);

/* The verb whose name looks most like `name`; NULL: none is close. */
const char *verb_nearest(const char *name);

/* Single-character edits between two words, at most 64 characters of each looked at. */
unsigned verb_edit_distance(const char *a, const char *b);

#endif

/* The options of all verbs: one table, from which parsing, help and completion come. */
#ifndef HYPURA_CLI_OPTIONS_H
#define HYPURA_CLI_OPTIONS_H

#include "base/error.h"
#include "cli/verb.h"

#define OPTION_NAMES_MAX  4
#define OPTION_ROWS_MAX   128
#define OPTION_HINT_BYTES 160

typedef enum OptionKind {
    OPTION_FLAG,          // bool
    OPTION_LEVEL,         // uint32_t; each use adds one
    OPTION_INTEGER,       // OptionInteger within low..high
    OPTION_NUMBER,        // OptionNumber within low..high
    OPTION_SEED,          // OptionSeed; -1: not given
    OPTION_BUDGET,        // const char *, valid for budget_parse
    OPTION_SHARE,         // the same, a size or a percentage
    OPTION_SIZE,          // const char *, valid for size_parse
    OPTION_CHOICE,        // const char *, one of `choices`
    OPTION_TEXT,          // const char *
    OPTION_TEXTS,         // OptionTexts; repeatable
    OPTION_OPTIONAL_TEXT, // OptionOptionalText: --name or --name=TEXT
} OptionKind;

typedef enum OptionGroup {
    OPTIONS_OF_THE_VERB,
    OPTIONS_SAMPLING,
    OPTIONS_MODEL,
    OPTIONS_GENERAL,
    OPTION_GROUPS
} OptionGroup;

typedef struct OptionRow {
    const char *names[OPTION_NAMES_MAX]; // with dashes, ours first, then llama.cpp's
    OptionKind kind;
    OptionGroup group;
    uint32_t verbs; // bit 1 << Verb for each verb that has it
    size_t field;   // offset in Options of what the kind names
    const char *value_name;
    const char *choices; // OPTION_CHOICE: "auto|on|off"
    double low, high;    // OPTION_INTEGER, OPTION_NUMBER
    const char *help;    // one line, lower case
} OptionRow;

typedef struct OptionInteger {
    bool is_given;
    int64_t value;
} OptionInteger;

typedef struct OptionNumber {
    bool is_given;
    double value;
} OptionNumber;

typedef struct OptionSeed {
    bool is_given;
    uint64_t value;
} OptionSeed;

typedef struct OptionTexts {
    const char **texts; // owned by Options
    size_t n;
} OptionTexts;

typedef struct OptionOptionalText {
    bool is_given;
    const char *text; // NULL: given without
} OptionOptionalText;

/* A parsed command line. Texts are borrowed from argv; options_destroy ends it. */
typedef struct Options {
    Verb verb;
    const char *model;      // verbs that take one: never NULL unless help_wanted
    const char **arguments; // besides MODEL, in order; owned
    size_t n_arguments;

    const char *model_option, *prompt, *file, *output, *tokens, *type, *size, *router, *budgets,
        *trace, *perfetto, *prompts;
    bool raw, special, pieces, layers, list, force, bench, write, json;
    bool manual;            // --man
    const char *completion; // --completion
    bool special_omitted;   // --no-add-special
    OptionInteger n_tokens, start, n_prompt, n_parallel, n_pairs;
    OptionNumber seconds;
    const char *what_if;
    const char *only, *path, *scratch;

    OptionSeed seed;
    OptionNumber temperature, top_p, min_p;
    OptionInteger top_k;

    const char *memory, *weights, *reserve, *io, *direct, *kv, *heat_map, *draft;
    OptionInteger n_threads, n_ctx, n_ubatch;
    OptionTexts override_kv, mirrors;
    bool f32_activations, draft_ngram;

    OptionOptionalText stats;
    uint32_t verbosity;
    bool quiet, help_wanted;
} Options;

size_t option_count(void);
const OptionRow *option_row(size_t index);

/*
 * Parses what follows the verb. Options may stand anywhere; "--" ends them. An option
 * given twice is an error, but for those that repeat.
 *
 * args  n texts; borrowed for the life of `out`
 * hint  OPTION_HINT_BYTES; what to try after a failure
 *
 * On failure `err` is USAGE or OUT_OF_MEMORY and `out` holds nothing.
 */
CHECKED bool options_parse(
    Verb verb, const char *const *args, size_t n, Options *out, char *hint, Error *err);
void options_destroy(Options *options);

#endif

/* The parser of the command line, driven by option_table.c.
 *
 * Options may stand before, between and after arguments. A value follows its option as
 * the next argument, after '=', or directly behind a single letter ("-n64"). A negative
 * number is a value; the name of an option is not, so a forgotten value is found out.
 * Numbers are read without regard to the locale, which this program never sets. */
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/size.h"

typedef struct Parse {
    Options *out;
    char *hint;
    bool seen[OPTION_ROWS_MAX];
    char name[48];         // of the option that is being parsed, as it was given
    char file_option[128]; // "--stats=WORD" where a word stood behind "--stats"; empty: nowhere
} Parse;

static bool is_option_of(const OptionRow *row, Verb verb)
{
    return (row->verbs & (1u << verb)) != 0;
}

/* The row with exactly this name (n_bytes of it) that the verb has; -1: none. */
static int find_row(Verb verb, const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < option_count(); i++) {
        const OptionRow *row = option_row(i);
        if (!is_option_of(row, verb)) continue;
        for (size_t k = 0; k < OPTION_NAMES_MAX && row->names[k]; k++)
            if (strlen(row->names[k]) == n_bytes && memcmp(row->names[k], name, n_bytes) == 0)
                return (int)i;
    }
    return -1;
}

static bool takes_value(const OptionRow *row)
{
    return row->kind != OPTION_FLAG && row->kind != OPTION_LEVEL
           && row->kind != OPTION_OPTIONAL_TEXT;
}

static bool repeats(const OptionRow *row)
{
    return row->kind == OPTION_LEVEL || row->kind == OPTION_TEXTS;
}

static bool refuse_unknown(Parse *parse, Error *err)
{
    const char *nearest = NULL;
    unsigned least = 4;

    for (size_t i = 0; i < VERBS; i++)
        if (find_row((Verb)i, parse->name, strlen(parse->name)) >= 0)
            return error_set(err, ERROR_USAGE, "option '%s' is of other verbs", parse->name);
    for (size_t i = 0; i < option_count(); i++) {
        const OptionRow *row = option_row(i);
        if (!is_option_of(row, parse->out->verb)) continue;
        for (size_t k = 0; k < OPTION_NAMES_MAX && row->names[k]; k++) {
            unsigned distance = verb_edit_distance(parse->name, row->names[k]);
            // In a name of n characters up to n/2 edits can be a slip.
            if (distance >= least || distance * 2 > strlen(row->names[k])) continue;
            least = distance;
            nearest = row->names[k];
        }
    }
    if (nearest) snprintf(parse->hint, OPTION_HINT_BYTES, "%s", nearest);
    return error_set(err, ERROR_USAGE, "unknown option '%s'", parse->name);
}

static bool parse_number(const OptionRow *row, const char *text, double *out, Error *err)
{
    char *end = NULL;
    bool has_digits = *text && strspn(text, "0123456789.eE+-") == strlen(text);

    errno = 0;
    double value = has_digits ? strtod(text, &end) : 0;
    if (!has_digits || end == text || *end)
        return error_set(err, ERROR_USAGE, "'%s' is not a number", text);
    if (errno == ERANGE || !(value >= row->low && value <= row->high))
        return error_set(
            err, ERROR_USAGE, "%s is not within %.12g to %.12g", text, row->low, row->high);
    *out = value;
    return true;
}

static bool parse_integer(const OptionRow *row, const char *text, int64_t *out, Error *err)
{
    double value = 0;

    if (text[strspn(text, "0123456789-")])
        return error_set(err, ERROR_USAGE, "'%s' is not a whole number", text);
    if (!parse_number(row, text, &value, err)) return false;
    *out = (int64_t)value; // the limits of all rows are below 2^53, where doubles are exact
    return true;
}

static bool parse_seed(const char *text, OptionSeed *out, Error *err)
{
    if (strcmp(text, "-1") == 0) return true; // llama.cpp's way to say "draw one"
    errno = 0;
    bool has_digits = *text && strspn(text, "0123456789") == strlen(text);
    unsigned long long value = has_digits ? strtoull(text, NULL, 10) : 0;
    if (!has_digits || errno == ERANGE)
        return error_set(err, ERROR_USAGE, "'%s' is not a whole number below 2^64", text);
    *out = (OptionSeed){.is_given = true, .value = value};
    return true;
}

static bool check_choice(const OptionRow *row, const char *text, Error *err)
{
    size_t n_bytes = strlen(text);

    for (const char *choice = row->choices; choice;) {
        size_t n = strcspn(choice, "|");
        if (n == n_bytes && memcmp(choice, text, n) == 0) return true;
        choice = choice[n] ? choice + n + 1 : NULL;
    }
    return error_set(err, ERROR_USAGE, "'%s' is not one of %s", text, row->choices);
}

static bool add_text(OptionTexts *list, const char *text, Error *err)
{
    const char **texts =
        mem_resize(MEM_OTHER, (void *)list->texts, (list->n + 1) * sizeof *texts, err);

    if (!texts) return false;
    texts[list->n++] = text;
    list->texts = texts;
    return true;
}

static bool check_size(const char *text, Error *err)
{
    uint64_t n_bytes;

    return size_parse(text, &n_bytes, err);
}

static bool check_budget(const char *text, Error *err)
{
    Budget budget;

    return budget_parse(text, &budget, err);
}

static bool check_share(const char *text, Error *err)
{
    Budget budget;

    if (!budget_parse(text, &budget, err)) return false;
    if (budget.unit == BUDGET_BYTES || budget.unit == BUDGET_PERCENT) return true;
    return error_set(err, ERROR_USAGE, "'%s' is for --weights; give a size or a percentage", text);
}

/* Puts a value where the row says. `text` is NULL for flags. */
static bool store(const OptionRow *row, const char *text, Options *out, Error *err)
{
    void *field = (char *)out + row->field;
    OptionNumber *number = field;
    OptionInteger *integer = field;
    const char **place = field;

    switch (row->kind) {
    case OPTION_FLAG: *(bool *)field = true; return true;
    case OPTION_LEVEL: *(uint32_t *)field += 1 + (text ? (uint32_t)strlen(text) : 0); return true;
    case OPTION_INTEGER:
        integer->is_given = true;
        return parse_integer(row, text, &integer->value, err);
    case OPTION_NUMBER:
        number->is_given = true;
        return parse_number(row, text, &number->value, err);
    case OPTION_SEED: return parse_seed(text, field, err);
    case OPTION_BUDGET: *place = text; return check_budget(text, err);
    case OPTION_SHARE: *place = text; return check_share(text, err);
    case OPTION_SIZE: *place = text; return check_size(text, err);
    case OPTION_CHOICE: *place = text; return check_choice(row, text, err);
    case OPTION_TEXT: *place = text; return true;
    case OPTION_TEXTS: return add_text(field, text, err);
    case OPTION_OPTIONAL_TEXT:
        *(OptionOptionalText *)field = (OptionOptionalText){.is_given = true, .text = text};
        return true;
    }
    return error_set(err, ERROR_INTERNAL, "option of unknown kind");
}

/* The value of an option: behind '=' or its letter, else the next argument. */
static bool find_value(Parse *parse, const OptionRow *row, const char *attached,
    const char *const *next, const char **value, Error *err)
{
    *value = attached;
    if (!takes_value(row)) {
        bool is_repeated = attached && row->kind == OPTION_LEVEL && attached[-1] != '=';
        if (!attached || row->kind == OPTION_OPTIONAL_TEXT || is_repeated) return true;
        return error_set(err, ERROR_USAGE, "%s takes no value", parse->name);
    }
    if (attached) return true;
    if (!next || find_row(parse->out->verb, *next, strlen(*next)) >= 0)
        return error_set(err, ERROR_USAGE, "%s needs a value: %s", parse->name,
            row->choices ? row->choices : row->value_name);
    *value = *next;
    return true;
}

/* May something stand directly behind the letter? Its value, or the same letter: "-vv". */
static bool may_follow(const OptionRow *row, const char *arg)
{
    if (row->kind != OPTION_LEVEL) return takes_value(row);
    for (const char *at = arg + 1; *at; at++)
        if (*at != arg[1]) return false;
    return true;
}

/* args[*i] begins with a dash; moves *i over a value that was taken. */
static bool parse_option(Parse *parse, const char *const *args, size_t n, size_t *i, Error *err)
{
    const char *arg = args[*i], *value, *attached = NULL;
    size_t n_name = strcspn(arg, "=");
    int index = find_row(parse->out->verb, arg, n_name);

    if (index >= 0 && arg[n_name] == '=') attached = arg + n_name + 1;
    if (index < 0 && arg[1] != '-') { // "-n64"
        index = find_row(parse->out->verb, arg, 2);
        if (index >= 0 && !may_follow(option_row((size_t)index), arg)) index = -1;
        attached = arg + 2;
        if (index >= 0) n_name = 2;
    }
    snprintf(parse->name, sizeof parse->name, "%.*s", (int)(n_name < 47 ? n_name : 47), arg);
    if (index < 0) return refuse_unknown(parse, err);

    const OptionRow *row = option_row((size_t)index);
    if (parse->seen[index] && !repeats(row))
        return error_set(err, ERROR_USAGE, "%s is given twice", parse->name);
    parse->seen[index] = true;

    if (!find_value(parse, row, attached, *i + 1 < n ? &args[*i + 1] : NULL, &value, err))
        return false;
    if (takes_value(row) && !attached) ++*i;
    bool names_no_file = row->kind == OPTION_OPTIONAL_TEXT && !attached;
    if (names_no_file && *i + 1 < n && args[*i + 1][0] != '-')
        snprintf(parse->file_option, sizeof parse->file_option, "%s=%s", parse->name, args[*i + 1]);
    return store(row, value, parse->out, err) || error_at(err, "%s", parse->name);
}

/* Words of a prompt without quotes, or a file that did not reach its option. */
static void hint_at_excess(Parse *parse)
{
    if (parse->out->verb == VERB_RUN)
        snprintf(parse->hint, OPTION_HINT_BYTES, "the prompt in quotes%s%.*s",
            *parse->file_option ? ", or " : "", OPTION_HINT_BYTES - 30, parse->file_option);
    else if (*parse->file_option)
        snprintf(parse->hint, OPTION_HINT_BYTES, "%s", parse->file_option);
}

/* Takes MODEL out of the arguments, and compares their number with the verb's row. */
static bool assign_arguments(Parse *parse, Error *err)
{
    Options *out = parse->out;
    const VerbRow *verb = verb_row(out->verb);

    if (out->help_wanted) return true;
    snprintf(parse->hint, OPTION_HINT_BYTES, "hypura %s %s", verb->name, verb->arguments);
    if (verb->takes_model && out->model_option) {
        out->model = out->model_option;
    } else if (verb->takes_model) {
        if (out->n_arguments == 0) return error_set(err, ERROR_USAGE, "MODEL is missing");
        out->model = out->arguments[0];
        out->n_arguments--;
        memmove(out->arguments, out->arguments + 1, out->n_arguments * sizeof *out->arguments);
    }
    if (out->n_arguments > verb->n_arguments_max) hint_at_excess(parse);
    if (out->n_arguments > verb->n_arguments_max)
        return error_set(
            err, ERROR_USAGE, "unexpected argument '%s'", out->arguments[verb->n_arguments_max]);
    if (out->n_arguments < verb->n_arguments_min)
        return error_set(err, ERROR_USAGE, "too few arguments");
    return true;
}

bool options_parse(
    Verb verb, const char *const *args, size_t n, Options *out, char *hint, Error *err)
{
    Parse parse = {.out = out, .hint = hint};
    bool options_ended = false;

    *out = (Options){.verb = verb};
    snprintf(hint, OPTION_HINT_BYTES, "hypura help %s", verb_row(verb)->name);
    out->arguments = mem_alloc_array(MEM_OTHER, n, sizeof *out->arguments, err);
    if (!out->arguments) return false;

    for (size_t i = 0; i < n; i++) {
        if (!options_ended && strcmp(args[i], "--") == 0) {
            options_ended = true;
        } else if (options_ended || args[i][0] != '-' || args[i][1] == '\0') {
            out->arguments[out->n_arguments++] = args[i];
        } else if (!parse_option(&parse, args, n, &i, err)) {
            goto fail;
        }
    }
    if (!assign_arguments(&parse, err)) goto fail;
    return true;

fail:
    options_destroy(out);
    return false;
}

void options_destroy(Options *options)
{
    mem_free(MEM_OTHER, (void *)options->arguments);
    mem_free(MEM_OTHER, (void *)options->override_kv.texts);
    mem_free(MEM_OTHER, (void *)options->mirrors.texts);
    *options = (Options){0};
}

/* The texts that --help shows. Nothing here is written twice: names, values and meanings
 * come from the tables, so what help says is what the parser does. */
#include "cli/help.h"

#include <string.h>

#define NAMES_COLUMN 34

static const char *const group_titles[OPTION_GROUPS] = {
    [OPTIONS_OF_THE_VERB] = "Options",
    [OPTIONS_SAMPLING] = "Sampling",
    [OPTIONS_MODEL] = "Model and memory",
    [OPTIONS_GENERAL] = "General",
};

const char help_operands[] =
    "MODEL is the path of a GGUF file, or of any part of a split one.\n"
    "Sizes are written 14M, 2G, 512MiB (powers of 1024), 1.5GB (powers of 1000).\n";

const char help_statuses[] =
    "Exit status: 0 done, 1 unexpected failure, 2 wrong usage, 3 not a usable model,\n"
    "4 does not fit the memory budget, 5 the drive or file system failed,\n"
    "7 a check said no, 128+n ended by signal n.\n";

const char *help_group_title(OptionGroup group)
{
    return group_titles[group];
}

void help_write_overview(FILE *stream)
{
    fputs("hypura - run language models that are larger than their memory\n"
          "\n"
          "Usage: hypura VERB [ARGUMENTS] [OPTIONS]\n"
          "\n",
        stream);
    for (size_t i = 0; i < VERBS; i++) {
        const VerbRow *row = verb_row((Verb)i);
        fprintf(stream, "  %-11s %s\n", row->name, row->summary);
    }
    fprintf(stream, "\n%s\n%s\n'hypura help VERB' explains a verb and its options.\n",
        help_operands, help_statuses);
}

/* "  -n, --predict, --n-predict N" */
static void write_names(FILE *stream, const OptionRow *row)
{
    char names[128];
    size_t n = 0;

    for (size_t i = 0; i < OPTION_NAMES_MAX && row->names[i]; i++)
        n +=
            (size_t)snprintf(names + n, sizeof names - n, "%s%s", i > 0 ? ", " : "", row->names[i]);
    const char *value = row->choices ? row->choices : row->value_name;
    if (row->kind == OPTION_OPTIONAL_TEXT)
        n += (size_t)snprintf(names + n, sizeof names - n, "[=%s]", value);
    else if (value)
        n += (size_t)snprintf(names + n, sizeof names - n, " %s", value);
    if (n > NAMES_COLUMN)
        fprintf(stream, "  %s\n  %*s", names, NAMES_COLUMN, "");
    else
        fprintf(stream, "  %-*s", NAMES_COLUMN, names);
}

static void write_group(FILE *stream, Verb verb, OptionGroup group)
{
    bool has_title = false;

    for (size_t i = 0; i < option_count(); i++) {
        const OptionRow *row = option_row(i);
        if (row->group != group || !(row->verbs & (1u << verb))) continue;
        if (!has_title) fprintf(stream, "\n%s:\n", group_titles[group]);
        has_title = true;
        write_names(stream, row);
        fprintf(stream, " %s\n", row->help);
    }
}

void help_write_verb(FILE *stream, Verb verb)
{
    const VerbRow *row = verb_row(verb);

    fprintf(stream, "hypura %s - %s\n\nUsage: hypura %s%s%s [OPTIONS]\n", row->name, row->summary,
        row->name, *row->arguments ? " " : "", row->arguments);
    if (*row->details) fprintf(stream, "\n%s", row->details);
    for (int group = 0; group < OPTION_GROUPS; group++)
        write_group(stream, verb, (OptionGroup)group);
}

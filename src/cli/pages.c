/* The manual page and the completion, made from the tables of verbs and options like the help:
 * an option that the parser knows is in both, and no other is. */
#include "cli/pages.h"

#include <string.h>

#include "cli/help.h"
#include "cli/options.h"
#include "hypura/hypura.h"

/* ---- manual ---- */

/* Text as roff takes it: no dash becomes a hyphen, no line a request, and an empty line begins
 * a paragraph. */
static void write_roff(FILE *stream, const char *text)
{
    bool begins_line = true;

    for (const char *at = text; *at; at++) {
        if (begins_line && (*at == '.' || *at == '\'')) fputs("\\&", stream);
        if (begins_line && *at == '\n') fputs(".PP", stream);
        if (*at == '-' || *at == '\\')
            fputs(*at == '-' ? "\\-" : "\\e", stream);
        else
            putc(*at, stream);
        begins_line = *at == '\n';
    }
}

static const char *value_of(const OptionRow *row)
{
    return row->choices ? row->choices : row->value_name;
}

static void write_manual_option(FILE *stream, const OptionRow *row)
{
    fputs(".TP\n.B ", stream);
    for (size_t i = 0; i < OPTION_NAMES_MAX && row->names[i]; i++) {
        if (i > 0) fputs(", ", stream);
        write_roff(stream, row->names[i]);
    }
    if (value_of(row)) {
        fputs(row->kind == OPTION_OPTIONAL_TEXT ? "[=" : " ", stream);
        write_roff(stream, value_of(row));
        if (row->kind == OPTION_OPTIONAL_TEXT) putc(']', stream);
    }
    putc('\n', stream);
    write_roff(stream, row->help);
    putc('\n', stream);
}

/* "(run, logits, perplexity)", unless the option is of all verbs. */
static void write_verbs_of(FILE *stream, const OptionRow *row)
{
    const char *between = "(";

    if (row->verbs == (1u << VERBS) - 1) return;
    for (int verb = 0; verb < VERBS; verb++) {
        if (!(row->verbs & (1u << verb))) continue;
        fprintf(stream, "%s%s", between, verb_row((Verb)verb)->name);
        between = ", ";
    }
    fputs(")\n", stream);
}

static void write_manual_verb(FILE *stream, Verb verb)
{
    const VerbRow *row = verb_row(verb);

    fprintf(stream, ".SS %s\n.B hypura %s\n.RI ", row->name, row->name);
    putc('"', stream);
    write_roff(stream, row->arguments);
    fputs(" [OPTIONS]\"\n.PP\n", stream);
    write_roff(stream, row->summary);
    fputs(".\n", stream);
    write_roff(stream, row->details);
    for (size_t i = 0; i < option_count(); i++)
        if (option_row(i)->group == OPTIONS_OF_THE_VERB && option_row(i)->verbs & (1u << verb))
            write_manual_option(stream, option_row(i));
}

static void write_manual_group(FILE *stream, OptionGroup group)
{
    fprintf(stream, ".SS %s\n", help_group_title(group));
    for (size_t i = 0; i < option_count(); i++) {
        if (option_row(i)->group != group) continue;
        write_manual_option(stream, option_row(i));
        write_verbs_of(stream, option_row(i));
    }
}

void pages_write_manual(FILE *stream)
{
    fprintf(stream,
        ".TH HYPURA 1 \"\" \"hypura %s\" \"User Commands\"\n"
        ".SH NAME\nhypura \\- run language models that are larger than their memory\n"
        ".SH SYNOPSIS\n.B hypura\n.I VERB\n.RI [ ARGUMENTS ]\n.RI [ OPTIONS ]\n"
        ".SH DESCRIPTION\n",
        hypura_version());
    write_roff(stream, help_operands);
    fputs(".SH VERBS\n", stream);
    for (int verb = 0; verb < VERBS; verb++) write_manual_verb(stream, (Verb)verb);
    fputs(".SH OPTIONS OF SEVERAL VERBS\n", stream);
    for (int group = 0; group < OPTION_GROUPS; group++)
        if (group != OPTIONS_OF_THE_VERB) write_manual_group(stream, (OptionGroup)group);
    fputs(".SH EXIT STATUS\n", stream);
    write_roff(stream, help_statuses);
    fputs(".SH ENVIRONMENT\n"
          ".TP\n.B HYPURA_ISA\nlimits the instruction set: scalar, avx2, avx512, neon\n"
          ".TP\n.B NO_COLOR\nif set, a terminal's cursor is not moved and no colour used\n"
          ".TP\n.B XDG_CACHE_HOME\nthe folder in which the cache folder is "
          "(default ~/.cache)\n"
          ".SH FILES\n.I ~/.cache/hypura\nholds what was measured of this machine, and the heat "
          "maps of models.\n",
        stream);
}

/* ---- completion ---- */

static void write_choices(FILE *stream, const OptionRow *row)
{
    fputs("    ", stream);
    for (size_t i = 0; i < OPTION_NAMES_MAX && row->names[i]; i++)
        fprintf(stream, "%s%s", i > 0 ? "|" : "", row->names[i]);
    fputs(") words='", stream);
    for (const char *at = row->choices; *at; at++) putc(*at == '|' ? ' ' : *at, stream);
    fputs("' ;;\n", stream);
}

static void write_options(FILE *stream, Verb verb)
{
    fprintf(stream, "    %s) words='", verb_row(verb)->name);
    for (size_t i = 0; i < option_count(); i++)
        for (size_t k = 0; k < OPTION_NAMES_MAX && option_row(i)->names[k]; k++)
            if (option_row(i)->verbs & (1u << verb))
                fprintf(stream, "%s ", option_row(i)->names[k]);
    fputs("' ;;\n", stream);
}

static void write_verbs(FILE *stream)
{
    for (int verb = 0; verb < VERBS; verb++)
        fprintf(stream, "%s%s", verb > 0 ? " " : "", verb_row((Verb)verb)->name);
}

void pages_write_completion(FILE *stream)
{
    fputs("# bash completion for hypura, made by 'hypura help --completion bash'\n"
          "_hypura()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} words='' verbs='",
        stream);
    write_verbs(stream);
    fputs("'\n"
          "    COMPREPLY=()\n"
          "    case ${COMP_WORDS[COMP_CWORD-1]} in\n",
        stream);
    for (size_t i = 0; i < option_count(); i++)
        if (option_row(i)->choices) write_choices(stream, option_row(i));
    fputs("    help) words=$verbs ;;\n"
          "    esac\n"
          "    [ \"$COMP_CWORD\" -gt 1 ] || words=$verbs\n"
          "    case $words$word in\n"
          "    -*) case ${COMP_WORDS[1]} in\n",
        stream);
    for (int verb = 0; verb < VERBS; verb++) write_options(stream, (Verb)verb);
    fputs("    esac ;;\n"
          "    esac\n"
          "    # shellcheck disable=SC2207\n"
          "    if [ -n \"$words\" ]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\")); fi\n"
          "}\n"
          "complete -o default -F _hypura hypura\n",
        stream);
}

/* `hypura help`: the overview, or one verb; the manual page and the completion; as JSON the
 * tables themselves. */
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/help.h"
#include "cli/pages.h"
#include "cli/report.h"
#include "cli/terminal.h"

static Json *option_json(const OptionRow *row)
{
    Json *out = json_object(), *names = json_list();

    for (size_t i = 0; i < OPTION_NAMES_MAX && row->names[i]; i++)
        json_add(names, json_text(view_of(row->names[i])));
    json_set(out, "names", names);
    const char *value = row->choices ? row->choices : row->value_name;
    json_set(out, "value", value ? json_text(view_of(value)) : NULL);
    json_set_bool(out, "value_optional", row->kind == OPTION_OPTIONAL_TEXT);
    json_set_text(out, "help", view_of(row->help));
    return out;
}

static Json *verb_json(Verb verb)
{
    const VerbRow *row = verb_row(verb);
    Json *out = json_object(), *options = json_list();

    json_set_text(out, "name", view_of(row->name));
    json_set_text(out, "arguments", view_of(row->arguments));
    json_set_text(out, "summary", view_of(row->summary));
    json_set_text(out, "details", view_of(row->details));
    for (size_t i = 0; i < option_count(); i++)
        if (option_row(i)->verbs & (1u << verb)) json_add(options, option_json(option_row(i)));
    json_set(out, "options", options);
    return out;
}

static int write_json(const Verb *verb)
{
    Json *out = json_object(), *list = json_list();

    for (size_t i = 0; i < VERBS; i++)
        if (!verb || *verb == (Verb)i) json_add(list, verb_json((Verb)i));
    json_set(out, "verbs", list);
    return terminal_write_json("help", out);
}

int verb_help(const Options *options)
{
    Verb verb;

    if (options->manual || options->completion) {
        if (options->manual) pages_write_manual(stdout);
        if (options->completion) pages_write_completion(stdout);
        return STATUS_OK;
    }
    if (options->n_arguments == 0) {
        if (options->json) return write_json(NULL);
        help_write_overview(stdout);
        return STATUS_OK;
    }
    const char *name = options->arguments[0];
    if (!verb_find(name, &verb))
        return report_usage("help", "hypura help",
            verb_is_planned(name) ? "the verb '%s' comes in a later version" : "unknown verb '%s'",
            name);
    if (options->json) return write_json(&verb);
    help_write_verb(stdout, verb);
    return STATUS_OK;
}

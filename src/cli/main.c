/* The program: finds the verb, parses its options, runs it, and ends with the status that
 * docs/cli.md names. Nothing else in this folder calls exit(). */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

typedef int VerbFunction(const Options *options);

static VerbFunction *const verb_functions[VERBS] = {
    [VERB_RUN] = verb_run,
    [VERB_INSPECT] = verb_inspect,
    [VERB_PLAN] = verb_plan,
    [VERB_PROFILE] = verb_profile,
    [VERB_DOCTOR] = verb_doctor,
    [VERB_BENCH] = verb_bench,
    [VERB_TOKENIZE] = verb_tokenize,
    [VERB_DETOKENIZE] = verb_detokenize,
    [VERB_LOGITS] = verb_logits,
    [VERB_PERPLEXITY] = verb_perplexity,
    [VERB_SYNTH] = verb_synth,
    [VERB_KCHECK] = verb_kcheck,
    [VERB_VERIFY] = verb_verify,
    [VERB_REPLAY] = verb_replay,
    [VERB_VERSION] = verb_version,
    [VERB_HELP] = verb_help,
};

/* "-h" and "--version" stand for verbs. */
static const char *verb_name_of(const char *argument)
{
    if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) return "help";
    if (strcmp(argument, "-V") == 0 || strcmp(argument, "--version") == 0) return "version";
    return argument;
}

static int refuse_verb(const char *name)
{
    char hint[OPTION_HINT_BYTES];
    const char *nearest = verb_nearest(name);
    size_t n_bytes = strlen(name);

    if (verb_is_planned(name))
        return report_usage(name, "hypura help", "this verb comes in a later version");
    if (name[0] == '-')
        return report_usage("wrong usage", "hypura help", "the verb comes first, then options");
    if (n_bytes > 5 && strcmp(name + n_bytes - 5, ".gguf") == 0)
        snprintf(hint, sizeof hint, "hypura run MODEL, or hypura help");
    else
        snprintf(hint, sizeof hint, "hypura %s", nearest ? nearest : "help");
    return report_usage("wrong usage", hint, "unknown verb '%s'", name);
}

static void set_log_level(const Options *options)
{
    if (options->quiet)
        log_set_level(LOG_QUIET);
    else if (options->verbosity > 0)
        log_set_level(options->verbosity > 1 ? LOG_DEBUG : LOG_INFO);
}

/* Before any work, whose result could not be written. */
static int refuse_json(const Options *options)
{
    Error err = {0};

    error_set(&err, ERROR_ABSENT_FEATURE, "%s: this build has no JSON library",
        options->json      ? "--json"
        : options->prompts ? "--prompts"
                           : "--stats");
    return report_error(verb_row(options->verb)->name, &err);
}

static int run_verb(Verb verb, const char *const *args, size_t n)
{
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};
    int status = STATUS_OK;

    if (!options_parse(verb, args, n, &options, hint, &err))
        return report_error_with_hint(verb_row(verb)->name, &err, hint);
    set_log_level(&options);
    if (options.help_wanted)
        help_write_verb(stdout, verb);
    else if ((options.json || options.stats.is_given || options.prompts) && !json_available())
        status = refuse_json(&options);
    else
        status = verb_functions[verb](&options);
    options_destroy(&options);
    return status;
}

int main(int argc, char **argv)
{
    Verb verb;

    terminal_reopen_standard();
    interrupt_install();
    if (argc < 2) {
        help_write_overview(stderr);
        return STATUS_USAGE;
    }
    if (!verb_find(verb_name_of(argv[1]), &verb)) return refuse_verb(argv[1]);

    const char *const *args = (const char *const *)(argv + 2);
    int status = run_verb(verb, args, (size_t)argc - 2);
    if (interrupt_signal() && status != STATUS_OK) status = STATUS_OF_SIGNAL + interrupt_signal();
    return terminal_finish(status);
}

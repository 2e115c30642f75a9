/* cli/options - the command line as docs/cli.md says it is read. */
#include "harness.h"

#include "cli/options.h"

#define ARGS_MAX 24

/* Parses a NULL-terminated list. */
static bool parse(Verb verb, const char *const *args, Options *out, char *hint, Error *err)
{
    size_t n = 0;

    while (args[n]) n++;
    return options_parse(verb, args, n, out, hint, err);
}

TEST(options_stand_anywhere_and_take_values_in_three_ways)
{
    static const char *const args[] = {
        "--raw", "m.gguf", "-n64", "--temp=0.5", "once", "--seed", "7", "-v", "-vv", NULL};
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};

    CHECK(parse(VERB_RUN, args, &options, hint, &err));
    CHECK(options.raw);
    CHECK(strcmp(options.model, "m.gguf") == 0);
    CHECK(options.n_tokens.is_given && options.n_tokens.value == 64);
    CHECK(options.temperature.is_given && options.temperature.value == 0.5);
    CHECK(options.seed.is_given && options.seed.value == 7);
    CHECK(options.verbosity == 3);
    CHECK(options.n_arguments == 1 && strcmp(options.arguments[0], "once") == 0);
    CHECK(!options.top_k.is_given && !options.memory && !options.stats.is_given);
    options_destroy(&options);
    options_destroy(&options); // harmless
}

TEST(two_dashes_end_the_options)
{
    static const char *const args[] = {"m", "--raw", "--", "--temp", NULL};
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};

    CHECK(parse(VERB_RUN, args, &options, hint, &err));
    CHECK(options.n_arguments == 1);
    CHECK(strcmp(options.arguments[0], "--temp") == 0);
    options_destroy(&options);
}

TEST(llama_cpp_names_are_understood)
{
    static const char *const args[] = {
        "-m", "m", "-p", "text", "-c", "64", "-t", "2", "-ub", "8", NULL};
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};

    CHECK(parse(VERB_RUN, args, &options, hint, &err));
    CHECK(strcmp(options.model, "m") == 0);
    CHECK(strcmp(options.prompt, "text") == 0);
    CHECK(options.n_ctx.value == 64 && options.n_threads.value == 2);
    CHECK(options.n_ubatch.value == 8);
    options_destroy(&options);
}

TEST(stats_take_a_file_only_behind_an_equals_sign)
{
    static const char *const with[] = {"m", "--stats=out.json", NULL};
    static const char *const without[] = {"m", "--stats", "prompt", NULL};
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};

    CHECK(parse(VERB_RUN, with, &options, hint, &err));
    CHECK(options.stats.is_given && strcmp(options.stats.text, "out.json") == 0);
    options_destroy(&options);
    CHECK(parse(VERB_RUN, without, &options, hint, &err));
    CHECK(options.stats.is_given && !options.stats.text);
    CHECK(options.n_arguments == 1);
    options_destroy(&options);
}

TEST(texts_that_repeat_are_kept_in_order)
{
    static const char *const args[] = {
        "m", "--override-kv", "a=int:1", "--override-kv=b=none", NULL};
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};

    CHECK(parse(VERB_INSPECT, args, &options, hint, &err));
    CHECK(options.override_kv.n == 2);
    CHECK(strcmp(options.override_kv.texts[0], "a=int:1") == 0);
    CHECK(strcmp(options.override_kv.texts[1], "b=none") == 0);
    options_destroy(&options);
}

// clang-format off
static const struct {
    const char *label;
    Verb verb;
    const char *args[ARGS_MAX];
    const char *want; // part of the message
    const char *hint; // part of the hint
} refusals[] = {
    {"no model",        VERB_RUN,     {"--raw"},                    "MODEL is missing", "hypura run MODEL"},
    {"too many",        VERB_INSPECT, {"m", "x"},                   "unexpected argument 'x'", "hypura inspect MODEL"},
    {"unquoted prompt", VERB_RUN,     {"m", "once", "upon"},        "unexpected argument 'upon'", "in quotes"},
    {"prompt and file", VERB_RUN,     {"m", "a", "--stats", "st"},  "unexpected argument 'st'", "in quotes, or --stats=st"},
    {"file of stats",   VERB_LOGITS,  {"m", "--stats", "st.json"},  "unexpected argument 'st.json'", "--stats=st.json"},
    {"unknown",         VERB_RUN,     {"m", "--wieghts", "3"},      "unknown option '--wieghts'", "--weights"},
    {"not like any",    VERB_RUN,     {"m", "--frobnicate"},        "unknown option '--frobnicate'", "hypura help run"},
    {"two letters",     VERB_RUN,     {"m", "-qv"},                 "unknown option '-qv'", "-v"},
    {"another verb's",  VERB_INSPECT, {"m", "--temp", "1"},         "'--temp' is of other verbs", "hypura help inspect"},
    {"of a later one",  VERB_RUN,     {"m", "--prefetch", "off"},   "unknown option '--prefetch'", "hypura help"},
    {"twice",           VERB_RUN,     {"m", "-n", "1", "--predict", "2"}, "--predict is given twice", "help"},
    {"no value",        VERB_RUN,     {"m", "-n"},                  "-n needs a value", "help"},
    {"option as value", VERB_RUN,     {"m", "-n", "--raw"},         "-n needs a value", "help"},
    {"flag with value", VERB_RUN,     {"m", "--raw=1"},             "--raw takes no value", "help"},
    {"no number",       VERB_RUN,     {"m", "-n", "x"},             "-n: 'x'", "help"},
    {"empty number",    VERB_RUN,     {"m", "-n", ""},              "-n: ''", "help"},
    {"fraction",        VERB_RUN,     {"m", "-n", "1.5"},           "-n: '1.5'", "help"},
    {"below",           VERB_RUN,     {"m", "-n", "-2"},            "not within -1", "help"},
    {"above",           VERB_RUN,     {"m", "--threads", "1000000000"}, "not within 1 to 256", "help"},
    {"hexadecimal",     VERB_RUN,     {"m", "--temp", "0x10"},      "--temp: '0x10'", "help"},
    {"not a number",    VERB_RUN,     {"m", "--temp", "nan"},       "--temp: 'nan'", "help"},
    {"overflow",        VERB_RUN,     {"m", "--temp", "1e999"},     "not within", "help"},
    {"trailing",        VERB_RUN,     {"m", "--temp", "1,5"},       "'1,5'", "help"},
    {"seed too large",  VERB_RUN,     {"m", "--seed", "18446744073709551616"}, "below 2^64", "help"},
    {"no choice",       VERB_RUN,     {"m", "--io", "aut"},         "'aut' is not one of auto|uring|threads", "help"},
    {"no budget",       VERB_RUN,     {"m", "--weights", "3Q"},     "--weights: '3Q'", "help"},
    {"all of memory",   VERB_RUN,     {"m", "--memory", "all"},     "--memory: 'all' is for --weights", "help"},
    {"least reserve",   VERB_RUN,     {"m", "--reserve", "min"},    "--reserve: 'min' is for --weights", "help"},
    {"context",         VERB_RUN,     {"m", "--ctx", "16777217"},   "--ctx: 16777217 is not within 0 to 16777216", "help"},
    {"chunk",           VERB_RUN,     {"m", "--ubatch", "8193"},    "--ubatch: 8193 is not within 1 to 8192", "help"},
    {"level with value", VERB_RUN,    {"m", "-v=2"},                "-v takes no value", "help"},
    {"other letters",   VERB_RUN,     {"m", "-vq"},                 "unknown option '-vq'", "-v"},
    {"no size",         VERB_SYNTH,   {"--size", "50%"},            "--size: '50%'", "help"},
};
// clang-format on

TEST(wrong_usage_names_the_option_and_what_to_try)
{
    for (size_t i = 0; i < COUNT(refusals); i++) {
        char hint[OPTION_HINT_BYTES];
        Options options;
        Error err = {0};

        CHECK_CASE(
            refusals[i].label, !parse(refusals[i].verb, refusals[i].args, &options, hint, &err));
        CHECK_ERROR(err, ERROR_USAGE);
        CHECK_CASE(refusals[i].label, strstr(err.message, refusals[i].want));
        CHECK_CASE(refusals[i].label, strstr(hint, refusals[i].hint));
        CHECK_CASE(refusals[i].label, !options.arguments && !options.override_kv.texts);
    }
}

TEST(values_at_their_limits_are_taken)
{
    static const char *const args[] = {"m", "-n", "-1", "--seed", "18446744073709551615", "--top-p",
        "1", "--min-p", "0", "--threads", "256", "--ctx", "16777216", "--ubatch", "8192", "--top-k",
        "-1", "--temp", "-1", "--reserve", "50%", NULL};
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};

    CHECK(parse(VERB_RUN, args, &options, hint, &err));
    CHECK(options.n_tokens.value == -1);
    CHECK(options.seed.value == UINT64_MAX);
    CHECK(options.top_p.value == 1 && options.min_p.value == 0);
    options_destroy(&options);
}

TEST(a_seed_of_minus_one_is_drawn)
{
    static const char *const args[] = {"m", "--seed", "-1", NULL};
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};

    CHECK(parse(VERB_RUN, args, &options, hint, &err));
    CHECK(!options.seed.is_given);
    options_destroy(&options);
}

TEST(help_needs_no_arguments)
{
    static const char *const args[] = {"--help", NULL};
    char hint[OPTION_HINT_BYTES];
    Options options;
    Error err = {0};

    for (size_t i = 0; i < VERBS; i++) {
        CHECK_CASE(verb_row((Verb)i)->name, parse((Verb)i, args, &options, hint, &err));
        CHECK_CASE(verb_row((Verb)i)->name, options.help_wanted);
        options_destroy(&options);
    }
}

/* No verb may have two rows of one name, or the second could never be reached. */
TEST(names_are_unique_within_each_verb)
{
    for (size_t i = 0; i < option_count(); i++)
        for (size_t j = 0; j < i; j++) {
            const OptionRow *a = option_row(i), *b = option_row(j);
            if (!(a->verbs & b->verbs)) continue;
            for (size_t k = 0; k < OPTION_NAMES_MAX && a->names[k]; k++)
                for (size_t l = 0; l < OPTION_NAMES_MAX && b->names[l]; l++)
                    CHECK_CASE(a->names[k], strcmp(a->names[k], b->names[l]) != 0);
        }
}

TEST(each_row_is_whole)
{
    for (size_t i = 0; i < option_count(); i++) {
        const OptionRow *row = option_row(i);
        bool is_number = row->kind == OPTION_INTEGER || row->kind == OPTION_NUMBER;

        CHECK_CASE(row->names[0], row->names[0][0] == '-');
        CHECK_CASE(row->names[0], row->verbs != 0 && row->verbs < (1u << VERBS));
        CHECK_CASE(row->names[0], row->field < sizeof(Options));
        CHECK_CASE(row->names[0], (row->kind == OPTION_CHOICE) == (row->choices != NULL));
        CHECK_CASE(row->names[0], !is_number || row->low < row->high);
        CHECK_CASE(row->names[0], row->help && row->help[0] && strlen(row->help) < 80);
    }
}

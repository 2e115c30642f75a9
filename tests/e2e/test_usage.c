/* The contract of docs/cli.md that holds for all verbs: streams, statuses, messages. */
#include "program.h"

#include "base/json.h"

static Program program;

// clang-format off
static const struct {
    const char *label;
    const char *args[8];
    int status;
    const char *message; // part of standard error
} failures[] = {
    {"nothing",           {NULL},                                     2, "Usage: hypura VERB"},
    {"unknown verb",      {"rum"},                                    2, "unknown verb 'rum' [E0101]\n  try: hypura run"},
    {"later verb",        {"serve"},                                  2, "serve: this verb comes in a later version"},
    {"option first",      {"--raw", "run"},                           2, "the verb comes first"},
    {"model as verb",     {"m.gguf"},                                 2, "try: hypura run"},
    {"unknown option",    {"run", "m", "--thread", "2"},              2, "unknown option '--thread' [E0101]\n  try: --threads"},
    {"no template yet",   {"run", MIXTURE, "Hello"},                  2, "--raw"},
    {"two prompts",       {"run", MIXTURE, "--raw", "-p", "a", "b"},  2, "one of PROMPT, --prompt and --file [E0101]\n  try: hypura help run\n"},
    {"no prompt file",    {"run", MIXTURE, "--raw", "-f", "/nonexistent"}, 2, "/nonexistent: No such file"},
    {"no model file",     {"run", "/nonexistent.gguf", "--raw", "a"}, 3, "cannot open model: /nonexistent.gguf: "},
    {"a folder",          {"inspect", MODELS},                        3, "cannot open model: "},
    {"not a model",       {"inspect", HYPURA_SOURCE_ROOT "/LICENSE"}, 3, "only GGUF files can be used"},
    {"bad override",      {"inspect", MIXTURE, "--override-kv", "x=y"}, 2, "[E0101]"},
    {"no room",           {"run", MIXTURE, "--raw", "a", "--memory", "1M"}, 4, "[E0103]"},
    {"token too large",   {"logits", DRAFT, "--tokens", "999999"},    2, "999999"},
    {"no tokens",         {"logits", DRAFT},                          2, "--tokens"},
    {"result over model", {"logits", DRAFT, "--tokens", "1", "-o", DRAFT}, 2, "holds a model"},
    {"nameless result",   {"logits", DRAFT, "--tokens", "1", "-o", ""}, 2, "-o: the name is empty"},
    {"no token between",  {"logits", DRAFT, "--tokens", "1,,2"},      2, "--tokens: a comma without an id"},
    {"a folder as prompt", {"run", MIXTURE, "--raw", "-f", MODELS},   2, "Is a directory"},
    {"no text",           {"perplexity", DRAFT},                      2, "-f FILE"},
    {"text too short",    {"perplexity", DRAFT, "-f", HYPURA_SOURCE_ROOT "/.editorconfig"}, 2, "fewer than a window"},
    {"unknown shape",     {"synth", "gpt-9", "/tmp/x"},               2, "unknown shape 'gpt-9'"},
    {"no folder",         {"synth", "tiny-moe", "/nonexistent/x"},    5, "/nonexistent/x"},
    {"id is no number",   {"detokenize", DRAFT, "1", "x"},            2, "'x' is not a token id"},
    {"id past the end",   {"detokenize", DRAFT, "8192"},              2, "token 8192 is not in 0 to 8191"},
    {"help for nothing",  {"help", "quux"},                           2, "unknown verb 'quux'"},
};
// clang-format on

TEST(failures_have_their_status_and_say_why)
{
    for (size_t i = 0; i < COUNT(failures); i++) {
        int status = program_run(&program, failures[i].args);

        CHECK_CASE(failures[i].label, status == failures[i].status);
        CHECK_CASE(failures[i].label, strstr(program.err, failures[i].message));
        CHECK_CASE(failures[i].label, program.n_out == 0);
        if (!strstr(program.err, failures[i].message) || status != failures[i].status)
            printf("    got %d, '%s'\n", status, program.err);
    }
}

TEST(help_and_version_come_on_standard_output)
{
    static const char *const args[][3] = {{"help"}, {"--help"}, {"-h"}, {"help", "run"},
        {"run", "--help"}, {"run", "-h"}, {"version"}, {"--version"}};

    for (size_t i = 0; i < COUNT(args); i++) {
        CHECK_CASE(args[i][0], program_run(&program, args[i]) == 0);
        CHECK_CASE(args[i][0], program.n_out > 0 && program.n_err == 0);
        CHECK_CASE(args[i][0], strstr(program.out, "hypura") || strstr(program.out, "version"));
        CHECK_CASE(args[i][0], !strchr(program.out, '\x1b')); // no colour: not a terminal
    }
}

/* No work is done whose result could not be written: the model is not looked for. */
TEST(json_is_there_or_missing_by_name)
{
    static const char *const args[][8] = {
        {"inspect", "/nonexistent", "--json"}, {"run", "/nonexistent", "--raw", "--stats", "a"}};

    for (size_t i = 0; i < COUNT(args); i++) {
        int status = program_run(&program, args[i]);
        const char *want =
            json_available() ? "No such file" : "this build has no JSON library [E0106]";
        CHECK_CASE(args[i][0], status == (json_available() ? 3 : 2));
        CHECK_CASE(args[i][0], strstr(program.err, want));
    }
}

TEST(documents_of_json_come_on_standard_output)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    CHECK(RUN(&program, "version", "--json") == 0);
    CHECK(program.out[0] == '{' && program.n_err == 0);
}

TEST(statistics_are_refused_a_place_by_name)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "a", "--stats=" DRAFT) == 2);
    CHECK(strstr(program.err, "holds a model"));
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "a", "--stats=/nonexistent/x") == 2);
    CHECK(strstr(program.err, "/nonexistent/x"));
}

TEST(a_full_drive_is_told)
{
    program.output_path = "/dev/full";
    CHECK(RUN(&program, "help") == 5);
    CHECK(strstr(program.err, "standard output: No space left on device"));
    if (json_available()) {
        CHECK(RUN(&program, "inspect", MIXTURE, "--json") == 5);
        CHECK(strstr(program.err, "No space left on device [E0405]"));
        program.output_path = NULL;
        CHECK(RUN(&program, "run", DRAFT, "--raw", "-n", "1", "--stats=/dev/full", "a") == 5);
        CHECK(strstr(program.err, "No space left on device [E0405]"));
        program.output_path = "/dev/full";
    }
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-q", "-n", "4", "Once") == 5);
    CHECK(strstr(program.err, "standard output: No space left on device"));
    program.output_path = NULL;
}

/* A reader that takes one byte and goes: no messages, and the status that a shell expects. */
TEST(a_reader_that_goes_away_ends_the_program_quietly)
{
    static const char *const args[][10] = {
        {"run", MIXTURE, "--raw", "--seed", "1", "-q", "Once upon a time"}, {"help", "run"},
        {"inspect", MIXTURE, "-v"},
        {"inspect", MIXTURE, "-v", "--json"}, // the last: not of every build
    };
    size_t n = json_available() ? COUNT(args) : COUNT(args) - 1;

    for (size_t i = 0; i < n; i++) {
        program_start(&program, args[i]);
        if (i > 0) close(program.out_fd); // nobody ever reads
        if (i == 0) program_read(&program, 1);
        if (i == 0) close(program.out_fd);
        program.out_fd = -1;
        program_wait(&program);
        // A short result may have been written whole before its reader went.
        CHECK_CASE(args[i][0], program.status == 141 || (i > 0 && program.status == 0));
        CHECK_CASE(args[i][0], program.n_err == 0);
        if (program.n_err > 0) printf("    got '%s'\n", program.err);
    }
}

/* A model must never be opened as descriptor 1 and get text written into it. */
TEST(closed_descriptors_harm_nothing)
{
    for (int fd = 1; fd <= 3; fd++) {
        int wanted = fd == 1 ? 5 : 0; // a result that nobody has is no success
        program.closed_fd = fd;
        CHECK(RUN(&program, "run", MIXTURE, "--raw", "-n", "4", "--seed", "1", "Once") == wanted);
        CHECK((program.n_out > 0) == (fd != 1));
        CHECK((program.n_err > 0) == false || fd != 2);
        CHECK(fd != 1 || strstr(program.err, "standard output: Bad file descriptor"));
        CHECK(RUN(&program, "inspect", MIXTURE) == wanted);
    }
    program.closed_fd = 0;
    CHECK(RUN(&program, "inspect", MIXTURE) == 0); // and the model is what it was
}

/* Names from outside reach the terminal escaped. */
TEST(hostile_names_are_escaped)
{
    CHECK(RUN(&program, "inspect", "/nonexistent/\x1b[2J\n.gguf") == 3);
    CHECK(!strchr(program.err, '\x1b'));
    CHECK(strstr(program.err, "\\x1b[2J\\x0a.gguf"));
    CHECK(RUN(&program, "\x1b[2J") == 2);
    CHECK(!strchr(program.err, '\x1b'));
    CHECK(RUN(&program, "run", "m", "--\x1b[2J") == 2);
    CHECK(!strchr(program.err, '\x1b'));
}

/* `hypura run` from outside: prompts, texts, seeds, statistics. */
#include "program.h"

#include "base/json.h"
#include "sys/child.h"

static Program program;
static char text[PROGRAM_BYTES_MAX + 1]; // of an earlier run

static void keep_text(void)
{
    memcpy(text, program.out, program.n_out + 1);
}

#define RUN_TINY(...) \
    RUN(&program, "run", program_tiny_model("tiny-moe"), "--raw", "--threads", "2", __VA_ARGS__)

static void fill_file(const char *path, size_t n_bytes)
{
    FILE *stream = fopen(path, "w");

    CHECK(stream);
    for (size_t i = 0; stream && i < n_bytes; i++) putc('x', stream);
    if (stream) fclose(stream);
}

/* NULL: it is no JSON document. */
static Json *parse_file(const char *path)
{
    static char content[8192];
    FILE *stream = fopen(path, "r");
    size_t n = stream ? fread(content, 1, sizeof content, stream) : 0;

    if (stream) fclose(stream);
    return json_parse((StringView){content, n}, NULL);
}

TEST(statistics_replace_what_was_there_only_when_there_are_any)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    const char *path = program_path("old.json");
    char option[600], got[16] = "";
    FILE *stream = fopen(path, "w");
    CHECK(stream && fputs("old", stream) > 0 && fclose(stream) == 0);
    snprintf(option, sizeof option, "--stats=%s", path);

    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--memory", "1M", option, "a") == 4);
    stream = fopen(path, "r");
    CHECK(stream && fread(got, 1, sizeof got, stream) == 3 && memcmp(got, "old", 3) == 0);
    if (stream) fclose(stream);

    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-q", "-n", "1", option, "a") == 0);
    stream = fopen(path, "r");
    CHECK(stream && fread(got, 1, 1, stream) == 1 && got[0] == '{');
    if (stream) fclose(stream);

    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-f", path, option) == 2);
    CHECK(strstr(program.err, "is the text of -f"));

    // The model is loaded and its rights are given up: the old file is replaced to its end.
    fill_file(path, 5000);
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-q", "--ctx", "1", option, "a b c") == 2);
    Json *json = parse_file(path);
    CHECK(view_is(json_get_text(json_get(json, "finish")), "error"));
    CHECK(json_get_number(json_get(json, "load_ns"), 1e18) < 1e12);
    json_free(json);

    // The same where no cache folder is written to, so that no file may be opened for writing.
    fill_file(path, 5000);
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-q", "--heat-map", "off", "-n", "1", option, "a")
          == 0);
    json = parse_file(path);
    CHECK(json_get_number(json_get(json, "generated_tokens"), 0) == 1);
    json_free(json);
    CHECK(unlink(path) == 0);
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--memory", "1M", option, "a") == 4);
    CHECK(access(path, F_OK) != 0); // what failed leaves no empty file
}

TEST(a_prompt_is_an_argument_an_option_a_file_or_standard_input)
{
    const char *path = program_path("prompt.txt");
    FILE *stream = fopen(path, "w");

    CHECK(stream && fputs("some words here\n", stream) >= 0 && fclose(stream) == 0);
    CHECK(RUN_TINY("--seed", "1", "-n", "8", "some words here") == 0);
    CHECK(program.n_out > 0);
    keep_text();
    CHECK(RUN_TINY("--seed", "1", "-n", "8", "-p", "some words here") == 0);
    CHECK(strcmp(program.out, text) == 0);
    CHECK(RUN_TINY("--seed", "1", "-n", "8", "-f", path) == 0);
    CHECK(strcmp(program.out, text) == 0);
    program.input = "some words here\n";
    CHECK(RUN_TINY("--seed", "1", "-n", "8") == 0);
    CHECK(strcmp(program.out, text) == 0);
    program.input = "something else"; // not read: there is a prompt
    CHECK(RUN_TINY("--seed", "1", "-n", "8", "some words here") == 0);
    CHECK(strcmp(program.out, text) == 0);
    program.input = NULL;
    CHECK(RUN_TINY("--seed", "1", "-n", "8") == 2);
    CHECK(strstr(program.err, "the prompt is empty"));
}

TEST(guesses_change_no_text_and_are_counted)
{
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--temp", "0", "-n", "40", "-q", "The fox") == 0);
    keep_text();
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--temp", "0", "-n", "40", "-q", "--draft", DRAFT,
              "--weights", "min", "The fox")
          == 0);
    CHECK(strcmp(program.out, text) == 0);
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--temp", "0", "-n", "40", "-v", "--draft-ngram",
              "The fox")
          == 0);
    CHECK(strcmp(program.out, text) == 0);
    CHECK(strstr(program.err, "hypura: guessed "));
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-n", "8", "--draft", DRAFT, "--draft-ngram", "a")
          == 2);
    CHECK(
        RUN(&program, "run", MIXTURE, "--raw", "--draft-ngram", "--prompts", "-", "-o", "/x") == 2);
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--draft", program_tiny_model("tiny-moe"), "a")
          == 3);
    CHECK(strstr(program.err, "another vocabulary"));
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--draft", "/nowhere/draft.gguf", "a") == 3);
    CHECK(strstr(program.err, "/nowhere/draft.gguf"));
}

/* The number that is named does, in the next run. */
TEST(a_draft_that_does_not_fit_is_refused_with_the_number)
{
    char memory[32];

    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--ctx", "256", "--memory", "9M", "--threads", "2",
              "-n", "2", "--draft", DRAFT, "a")
          == 4);
    const char *does = strstr(program.err, " do not do; ");
    if (!CHECK_CASE(program.err, does && strstr(program.err, "the draft: "))) return;
    snprintf(memory, sizeof memory, "%luM", strtoul(does + strlen(" do not do; "), NULL, 10));
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--ctx", "256", "--memory", memory, "--threads",
              "2", "-n", "2", "--draft", DRAFT, "a")
          == 0);
}

/* Sampled: a text of its own, which draft, budget and threads do not change. */
TEST(a_draft_gives_each_seed_one_text)
{
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--seed", "4", "-n", "40", "-q", "--draft", DRAFT,
              "The fox")
          == 0);
    keep_text();
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--seed", "4", "-n", "40", "-q", "--draft", DRAFT,
              "--weights", "min", "--threads", "1", "The fox")
          == 0);
    CHECK(strcmp(program.out, text) == 0);
}

TEST(the_seed_is_drawn_and_shown_when_not_given)
{
    char seed[32] = "";

    CHECK(RUN_TINY("-n", "12", "word") == 0);
    CHECK(sscanf(program.err, "hypura: seed %31s", seed) == 1);
    keep_text();
    CHECK(RUN_TINY("-n", "12", "--seed", seed, "word") == 0);
    CHECK(strcmp(program.out, text) == 0);
    CHECK(program.n_err == 0);
    CHECK(RUN_TINY("-n", "12", "-q", "word") == 0);
    CHECK(program.n_err == 0);
}

TEST(greedy_text_does_not_depend_on_the_seed)
{
    CHECK(RUN_TINY("--temp", "0", "-n", "12", "--seed", "1", "word") == 0);
    keep_text();
    CHECK(RUN_TINY("--temp", "0", "-n", "12", "--seed", "2", "word") == 0);
    CHECK(strcmp(program.out, text) == 0);
    CHECK(RUN_TINY("--temp", "-1", "-n", "12", "--seed", "2", "word") == 0);
    CHECK(strcmp(program.out, text) == 0);
    CHECK(RUN_TINY("--top-k", "0", "-n", "12", "--seed", "2", "word") == 0);
    keep_text();
    CHECK(RUN_TINY("--top-k", "-1", "-n", "12", "--seed", "2", "word") == 0);
    CHECK(strcmp(program.out, text) == 0);
}

TEST(budgets_threads_and_readers_change_no_character)
{
    static const char *const options[][4] = {{"--weights", "min"}, {"--weights", "50%"},
        {"--weights", "all"}, {"--threads", "1"}, {"--io", "threads"}, {"--direct", "off"},
        {"--ubatch", "1"}};

    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--seed", "3", "-n", "16", "The fox said") == 0);
    keep_text();
    for (size_t i = 0; i < COUNT(options); i++) {
        CHECK_CASE(options[i][1], RUN(&program, "run", MIXTURE, "--raw", "--seed", "3", "-n", "16",
                                      options[i][0], options[i][1], "The fox said")
                                      == 0);
        CHECK_CASE(options[i][1], strcmp(program.out, text) == 0);
    }
}

static double number(const Json *json, const char *key)
{
    CHECK_CASE(key, json_get(json, key));
    return json_get_number(json_get(json, key), -1);
}

/* What CLI users and scripts find in --stats; null is allowed where the version knows none. */
static const char *const stats_keys[] = {"model", "arch", "prompt_tokens", "generated_tokens",
    "prompt_per_s", "generate_per_s", "first_token_ns", "token_ns", "budget_bytes",
    "peak_memory_bytes", "read_bytes", "read_missed_bytes", "read_load_bytes", "read_padding_bytes",
    "read_prefetch_wasted_bytes", "read_again_bytes", "written_bytes", "pass_bytes_per_token",
    "missing_bytes_per_token", "hit_rate", "stall_ns", "drive_bytes_per_s", "bound",
    "predicted_generate_per_s", "io_backend", "direct", "isa", "threads", "finish",
    "energy_joules"};
static const char *const budget_keys[] = {
    "memory", "weights", "trunk", "cache", "ring", "state", "scratch"};

static void check_stats(const Json *json, const char *n_tokens)
{
    double parts = number(json, "read_missed_bytes") + number(json, "read_load_bytes")
                   + number(json, "read_padding_bytes") + number(json, "read_prefetch_wasted_bytes")
                   + number(json, "read_again_bytes");
    double read_bytes = number(json, "read_bytes"), hit_rate = number(json, "hit_rate");

    for (size_t i = 0; i < COUNT(stats_keys); i++)
        CHECK_CASE(stats_keys[i], json_get(json, stats_keys[i]));
    for (size_t i = 0; i < COUNT(budget_keys); i++)
        CHECK_CASE(budget_keys[i], json_get(json_get(json, "budget_bytes"), budget_keys[i]));
    CHECK(number(json, "generated_tokens") == strtod(n_tokens, NULL));
    CHECK(number(json, "prompt_tokens") == 4);
    CHECK(parts > 0.995 * read_bytes && parts < 1.005 * read_bytes);
    CHECK(number(json, "written_bytes") == 0);
    CHECK(hit_rate >= 0 && hit_rate <= 1);
    CHECK(view_is(json_get_text(json_get(json, "finish")), "length"));
    CHECK(number(json_get(json, "token_ns"), "p50") <= number(json_get(json, "token_ns"), "p99"));
}

static void refuse_room(void *context)
{
    (void)context;
    (void)refuse_call(SYS_fallocate, 0, 0, ENOSPC);
}

/* A run of hours must not find out at its end that nobody will read what it was. */
TEST(a_full_drive_is_known_before_the_work)
{
    const char *path = program_path("full.json");
    char option[320];

    if (!json_available()) TEST_SKIP("this build has no JSON");
    snprintf(option, sizeof option, "--stats=%s", path);
    program.prepare = refuse_room;
    CHECK(RUN_TINY("-n", "1", option, "a") == 5);
    program.prepare = NULL;
    CHECK(program.n_out == 0);
    CHECK(strstr(program.err, "full.json: No space left on device [E0405]"));
    CHECK(access(path, F_OK) != 0); // nothing was written: nothing is left
}

TEST(statistics_are_whole_and_add_up)
{
    const char *path = program_path("stats.json");
    char option[320];

    if (!json_available()) TEST_SKIP("this build has no JSON");
    snprintf(option, sizeof option, "--stats=%s", path);
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--seed", "3", "-n", "12", "--weights", "25%",
              option, "Once upon a time")
          == 0);
    CHECK(program.n_err == 0);
    Json *json = parse_file(path);
    CHECK(json);
    check_stats(json, "12");
    json_free(json);
}

TEST(statistics_go_to_standard_error_without_a_file)
{
    Error err = {0};

    if (!json_available()) TEST_SKIP("this build has no JSON");
    CHECK(RUN_TINY("--seed", "3", "-n", "1", "--stats", "word") == 0);
    Json *json = json_parse((StringView){program.err, program.n_err}, &err);
    CHECK(number(json, "generated_tokens") == 1);
    CHECK(json_is_null(json_get(json, "generate_per_s"))); // one token has no time between two
    json_free(json);
    CHECK(RUN_TINY("--seed", "3", "-n", "0", "--stats", "word") == 0);
    CHECK(program.n_out == 0);
    json = json_parse((StringView){program.err, program.n_err}, &err);
    CHECK(number(json, "generated_tokens") == 0);
    CHECK(json_is_null(json_get(json, "first_token_ns")));
    json_free(json);
}

TEST(the_context_is_a_limit)
{
    Error err = {0};

    CHECK(RUN_TINY("--seed", "3", "--ctx", "4", "one two three four") == 2);
    CHECK(strstr(program.err, "raise --ctx"));
    if (!json_available()) TEST_SKIP("this build has no JSON");
    CHECK(RUN_TINY("--seed", "3", "--ctx", "16", "--stats", "abc") == 0); // 3 tokens
    Json *json = json_parse((StringView){program.err, program.n_err}, &err);
    CHECK(number(json, "prompt_tokens") + number(json, "generated_tokens") == 16);
    CHECK(view_is(json_get_text(json_get(json, "finish")), "length"));
    json_free(json);
}

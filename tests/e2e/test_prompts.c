/* `hypura run --prompts` from outside: answers, errors of lines, going on where a run ended. */
#include "program.h"

#include <limits.h>
#include <sys/resource.h>

#include "base/json.h"

static Program program;
static char content[1 << 16];

static void write_file(const char *path, const char *text)
{
    FILE *stream = fopen(path, "w");

    CHECK(stream && fputs(text, stream) >= 0);
    if (stream) fclose(stream);
}

static const char *read_file(const char *path)
{
    FILE *stream = fopen(path, "r");
    size_t n = stream ? fread(content, 1, sizeof content - 1, stream) : 0;

    content[n] = '\0';
    if (stream) fclose(stream);
    return content;
}

/* Line `n`, from 0, of a file; NULL: it is not JSON. The caller frees it. */
static Json *line_of(const char *path, size_t n)
{
    const char *text = read_file(path);

    for (; n > 0 && text; n--) text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    size_t n_bytes = text ? strcspn(text, "\n") : 0;
    return json_parse((StringView){text, n_bytes}, NULL);
}

#define PROMPTS(in, out, ...) \
    RUN(&program, "run", MIXTURE, "--raw", "--prompts", in, "-o", out, "-t", "2", __VA_ARGS__)

static const char *const prompts[] = {"Once upon a time", "The little fox said",
    "There was a king who had three sons", "A", "In the morning the youngest went"};

/* A file of them: prompt i wants 4 + 3 i tokens. */
static const char *input_of_five(void)
{
    const char *path = program_path("five.jsonl");
    char text[1024] = "";

    for (size_t i = 0; i < COUNT(prompts); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
            "{\"id\": \"p%zu\", \"prompt\": \"%s\", \"n\": %zu}\n", i, prompts[i], 4 + 3 * i);
    write_file(path, text);
    return path;
}

TEST(a_line_gets_the_text_of_a_run_alone)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    static const char *const options[][4] = {{"--parallel", "1", "--weights", "all"},
        {"--parallel", "2", "--weights", "25%"}, {"--parallel", "3", "--ubatch", "4"},
        {"--parallel", "8", "--weights", "min"}};
    const char *in = input_of_five(), *out = program_path("same.jsonl");
    static char alone[COUNT(prompts)][PROGRAM_BYTES_MAX + 1];

    for (size_t i = 0; i < COUNT(prompts); i++) {
        char n[8];
        snprintf(n, sizeof n, "%zu", 4 + 3 * i);
        CHECK(RUN(&program, "run", MIXTURE, "--raw", "--seed", "3", "-n", n, prompts[i]) == 0);
        snprintf(alone[i], sizeof alone[i], "%s", program.out);
    }
    for (size_t o = 0; o < COUNT(options); o++) {
        unlink(out);
        CHECK_CASE(options[o][1], PROMPTS(in, out, "--seed", "3", "-q", options[o][0],
                                      options[o][1], options[o][2], options[o][3])
                                      == 0);
        CHECK_CASE(options[o][1], program.n_out == 0 && program.n_err == 0);
        for (size_t i = 0; i < COUNT(prompts); i++) {
            Json *line = line_of(out, i);
            char id[8];
            snprintf(id, sizeof id, "p%zu", i);
            CHECK_CASE(options[o][1], view_is(json_get_text(json_get(line, "id")), id));
            CHECK_CASE(options[o][1], view_is(json_get_text(json_get(line, "text")), alone[i]));
            CHECK(json_get_i64(json_get(line, "generated_tokens"), 0) == (int64_t)(4 + 3 * i));
            CHECK(json_get_i64(json_get(line, "prompt_tokens"), 0) > 0);
            CHECK(view_is(json_get_text(json_get(line, "finish")), "length"));
            json_free(line);
        }
    }
}

TEST(a_line_that_cannot_be_used_has_its_error_for_a_result)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    static const struct {
        const char *line, *id, *error, *message;
    } cases[] = {
        {"not json", NULL, "E0101", "not JSON"},
        {"[1]", NULL, "E0101", "not a JSON object"},
        {"{\"id\": \"a\"}", "a", "E0101", "'prompt' is missing"},
        {"{\"id\": \"a\", \"prompt\": 7}", "a", "E0101", "'prompt' is not a text"},
        {"{\"id\": \"a\", \"prompt\": \"\"}", "a", "E0101", "the prompt is empty"},
        {"{\"id\": \"a\", \"prompt\": \"x\", \"n\": 1.5}", "a", "E0101", "'n'"},
        {"{\"id\": \"a\", \"prompt\": \"x\", \"n\": -2}", "a", "E0101", "'n'"},
        {"{\"id\": \"a\", \"prompt\": \"x\", \"seed\": \"1\"}", "a", "E0101", "'seed'"},
        {"{\"id\": \"a\", \"prompt\": \"x\", \"temp\": \"hot\"}", "a", "E0101", "'temp'"},
        {"{\"id\": \"a\", \"prompt\": \"x\", \"stop\": [\"\"]}", "a", "E0101", "'stop'"},
        {"{\"id\": \"a\", \"prompt\": \"x\", \"stop\": 1}", "a", "E0101", "'stop'"},
        {"{\"id\": \"a\", \"prompt\": \"a b c d e f g h i j k l m n o p q r s t\"}", "a", "E0307",
            "room for 16"},
    };
    const char *in = program_path("bad.jsonl"), *out = program_path("bad.out.jsonl");
    char text[2048] = "\n";
    size_t n = 1;

    for (size_t i = 0; i < COUNT(cases); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", cases[i].line);
    snprintf(text + n, sizeof text - n, // without a line end
        "{\"id\": \"good\", \"prompt\": \"x\", \"unknown\": [], \"n\": null}");
    write_file(in, text);
    CHECK(PROMPTS(in, out, "--seed", "1", "-n", "2", "--ctx", "16") == 0);
    CHECK(strstr(program.err, "12 lines have an error"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        Json *line = line_of(out, i);
        const Json *error = json_get(line, "error"), *id = json_get(line, "id");
        CHECK_CASE(cases[i].line, json_get_i64(json_get(line, "line"), 0) == (int64_t)i + 2);
        CHECK_CASE(cases[i].line, cases[i].id ? view_is(json_get_text(id), "a") : json_is_null(id));
        CHECK_CASE(cases[i].line, view_is(json_get_text(json_get(error, "id")), cases[i].error));
        StringView message = json_get_text(json_get(error, "message"));
        CHECK_CASE(cases[i].line, message.data && strstr(message.data, cases[i].message));
        json_free(line);
    }
    Json *good = line_of(out, COUNT(cases));
    CHECK(json_get_i64(json_get(good, "generated_tokens"), 0) == 2);
    json_free(good);
}

TEST(a_run_goes_on_behind_the_last_whole_line)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    static char whole[8192];
    const char *in = input_of_five(), *out = program_path("resumed.jsonl");

    CHECK(PROMPTS(in, out, "--seed", "3", "-q") == 0);
    snprintf(whole, sizeof whole, "%s", read_file(out));
    const char *third = strchr(strchr(whole, '\n') + 1, '\n') + 1;
    size_t n_whole = (size_t)(third - whole);

    // Cut at the line's end, behind its first byte, and in front of its own end.
    size_t cuts[] = {n_whole, n_whole + 1, n_whole + strcspn(third, "\n")};
    for (size_t i = 0; i < COUNT(cuts); i++) {
        CHECK(truncate(out, (off_t)cuts[i]) == 0);
        CHECK(PROMPTS(in, out, "--seed", "3", "--stats") == 0);
        CHECK(strstr(program.err, "2 of 5 lines are answered already"));
        CHECK(strstr(program.err, "\"generated_tokens\": 39")); // 10 + 13 + 16: this run's alone
        CHECK(strcmp(read_file(out), whole) == 0);
    }
    CHECK(PROMPTS(in, out, "--seed", "3", "--stats") == 0); // nothing is left
    CHECK(strstr(program.err, "\"generated_tokens\": 0"));
    CHECK(strcmp(read_file(out), whole) == 0);

    // The results of another input are not touched.
    static const char *const others[] = {"{\"id\": \"other\", \"text\": \"x\"}\n",
        "{\"id\": \"p0\"}\n", "text\n", "{\"id\": \"p0\", \"line\": 2, \"error\": {}}\n"};
    for (size_t i = 0; i < COUNT(others); i++) {
        write_file(out, others[i]);
        CHECK_CASE(others[i], PROMPTS(in, out, "-q") == 2);
        CHECK_CASE(others[i], strstr(program.err, "is not the result of line 1"));
        CHECK_CASE(others[i], strcmp(read_file(out), others[i]) == 0);
    }
    size_t n = strlen(whole);
    snprintf(whole + n, sizeof whole - n, "{}\n");
    write_file(out, whole);
    CHECK(PROMPTS(in, out, "-q") == 2 && strstr(program.err, "more than the 5 results"));
}

TEST(a_line_says_how_it_is_answered)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    const char *in = program_path("own.jsonl"), *out = program_path("own.out.jsonl");
    write_file(in,
        "{\"id\": 0, \"prompt\": \"The fox said\", \"seed\": 3}\n"
        "{\"id\": 1, \"prompt\": \"The fox said\"}\n"
        "{\"id\": 2, \"prompt\": \"The fox said\", \"temp\": 0, \"n\": 0}\n"
        "{\"id\": 3, \"prompt\": \"The fox said\", \"seed\": 3, \"stop\": [\"zzz\", \" \"]}\n");
    CHECK(PROMPTS(in, out, "--seed", "8", "-n", "12", "-q") == 0);
    static const char *const seeds[] = {"3", "8"};
    for (size_t i = 0; i < 2; i++) {
        Json *line = line_of(out, i);
        CHECK(RUN(&program, "run", MIXTURE, "--raw", "--seed", seeds[i], "-n", "12", "The fox said")
              == 0);
        CHECK_CASE(seeds[i], view_is(json_get_text(json_get(line, "text")), program.out));
        json_free(line);
    }
    Json *none = line_of(out, 2), *stopped = line_of(out, 3);
    CHECK(view_is(json_get_text(json_get(none, "text")), ""));
    CHECK(view_is(json_get_text(json_get(none, "finish")), "length"));
    StringView text = json_get_text(json_get(stopped, "text"));
    CHECK(text.data && !memchr(text.data, ' ', text.n_bytes));
    CHECK(view_is(json_get_text(json_get(stopped, "finish")), "stop"));
    json_free(none);
    json_free(stopped);
}

TEST(wrong_usage_is_refused_and_writes_nothing)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    const char *in = input_of_five(), *out = program_path("none.jsonl");

    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--prompts", in) == 2);
    CHECK(strstr(program.err, "needs -o OUT"));
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-o", out, "x") == 2);
    CHECK(PROMPTS(in, out, "-p", "x") == 2);
    CHECK(PROMPTS(in, in, "-q") == 2 && strstr(program.err, "what --prompts names"));
    CHECK(PROMPTS(in, MIXTURE, "-q") == 2 && strstr(program.err, "holds a model"));
    CHECK(PROMPTS(program_path("absent.jsonl"), out, "-q") == 2);
    CHECK(PROMPTS(in, out, "--memory", "1M") == 4);
    CHECK(PROMPTS(in, out, "--memory", "40M", "--parallel", "5", "--ctx", "2048") == 4);
    CHECK(strstr(program.err, "or --parallel takes less"));
    CHECK(access(out, F_OK) != 0);
    // Less memory does for fewer at once, where their number was not asked for.
    CHECK(PROMPTS(in, out, "--memory", "60M", "--ctx", "2048") == 0);
    CHECK(strstr(program.err, "5 prompts, 1 at once"));
}

TEST(the_least_memory_that_does_for_one_does)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    const char *in = input_of_five(), *out = program_path("least.jsonl");
    char memory[16];

    CHECK(PROMPTS(in, out, "--memory", "1M", "--ctx", "256") == 4);
    const char *number = strstr(program.err, "do not do; ");
    if (!CHECK(number)) return;
    snprintf(memory, sizeof memory, "%ldM", strtol(number + strlen("do not do; "), NULL, 10));
    CHECK(PROMPTS(in, out, "--memory", memory, "--ctx", "256") == 0);
}

static void limit_file_size(void *context)
{
    struct rlimit limit = {.rlim_cur = *(rlim_t *)context, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
}

TEST(a_full_disk_keeps_the_finished_lines)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    static char whole[8192];
    const char *in = input_of_five(), *out = program_path("full.jsonl");

    CHECK(PROMPTS(in, out, "--seed", "3", "-q", "--heat-map", "off") == 0);
    snprintf(whole, sizeof whole, "%s", read_file(out));
    size_t n_first = strcspn(whole, "\n") + 1;
    rlim_t room = n_first + 20; // not for the second line
    unlink(out);
    program.prepare = limit_file_size;
    program.context = &room;
    CHECK(PROMPTS(in, out, "--seed", "3", "-q", "--heat-map", "off") == 5);
    program.prepare = NULL;
    CHECK(strlen(read_file(out)) == n_first && memcmp(content, whole, n_first) == 0);
    CHECK(PROMPTS(in, out, "--seed", "3", "-q", "--heat-map", "off") == 0);
    CHECK(strcmp(read_file(out), whole) == 0);
}

TEST(an_interrupt_leaves_whole_lines_and_the_next_run_goes_on)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    const char *in = program_path("long.jsonl"), *out = program_path("long.out.jsonl");
    write_file(in, "{\"id\": 0, \"prompt\": \"The fox\", \"n\": 1}\n"
                   "{\"id\": 1, \"prompt\": \"The fox\", \"n\": 400, \"temp\": 3}\n");

    // Standard output takes the lines too: the first one tells that the second is being answered.
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        program_start(&program, (const char *const[]){"run", MIXTURE, "--raw", "--prompts", in,
                                    "-o", "-", "--weights", "min", "--seed", "1", "--stats", NULL});
        program_read(&program, 20);
        kill(program.pid, numbers[i]);
        CHECK(program_wait(&program) == 128 + numbers[i]);
        CHECK(strstr(program.err, "\"finish\": \"interrupt\""));
        char *end = strchr(program.out, '\n');
        CHECK(end && end[1] == '\0');
        write_file(out, program.out);
    }
    CHECK(PROMPTS(in, out, "--seed", "1") == 0);
    CHECK(strstr(program.err, "1 of 2 lines are answered already"));
    Json *line = line_of(out, 1);
    CHECK(json_get_i64(json_get(line, "id"), -1) == 1);
    json_free(line);
}

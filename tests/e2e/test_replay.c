/* `hypura replay` from outside. */
#include "base/json.h"
#include "program.h"

static Program program;

/* Two layers of four experts; the second layer's are larger. Returns the path. */
static const char *write_trace(const char *rows)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/a.route.csv", harness_temporary_folder());
    FILE *stream = fopen(path, "w");
    if (!stream) abort();
    fprintf(stream, "# model=x n_expert=4\n# expert_bytes=1000,3000\n%s", rows);
    fclose(stream);
    return path;
}

#define ROWS                 \
    "1,0,0,0,1\n1,0,1,0,2\n" \
    "1,1,0,0,1\n1,1,1,0,3\n" \
    "1,2,0,0,1\n1,2,1,0,2\n"

TEST(every_policy_stands_beside_every_budget)
{
    const char *path = write_trace(ROWS);
    Error err = {0};
    CHECK(RUN(&program, "replay", path, "--budgets", "25%,all,8000", "--json") == 0);
    CHECK(program.n_err == 0);

    Json *document = json_parse((StringView){program.out, program.n_out}, &err);
    const Json *policies = json_get(document, "policies");
    CHECK(json_get_i64(json_get(document, "expert_bytes"), 0) == 16000);
    CHECK(json_count(policies) == 3 * 7);
    static const int64_t want_bytes[] = {4000, 16000, 8000};
    for (size_t i = 0; i < json_count(policies); i++) {
        const Json *row = json_at(policies, i);
        CHECK(json_get_i64(json_get(row, "budget_bytes"), 0) == want_bytes[i / 7]);
        StringView name = json_get_text(json_get(row, "name"));
        double rate = json_get_number(json_get(row, "hit_rate"), -1);
        int64_t missed = json_get_i64(json_get(row, "missed_bytes"), -1);
        if (i == 0) CHECK(view_is(name, "hypura"));
        if (i / 7 == 1) CHECK(view_is(name, "static") ? rate == 1 : rate == 0.5);
        if (i / 7 == 1) CHECK(missed == (view_is(name, "static") ? 0 : 7000));
    }
    const Json *predictions = json_get(document, "predictions");
    CHECK(json_count(predictions) == 2); // there are no three layers
    for (size_t i = 0; i < json_count(predictions); i++) {
        const Json *row = json_at(predictions, i);
        double recall = json_get_number(json_get(row, "recall"), -1);
        double twice = json_get_number(json_get(row, "recall_of_twice_as_many"), -1);
        CHECK(json_get_i64(json_get(row, "layers_ahead"), 0) == (int64_t)i + 1);
        CHECK(recall >= 0 && twice >= recall && twice <= 1);
    }
    json_free(document);
}

TEST(the_table_is_for_people)
{
    const char *path = write_trace(ROWS);

    CHECK(RUN(&program, "replay", path, "--budgets", "50%") == 0);
    CHECK(strstr(program.out, "belady"));
    CHECK(strstr(program.out, "hit rate"));
    CHECK(strstr(program.out, "2 layers ahead"));
}

/* Of the budgets that are tried when none is given, all but the half are below what two layers
 * of four need; they become the least, once. */
TEST(a_small_trace_has_a_table_without_budgets)
{
    const char *path = write_trace(ROWS);

    CHECK(RUN(&program, "replay", path) == 0);
    CHECK(program.n_err == 0);
    size_t n_lines = 0;
    for (const char *at = program.out; (at = strchr(at, '\n')); at++) n_lines++;
    CHECK(n_lines == 1 + 3 * 7 + 4); // 2000, 4000 and 8000 bytes
}

TEST(what_is_wrong_is_named)
{
    const char *path = write_trace(ROWS "1,3,0,0,four\n");

    CHECK(RUN(&program, "replay", path) == 3);
    CHECK(strstr(program.err, "a.route.csv: line 9: not five numbers"));
    path = write_trace(ROWS);
    CHECK(RUN(&program, "replay", path, "--budgets", "1%") == 4);
    CHECK(strstr(program.err, "2000 do"));
    CHECK(RUN(&program, "replay", path, "--budgets", "all,1%") == 4);
    CHECK(program.n_out == 0); // not a part of a table either
    CHECK(RUN(&program, "replay", path, "--budgets", "all,,all") == 2);
    CHECK(strstr(program.err, "--budgets"));
    CHECK(RUN(&program, "replay", path, "--budgets", "0%") == 2);
    CHECK(RUN(&program, "replay") == 2);
    CHECK(strstr(program.err, "TRACE is needed"));
    CHECK(RUN(&program, "replay", "/nonexistent") == 2);
}

/* What a run recorded is what its statistics say. */
TEST(a_run_is_recorded_and_replayed)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    char path[256], timeline[256];
    Error err = {0};
    snprintf(path, sizeof path, "%s/run.trace", harness_temporary_folder());
    snprintf(timeline, sizeof timeline, "%s/run.json", harness_temporary_folder());

    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--temp", "0", "-n", "12", "--weights", "25%",
              "Once upon a time")
          == 0);
    static char text[PROGRAM_BYTES_MAX + 1];
    memcpy(text, program.out, program.n_out + 1);
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--temp", "0", "-n", "12", "--weights", "25%",
              "--trace", path, "Once upon a time")
          == 0);
    CHECK(strcmp(program.out, text) == 0); // the same tokens
    CHECK(RUN(&program, "replay", path, "--budgets", "25%", "--json") == 0);
    Json *document = json_parse((StringView){program.out, program.n_out}, &err);
    CHECK(json_count(json_get(document, "policies")) == 7);
    CHECK(json_get_i64(json_get(document, "layers"), 0) == 6);
    json_free(document);
    CHECK(RUN(&program, "replay", path, "--perfetto", timeline) == 0);
    CHECK(program.n_out == 0 && access(timeline, F_OK) == 0);
    CHECK(RUN(&program, "replay", write_trace(ROWS), "--perfetto", timeline) == 2);
    CHECK(RUN(&program, "replay", path, "--perfetto", MIXTURE) == 2);
}

TEST(a_trace_that_cannot_be_written_never_stops_a_run)
{
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "-n", "2", "--trace", "/dev/full", "a") == 0);
    CHECK(strstr(program.err, "/dev/full: the trace ends here: No space left"));
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--trace", MIXTURE, "a") == 2);
    CHECK(strstr(program.err, "holds a model"));
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--trace", "/nonexistent/x", "a") == 5);
}

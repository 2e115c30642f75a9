/* `hypura plan` and `hypura bench` from outside: what is foretold, and what comes of it. */
#include "program.h"

#include "base/json.h"

static Program program;

static Json *output_json(void)
{
    Error err = {0};
    Json *value = json_parse((StringView){program.out, program.n_out}, &err);

    if (!value) printf("    %s\n", err.message);
    return value;
}

static double number(const Json *json, const char *key)
{
    return json_get_number(json_get(json, key), -1);
}

static bool is_range(const Json *range)
{
    double low = number(range, "low"), expected = number(range, "expected");

    return low > 0 && low <= expected && expected <= number(range, "high");
}

TEST(a_plan_has_what_its_readers_rely_upon)
{
    static const char *const ranges[] = {"prompt_per_s", "generate_per_s", "first_token_ns"};

    if (!json_available()) TEST_SKIP("this build has no JSON");
    CHECK(RUN(&program, "plan", MIXTURE, "--weights", "25%", "--json") == 0);
    Json *json = output_json();
    for (size_t i = 0; i < COUNT(ranges); i++)
        CHECK_CASE(ranges[i], is_range(json_get(json, ranges[i])));
    const Json *budget = json_get(json, "budget_bytes"), *tiers = json_get(json, "tiers");
    double held = 0, blocks = 0;
    for (size_t i = 0; i < json_count(tiers); i++) {
        const Json *tier = json_at(tiers, i);
        CHECK(number(tier, "bytes") > 0);
        if (view_is(json_get_text(json_get(tier, "name")), "drive")) continue;
        held += number(tier, "bytes");
        blocks += number(tier, "blocks");
    }
    CHECK(blocks > 0);
    CHECK(held == number(budget, "trunk") + number(budget, "cache") + number(budget, "ring"));
    CHECK(held <= number(budget, "weights"));
    CHECK(number(json, "pass_bytes_per_token") > number(json, "missing_bytes_per_token"));
    CHECK(!json_is_null(json_get(json_get(json, "bound"), "name")));
    json_free(json);
}

/* What a plan expects with that argument of --what-if. */
static double planned_per_s(const char *what_if)
{
    CHECK_CASE(what_if, RUN(&program, "plan", MIXTURE, "--json", "--what-if", what_if) == 0);
    Json *json = output_json();
    double per_s = number(json_get(json, "generate_per_s"), "expected");
    json_free(json);
    return per_s;
}

TEST(what_if_changes_what_it_names)
{
    if (!json_available()) TEST_SKIP("this build has no JSON");
    double slow = planned_per_s("weights=25%,drive=100MB/s,compute=10GB/s");
    CHECK(planned_per_s("weights=25%,drive=4GB/s,compute=10GB/s") > 5 * slow);
    CHECK(planned_per_s("weights=all,drive=100MB/s,compute=10GB/s") > 5 * slow);
    double computed = planned_per_s("weights=all,compute=10GB/s");
    CHECK(planned_per_s("weights=all,compute=20GB/s") > 1.5 * computed);
    CHECK(planned_per_s("memory=64M,compute=10GB/s") < computed);

    CHECK(RUN(&program, "plan", MIXTURE, "--what-if", "disk=7GB/s") == 2);
    CHECK(strstr(program.err, "--what-if") && strstr(program.err, "disk"));
    CHECK(RUN(&program, "plan", MIXTURE, "--what-if", "memory=1M") == 4); // as a run would say
}

TEST(prompts_at_once_are_planned_together)
{
    double per_s[2], state[2];
    static const char *const parallel[] = {"1", "4"};

    if (!json_available()) TEST_SKIP("this build has no JSON");
    for (size_t i = 0; i < COUNT(parallel); i++) {
        CHECK(
            RUN(&program, "plan", MIXTURE, "--what-if", "weights=25%,drive=100MB/s,compute=50GB/s",
                "--parallel", parallel[i], "--ctx", "256", "--json")
            == 0);
        Json *json = output_json();
        per_s[i] = number(json_get(json, "generate_per_s"), "expected");
        state[i] = number(json_get(json, "budget_bytes"), "state");
        double each = number(json_get(json, "generate_per_s_each"), "expected");
        CHECK(number(json, "parallel") == (i == 0 ? 1 : 4));
        CHECK(each * number(json, "parallel") > 0.999 * per_s[i]);
        CHECK(each * number(json, "parallel") < 1.001 * per_s[i]);
        json_free(json);
    }
    CHECK(per_s[1] > per_s[0] && per_s[1] < 4 * per_s[0]);
    CHECK(state[1] == 4 * state[0]); // each has keys and values of its own
    CHECK(RUN(&program, "plan", MIXTURE, "--parallel", "4") == 0);
    CHECK(strstr(program.out, "each of 4 prompts"));
}

TEST(a_plan_refuses_what_a_run_refuses)
{
    CHECK(RUN(&program, "plan", MIXTURE, "--ctx", "64", "--prompt", "64") == 2);
    CHECK(strstr(program.err, "context") && strstr(program.err, "--ctx"));
    CHECK(RUN(&program, "plan", MIXTURE, "--ctx", "64", "--prompt", "63") == 0);
    CHECK(strstr(program.out, "prompt of 63"));
    CHECK(RUN(&program, "plan", MIXTURE, "--ctx", "64") == 0); // the default gives way
    CHECK(strstr(program.out, "prompt of 63"));
}

TEST(threads_beyond_the_cores_are_expected_to_compute_nothing)
{
    if (!json_available()) TEST_SKIP("this build has no JSON");
    double per_s[2];
    static const char *const threads[] = {"128", "256"};

    for (size_t i = 0; i < COUNT(threads); i++) {
        if (sysconf(_SC_NPROCESSORS_ONLN) > 128) TEST_SKIP("more cores than threads");
        CHECK(RUN(&program, "plan", MIXTURE, "--weights", "all", "--threads", threads[i], "--json")
              == 0);
        Json *json = output_json();
        per_s[i] = number(json_get(json, "generate_per_s"), "expected");
        CHECK(number(json, "threads") == (i == 0 ? 128 : 256));
        json_free(json);
    }
    CHECK(per_s[0] == per_s[1]);
}

TEST(a_plan_reads_the_header_alone)
{
    char path[256];
    size_t n_bytes = 1 << 20; // of 51 MiB
    char *data = malloc(n_bytes);
    FILE *whole = fopen(MIXTURE, "rb"), *cut;

    snprintf(path, sizeof path, "%s/cut.gguf", harness_temporary_folder());
    cut = fopen(path, "wb");
    CHECK(fread(data, 1, n_bytes, whole) == n_bytes);
    CHECK(fwrite(data, 1, n_bytes, cut) == n_bytes);
    fclose(whole);
    fclose(cut);
    free(data);
    CHECK(RUN(&program, "plan", path, "--weights", "50%") == 0);
    CHECK(strstr(program.out, "generation"));
    CHECK(RUN(&program, "run", path, "--raw", "-n", "1", "a") == 3); // and a run needs the rest
}

TEST(a_bench_has_prediction_outcome_and_ceiling_of_each_budget)
{
    static const char *const keys[] = {
        "prediction", "outcome", "ceiling", "fraction", "spread", "pairs", "bound"};

    if (!json_available()) TEST_SKIP("this build has no JSON");
    CHECK(RUN(&program, "bench", MIXTURE, "--budgets", "25%,all", "--pairs", "3", "-n", "8",
              "--seconds", "0.05", "--prompt", "24", "--json")
          == 0);
    Json *json = output_json();
    const Json *runs = json_get(json, "runs");
    CHECK(json_count(runs) == 2);
    CHECK(number(json, "generate_per_s") > 0);
    CHECK(number(json, "prompt_per_s") > 0);
    CHECK(number(json, "prompt_tokens") == 24);
    CHECK(number(json, "written_bytes") == 0);
    for (size_t i = 0; i < json_count(runs); i++) {
        const Json *run = json_at(runs, i);
        for (size_t k = 0; k < COUNT(keys); k++) CHECK_CASE(keys[k], json_get(run, keys[k]));
        CHECK(json_count(json_get(run, "pairs")) == 3);
        CHECK(number(run, "generated_tokens") >= 9);
        CHECK(number(run, "pass_bytes_per_token") > 1e6);
        CHECK(number(json_get(run, "token_ns"), "p50") > 0);
    }
    CHECK(number(json_at(runs, 0), "missing_bytes_per_token") > 0);
    CHECK(number(json_at(runs, 1), "missing_bytes_per_token") == 0);
    // The larger budget is a process of its own, and only it is that large.
    CHECK(number(json_at(runs, 0), "peak_memory_bytes") + 20e6
          < number(json_at(runs, 1), "peak_memory_bytes"));
    json_free(json);
}

TEST(a_bench_without_budgets_takes_what_a_run_takes)
{
    if (!json_available()) TEST_SKIP("this build has no JSON");
    // Not all weights fit in there: only what a run chooses by itself does.
    CHECK(RUN(&program, "bench", MIXTURE, "--memory", "60M", "--pairs", "1", "-n", "4", "--seconds",
              "0.02", "--prompt", "4", "--ctx", "256", "--json")
          == 0);
    Json *json = output_json();
    CHECK(json_count(json_get(json, "runs")) == 1);
    CHECK(number(json, "missing_bytes_per_token") > 0);
    json_free(json);
}

TEST(a_bench_fails_as_a_run_does)
{
    CHECK(RUN(&program, "bench", MIXTURE, "--budgets", "25%,1K", "--pairs", "1", "-n", "4",
              "--prompt", "4")
          == 4);
    CHECK(strstr(program.err, "too few"));
    CHECK(program.n_out == 0);
    CHECK(RUN(&program, "bench", "/nowhere.gguf") == 3);
    CHECK(RUN(&program, "bench", MIXTURE, "--budgets", "many") == 2);
    CHECK(RUN(&program, "bench", MIXTURE, "--parallel", "2") == 2);
    CHECK(RUN(&program, "bench", MIXTURE, "--prompt", "5000") == 2);
    CHECK(strstr(program.err, "context"));
}

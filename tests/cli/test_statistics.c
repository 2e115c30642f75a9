/* cli/statistics - the figures of --stats from known times. */
#include "harness.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/statistics.h"

#define SECOND UINT64_C(1000000000)

/* 4 prompt tokens in 2 s; then 101 tokens, the n-th n/100 s after the one before. */
static void fill(Statistics *statistics)
{
    Error err = {0};
    uint64_t now_ns = 13 * SECOND;

    *statistics = (Statistics){.model_path = "m.gguf",
        .begun_ns = 10 * SECOND,
        .prompt_begun_ns = 11 * SECOND,
        .prompt_ended_ns = 13 * SECOND,
        .n_prompt = 4,
        .finish = FINISH_STOP};
    CHECK(statistics_expect_tokens(statistics, 200, &err));
    for (uint64_t i = 0; i <= 100; i++) {
        now_ns += i * SECOND / 100;
        statistics->token_ns[i] = now_ns;
    }
    statistics->n_generated = 101;
    statistics->after_prompt = (hypura_stats){.demanded_bytes = 1000, .read_missed_bytes = 100};
    statistics->after_all = (hypura_stats){.arch = "llama",
        .io_backend = "threads",
        .isa = "scalar",
        .demanded_bytes = 51000,
        .read_missed_bytes = 10100,
        .read_bytes = 15000,
        .read_load_bytes = 2000,
        .given_back_bytes = 700,
        .taken_again_bytes = 600,
        .expert_hits = 3,
        .expert_misses = 1};
}

static Json *written(Statistics *statistics)
{
    static char text[8192];
    Error err = {0};

    statistics->stream = fmemopen(text, sizeof text, "w");
    CHECK(statistics_write(statistics, &err));
    long n = ftell(statistics->stream);
    return json_parse((StringView){text, (size_t)n}, &err);
}

static double number(const Json *json, const char *key)
{
    return json_get_number(json_get(json, key), -1);
}

TEST(figures_follow_from_times_and_counters)
{
    Statistics statistics;

    if (!json_available()) TEST_SKIP("this build has no JSON");
    fill(&statistics);
    Json *json = written(&statistics);
    const Json *times = json_get(json, "token_ns");
    CHECK(number(json, "load_ns") == 1e9);
    CHECK(number(json, "first_token_ns") == 2e9);
    CHECK(number(json, "prompt_per_s") == 2);
    CHECK(number(json, "generate_per_s") == 100 / 50.5); // 1/100 + ... + 100/100 s
    CHECK(number(times, "p50") == 0.50e9);
    CHECK(number(times, "p95") == 0.95e9);
    CHECK(number(times, "p99") == 0.99e9);
    CHECK(number(json, "pass_bytes_per_token") == 500);
    CHECK(number(json, "missing_bytes_per_token") == 100);
    CHECK(number(json, "hit_rate") == 0.75);
    CHECK(number(json, "given_back_bytes") == 700);
    CHECK(number(json, "taken_again_bytes") == 600);
    CHECK(number(json, "drive_bytes_per_s") == 13000 / 52.5);
    CHECK(json_is_null(json_get(json_get(json, "bound"), "name")));
    CHECK(!json_is_null(json_get(json, "bound")));
    CHECK(json_is_null(json_get(json, "seed")));
    CHECK(view_is(json_get_text(json_get(json, "finish")), "stop"));
    json_free(json);
    statistics_destroy(&statistics);
}

TEST(a_dense_model_hits_by_bytes)
{
    Statistics statistics;

    if (!json_available()) TEST_SKIP("this build has no JSON");
    fill(&statistics);
    statistics.after_all.expert_hits = statistics.after_all.expert_misses = 0;
    statistics.after_all.read_missed_bytes = 12750;
    Json *json = written(&statistics);
    CHECK(number(json, "hit_rate") == 0.75);
    json_free(json);
    statistics_destroy(&statistics);
}

TEST(what_was_not_counted_is_null)
{
    Statistics statistics;

    if (!json_available()) TEST_SKIP("this build has no JSON");
    fill(&statistics);
    statistics.n_generated = 1;
    Json *json = written(&statistics);
    CHECK(json_is_null(json_get(json, "generate_per_s")));
    CHECK(json_is_null(json_get(json_get(json, "token_ns"), "p50")));
    CHECK(json_is_null(json_get(json, "pass_bytes_per_token")));
    CHECK(!json_is_null(json_get(json, "first_token_ns")));
    json_free(json);
    statistics_destroy(&statistics);
}

TEST(a_model_is_never_written_over)
{
    char path[256];
    Error err = {0};
    Statistics statistics;

    snprintf(path, sizeof path, "%s/model", harness_temporary_folder());
    FILE *stream = fopen(path, "w");
    CHECK(stream && fputs("GGUF and more", stream) >= 0 && fclose(stream) == 0);
    Options options = {.model = path, .stats = {.is_given = true, .text = path}};
    CHECK(!statistics_init(&statistics, &options, &err));
    CHECK_ERROR(err, ERROR_USAGE);
    statistics_destroy(&statistics);
    stream = fopen(path, "r");
    CHECK(stream && fgetc(stream) == 'G');
    if (stream) fclose(stream);
}

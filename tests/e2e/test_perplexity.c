/* `hypura perplexity` from outside. */
#include "program.h"

#include "base/json.h"

static Program program;

static const char *write_text(size_t n_words)
{
    const char *path = program_path("text.txt");
    FILE *stream = fopen(path, "w");

    CHECK(stream);
    for (size_t i = 0; stream && i < n_words; i++)
        fprintf(stream, "%s ", i % 3 == 0 ? "The" : i % 3 == 1 ? "fox" : "said");
    if (stream) fclose(stream);
    return path;
}

TEST(the_line_and_the_json_say_the_same)
{
    const char *path = write_text(140);
    double perplexity = 0, deviation = 0;
    unsigned n_tokens = 0;
    Error err = {0};

    CHECK(RUN(&program, "perplexity", DRAFT, "-f", path, "--ctx", "32") == 0);
    CHECK(sscanf(program.out, "perplexity: %lf +/- %lf (%u tokens)", &perplexity, &deviation,
              &n_tokens)
          == 3);
    CHECK(perplexity > 1 && deviation > 0);
    CHECK(n_tokens > 0 && n_tokens % 15 == 0); // rows 16 to 30 of each window of 32
    if (!json_available()) TEST_SKIP("this build has no JSON");
    CHECK(RUN(&program, "perplexity", DRAFT, "-f", path, "--ctx", "32", "--json") == 0);
    Json *json = json_parse((StringView){program.out, program.n_out}, &err);
    double of_json = json_get_number(json_get(json, "perplexity"), 0);
    CHECK(of_json > perplexity - 0.0001 && of_json < perplexity + 0.0001);
    CHECK(json_get_number(json_get(json, "tokens"), 0) == n_tokens);
    json_free(json);
}

/* llama.cpp v0.5.0 gives 33.1179 and 33.1114 for the draft on the whole text, by back-end. */
TEST(the_validation_text_is_predicted_as_by_llama_cpp)
{
    double perplexity = 0;
    const char *path = harness_shared_path("models/validation.txt");

    if (!path) TEST_SKIP("the shared folder is not here");
    CHECK(RUN(&program, "perplexity", DRAFT, "-q", "-f", path) == 0);
    CHECK(sscanf(program.out, "perplexity: %lf", &perplexity) == 1);
    CHECK(strstr(program.out, "(35445 tokens)"));
    CHECK(perplexity > 33.1147 * 0.995 && perplexity < 33.1147 * 1.005);
    printf("    %s", program.out);
}

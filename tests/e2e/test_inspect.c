/* `hypura inspect` from outside. */
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

TEST(the_json_adds_up)
{
    double n_bytes = 0, n_tensors = 0;

    if (!json_available()) TEST_SKIP("this build has no JSON");
    CHECK(RUN(&program, "inspect", MIXTURE, "--json") == 0);
    Json *json = output_json();
    CHECK(view_is(json_get_text(json_get(json, "arch")), "qwen3moe"));
    CHECK(json_get_number(json_get(json, "file_bytes"), 0) == 53851808);
    const Json *kinds = json_get(json, "kinds"), *tensors = json_get(json, "tensors");
    for (size_t i = 0; i < json_count(kinds); i++) {
        n_bytes += json_get_number(json_get(json_at(kinds, i), "size_bytes"), 0);
        n_tensors += json_get_number(json_get(json_at(kinds, i), "tensors"), 0);
    }
    CHECK(n_bytes == json_get_number(json_get(json, "weight_bytes"), -1));
    CHECK(n_tensors == (double)json_count(tensors));
    n_bytes = 0;
    for (size_t i = 0; i < json_count(tensors); i++)
        n_bytes += json_get_number(json_get(json_at(tensors, i), "size_bytes"), 0);
    CHECK(n_bytes == json_get_number(json_get(json, "weight_bytes"), -1));
    const Json *metadata = json_get(json, "metadata");
    CHECK(json_get_number(json_get(metadata, "qwen3moe.expert_count"), 0) == 32);
    const Json *list = json_get(metadata, "tokenizer.ggml.tokens");
    CHECK(json_get_number(json_get(list, "count"), 0) == 8192);
    CHECK(json_count(json_get(list, "first_values")) == 16);
    json_free(json);
}

TEST(overrides_change_what_is_shown)
{
    CHECK(RUN(&program, "inspect", MIXTURE, "--override-kv", "general.name=str:Another",
              "--override-kv", "qwen3moe.block_count=int:7")
          == 0);
    CHECK(strstr(program.out, "\"Another\"") && !strstr(program.out, "Hypura Tiny MoE"));
    CHECK(RUN(&program, "inspect", MIXTURE, "--override-kv", "general.name=none") == 0);
    CHECK(!strstr(program.out, "general.name "));
}

/* The first part of a file is all that inspect and the tokenizer need. */
TEST(files_without_tensor_data_can_be_inspected)
{
    static char data[600000];
    const char *path = program_path("header.gguf");
    FILE *in = fopen(MIXTURE, "rb"), *out = fopen(path, "wb");

    CHECK(in && out && fread(data, 1, sizeof data, in) == sizeof data);
    CHECK(fwrite(data, 1, sizeof data, out) == sizeof data);
    fclose(in);
    fclose(out);
    CHECK(RUN(&program, "inspect", path) == 0);
    CHECK(strstr(program.out, "qwen3moe.expert_count"));
    program.input = "Hello";
    CHECK(RUN(&program, "tokenize", path) == 0);
    program.input = NULL;
    CHECK(RUN(&program, "run", path, "--raw", "a") == 3);
    CHECK(strstr(program.err, "the download is incomplete"));
}

TEST(every_tensor_is_listed_on_request)
{
    CHECK(RUN(&program, "inspect", DRAFT) == 0);
    CHECK(!strstr(program.out, "blk.3.ffn_down.weight"));
    CHECK(RUN(&program, "inspect", DRAFT, "-v") == 0);
    CHECK(strstr(program.out, "blk.3.ffn_down.weight"));
}

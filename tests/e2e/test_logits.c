/* `hypura logits` from outside. */
#include "program.h"

#include "base/json.h"
#include "gguf/gguf.h"

static Program program;
static char first[PROGRAM_BYTES_MAX], second[PROGRAM_BYTES_MAX];

static size_t read_file(const char *path, char *out)
{
    FILE *stream = fopen(path, "rb");
    size_t n = stream ? fread(out, 1, PROGRAM_BYTES_MAX, stream) : 0;

    if (stream) fclose(stream);
    return n;
}

static void check_tensor(const GgufFile *gguf, const char *name, uint64_t n, uint64_t n_rows)
{
    const GgufTensor *tensor = gguf_find_tensor(gguf, view_of(name));

    CHECK_CASE(name, tensor);
    if (!tensor) return;
    CHECK_CASE(name, tensor->type == QUANT_F32 && tensor->n_dims == 2);
    CHECK_CASE(name, tensor->dims[0] == n && tensor->dims[1] == n_rows);
}

TEST(a_result_replaces_a_result_but_no_model)
{
    const char *model = program_tiny_model("tiny-dense");
    const char *other = program_path("other.gguf"), *result = program_path("result.gguf");
    const char *in_the_way = program_path("result.gguf.partial");
    char copy[640];

    snprintf(copy, sizeof copy, "cp '%s' '%s'", model, other);
    CHECK(system(copy) == 0);
    CHECK(RUN(&program, "logits", model, "--tokens", "5", "-o", other) == 2);
    CHECK(strstr(program.err, "holds a model"));
    CHECK(RUN(&program, "inspect", other) == 0);
    CHECK(RUN(&program, "logits", model, "--tokens", "5", "-o", result) == 0);
    CHECK(RUN(&program, "logits", model, "--tokens", "5,6", "-o", result) == 0);

    FILE *stream = fopen(in_the_way, "w");
    CHECK(stream && fputs("precious\n", stream) > 0 && fclose(stream) == 0);
    CHECK(RUN(&program, "logits", model, "--tokens", "5", "-o", result) == 2);
    CHECK(strstr(program.err, "is in the way"));
    CHECK(read_file(in_the_way, first) == 9 && memcmp(first, "precious\n", 9) == 0);
}

TEST(statistics_and_result_need_two_files)
{
    const char *path = program_path("one.gguf");
    char option[640];

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    snprintf(option, sizeof option, "--stats=%s", path);
    CHECK(RUN(&program, "logits", DRAFT, "--tokens", "5", "-o", path, option) == 2);
    CHECK(strstr(program.err, "is the result of -o"));
    CHECK(access(path, F_OK) != 0);
}

TEST(the_result_is_a_gguf_file_with_the_named_tensors)
{
    const char *model = program_tiny_model("tiny-dense"), *path = program_path("logits.gguf");
    Error err = {0};

    CHECK(RUN(&program, "logits", model, "--tokens", "510,97,98", "--layers", "-o", path) == 0);
    CHECK(program.n_out == 0);
    GgufFile *gguf = gguf_open(path, GGUF_TENSOR_DATA, NULL, 0, &err);
    CHECK(gguf);
    if (!gguf) return;
    CHECK(gguf_n_tensors(gguf) == 2 + 4);
    check_tensor(gguf, "logits", 512, 3);
    check_tensor(gguf, "result_norm", 256, 3);
    check_tensor(gguf, "l_out-0", 256, 3);
    check_tensor(gguf, "l_out-3", 256, 3);
    gguf_close(gguf);
}

/* Rows of a tensor, at the start of `out`. */
static void read_rows(
    const GgufFile *gguf, const char *name, size_t n_rows, float *out, size_t *n_row)
{
    const GgufTensor *tensor = gguf_find_tensor(gguf, view_of(name));
    Error err = {0};

    *n_row = tensor ? tensor->dims[0] : 0;
    CHECK_CASE(name, tensor
                         && file_read_at(gguf_shards(gguf), tensor->offset_bytes, out,
                             n_rows * *n_row * sizeof(float), &err));
}

/* What a token gives does not depend on those behind it, so a prefix has the same rows. */
TEST(each_row_stands_at_its_place)
{
    static const char *const names[] = {"logits", "result_norm", "l_out-0", "l_out-2", "l_out-3"};
    const char *model = program_tiny_model("tiny-dense");
    const char *long_path = program_path("3.gguf"), *short_path = program_path("2.gguf");
    Error err = {0};

    CHECK(RUN(&program, "logits", model, "--tokens", "5,6,7", "--layers", "-o", long_path) == 0);
    CHECK(RUN(&program, "logits", model, "--tokens", "5,6", "--layers", "-o", short_path) == 0);
    GgufFile *long_file = gguf_open(long_path, GGUF_TENSOR_DATA, NULL, 0, &err);
    GgufFile *short_file = gguf_open(short_path, GGUF_TENSOR_DATA, NULL, 0, &err);
    CHECK(long_file && short_file);
    for (size_t i = 0; long_file && short_file && i < COUNT(names); i++) {
        static float want[3 * 512], got[2 * 512];
        size_t n;
        read_rows(long_file, names[i], 3, want, &n);
        read_rows(short_file, names[i], 2, got, &n);
        CHECK_BITS(want, got, 2 * n * sizeof(float));
        CHECK_CASE(names[i], memcmp(want, want + n, n * sizeof(float)) != 0);
        CHECK_CASE(names[i], memcmp(want + n, want + 2 * n, n * sizeof(float)) != 0);
        for (size_t k = 0; k < 3; k++) CHECK_CASE(names[i], want[k * n + 1] != 0);
    }
    gguf_close(long_file);
    gguf_close(short_file);
}

TEST(standard_output_gets_the_same_file)
{
    const char *model = program_tiny_model("tiny-dense"), *path = program_path("logits.gguf");

    CHECK(RUN(&program, "logits", model, "--tokens", "510,97,98", "--layers", "-o", path) == 0);
    size_t n = read_file(path, first);
    CHECK(RUN(&program, "logits", model, "--tokens", "510 97 98", "--layers") == 0);
    CHECK(program.n_out == n && n > 3 * 512 * 4);
    CHECK_BITS(first, program.out, n);
    CHECK(RUN(&program, "logits", model, "--tokens", "510,97,98", "--layers", "-o", "-") == 0);
    CHECK(program.n_out == n);
    CHECK_BITS(first, program.out, n);
}

TEST(chunks_threads_and_instruction_sets_change_no_bit)
{
    static const char *const options[][2] = {{"--ubatch", "1"}, {"--ubatch", "7"},
        {"--threads", "1"}, {"--weights", "min"}, {"--io", "threads"}};
    const char *model = program_tiny_model("tiny-moe"), *path = program_path("logits.gguf");
    const char *tokens = "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20";

    CHECK(RUN(&program, "logits", model, "--tokens", tokens, "-o", path) == 0);
    size_t n = read_file(path, first);
    for (size_t i = 0; i < COUNT(options); i++) {
        CHECK_CASE(options[i][0], RUN(&program, "logits", model, "--tokens", tokens, "-o", path,
                                      options[i][0], options[i][1])
                                      == 0);
        CHECK_CASE(options[i][0], read_file(path, second) == n);
        CHECK_BITS(first, second, n);
    }
    setenv("HYPURA_ISA", "scalar", 1);
    CHECK(RUN(&program, "logits", model, "--tokens", tokens, "-o", path) == 0);
    unsetenv("HYPURA_ISA");
    CHECK(read_file(path, second) == n);
    CHECK_BITS(first, second, n);
}

TEST(positions_matter)
{
    const char *model = program_tiny_model("tiny-dense"), *path = program_path("logits.gguf");

    CHECK(RUN(&program, "logits", model, "--tokens", "5,6", "-o", path) == 0);
    size_t n = read_file(path, first);
    CHECK(RUN(&program, "logits", model, "--tokens", "5,6", "--start", "0", "-o", path) == 0);
    CHECK(read_file(path, second) == n && memcmp(first, second, n) == 0);
    CHECK(RUN(&program, "logits", model, "--tokens", "5,6", "--start", "100", "-o", path) == 0);
    CHECK(read_file(path, second) == n && memcmp(first, second, n) != 0);
}

TEST(a_failure_leaves_an_old_result_alone)
{
    const char *model = program_tiny_model("tiny-dense"), *path = program_path("logits.gguf");

    CHECK(RUN(&program, "logits", model, "--tokens", "5,6", "-o", path) == 0);
    size_t n = read_file(path, first);
    CHECK(RUN(&program, "logits", model, "--tokens", "5,512", "-o", path) == 2);
    CHECK(read_file(path, second) == n && memcmp(first, second, n) == 0);
    CHECK(access(program_path("logits.gguf.partial"), F_OK) != 0);
}

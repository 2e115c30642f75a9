/* tests/gguf/test_writer.c - what was written is what is read. */
#include "gguf/writer.h"

#include "base/fault.h"
#include "gguf/raw.h"

static const uint64_t dims_a[] = {64, 3};
static const uint64_t dims_b[] = {5};
static const uint64_t dims_c[] = {256, 2, 3, 4};

static GgufWriter *write_example(Error *err)
{
    GgufWriter *writer = gguf_writer_create(err);

    if (!writer) return NULL;
    gguf_writer_u32(writer, "n.u32", UINT32_MAX);
    gguf_writer_u64(writer, "n.u64", UINT64_MAX);
    gguf_writer_i32(writer, "n.i32", -7);
    gguf_writer_f32(writer, "n.f32", 0.1f);
    gguf_writer_bool(writer, "n.bool", true);
    gguf_writer_string(writer, "n.text", view_of("hello"));
    gguf_writer_string(writer, "n.empty", view_of(""));
    gguf_writer_strings(writer, "a.texts", (StringView[]){view_of("a"), {0}, view_of("ccc")}, 3);
    gguf_writer_f32s(writer, "a.f32", (float[]){1.5f, -0.0f}, 2);
    gguf_writer_i32s(writer, "a.i32", (int32_t[]){INT32_MIN, 5}, 2);
    gguf_writer_f32s(writer, "a.none", NULL, 0);
    gguf_writer_tensor(writer, "a", QUANT_Q4_0, dims_a, 2);
    gguf_writer_tensor(writer, "b", QUANT_F32, dims_b, 1);
    gguf_writer_tensor(writer, "c", QUANT_Q6_K, dims_c, 4);
    return writer;
}

/* The header and zeros for data, as the current raw file. */
static bool take_header(GgufWriter *writer, Error *err)
{
    const uint8_t *data;
    size_t n_bytes;

    if (!gguf_writer_header(writer, &data, &n_bytes, err)) return false;
    raw.n_bytes = 0;
    raw_bytes(data, n_bytes);
    raw_zeros(gguf_writer_data_bytes(writer));
    return true;
}

TEST(every_value_comes_back)
{
    Error err = {0};
    uint32_t u32 = 0;
    uint64_t u64 = 0, cursor = 0;
    int64_t i64 = 0;
    float f32 = 0;
    bool boolean = false;
    StringView text = {0};
    GgufArray array;

    GgufWriter *writer = write_example(&err);
    if (!CHECK(writer && take_header(writer, &err))) return;
    gguf_writer_free(writer);
    GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
    if (!CHECK(gguf)) return;

    CHECK(gguf_version(gguf) == 3);
    CHECK(gguf_n_keys(gguf) == 11);
    CHECK(gguf_get_u32(gguf, "n.u32", &u32, &err) == GGUF_PRESENT && u32 == UINT32_MAX);
    CHECK(gguf_get_u64(gguf, "n.u64", &u64, &err) == GGUF_PRESENT && u64 == UINT64_MAX);
    CHECK(gguf_get_i64(gguf, "n.i32", &i64, &err) == GGUF_PRESENT && i64 == -7);
    CHECK(gguf_get_f32(gguf, "n.f32", &f32, &err) == GGUF_PRESENT && f32 == 0.1f);
    CHECK(gguf_get_bool(gguf, "n.bool", &boolean, &err) == GGUF_PRESENT && boolean);
    CHECK(gguf_get_string(gguf, "n.text", &text, &err) == GGUF_PRESENT && view_is(text, "hello"));
    CHECK(gguf_get_string(gguf, "n.empty", &text, &err) == GGUF_PRESENT && text.n_bytes == 0);

    CHECK(gguf_get_array(gguf, "a.texts", GGUF_STRING, &array, &err) == GGUF_PRESENT);
    CHECK(array.n == 3);
    CHECK(gguf_array_next_string(&array, &cursor, &text) && view_is(text, "a"));
    CHECK(gguf_array_next_string(&array, &cursor, &text) && view_is(text, ""));
    CHECK(gguf_array_next_string(&array, &cursor, &text) && view_is(text, "ccc"));
    CHECK(!gguf_array_next_string(&array, &cursor, &text));
    CHECK(gguf_get_array(gguf, "a.f32", GGUF_F32, &array, &err) == GGUF_PRESENT);
    CHECK_BITS(((float[]){1.5f, -0.0f}), array.data, 8);
    CHECK(gguf_get_array(gguf, "a.i32", GGUF_I32, &array, &err) == GGUF_PRESENT);
    CHECK(gguf_array_i32(&array, 0) == INT32_MIN && gguf_array_i32(&array, 1) == 5);
    CHECK(gguf_get_array(gguf, "a.none", GGUF_F32, &array, &err) == GGUF_PRESENT && array.n == 0);
    gguf_close(gguf);
    CHECK(ledger_total() == 0);
}

TEST(tensors_lie_where_the_writer_says)
{
    static const uint64_t n_bytes[] = {108, 20, 24 * 210};
    Error err = {0};
    const uint8_t *data;
    size_t header_bytes = 0;

    GgufWriter *writer = write_example(&err);
    if (!CHECK(writer && take_header(writer, &err))) return;
    CHECK(gguf_writer_header(writer, &data, &header_bytes, &err)); // the same, any time
    CHECK(header_bytes % 32 == 0);
    GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
    if (!CHECK(gguf)) return;

    CHECK(gguf_n_tensors(gguf) == 3);
    CHECK(gguf_trailing_bytes(gguf) == 0);
    for (size_t i = 0; i < 3; i++) {
        const GgufTensor *tensor = gguf_tensor(gguf, i);
        CHECK(tensor->offset_bytes == header_bytes + gguf_writer_tensor_offset(writer, i));
        CHECK(tensor->n_bytes == n_bytes[i]);
    }
    CHECK(gguf_writer_data_bytes(writer) == 128 + 32 + 5056);
    CHECK(gguf_tensor(gguf, 2)->n_dims == 4);
    CHECK(gguf_tensor(gguf, 2)->dims[3] == 4);
    gguf_close(gguf);
    gguf_writer_free(writer);
    CHECK(ledger_total() == 0);
}

TEST(an_empty_file_is_one)
{
    Error err = {0};
    GgufWriter *writer = gguf_writer_create(&err);

    if (!CHECK(writer && take_header(writer, &err))) return;
    raw_check_opens("empty");
    gguf_writer_free(writer);
}

TEST(many_tensors_and_long_arrays)
{
    enum { N = 3000 };
    static float values[N];
    Error err = {0};
    char name[16];

    GgufWriter *writer = gguf_writer_create(&err);
    if (!CHECK(writer)) return;
    gguf_writer_f32s(writer, "values", values, N);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "t%u", i);
        gguf_writer_tensor(writer, name, QUANT_I8, (uint64_t[]){1 + i % 40}, 1);
    }
    CHECK(take_header(writer, &err));
    raw_check_opens("many");
    gguf_writer_free(writer);
}

TEST(the_first_failure_is_kept)
{
    static const struct {
        const char *label;
        QuantType type;
        uint32_t n_dims;
        uint64_t dims[5];
        ErrorId id;
    } cases[] = {
        {"no dimensions", QUANT_F32, 0, {1}, ERROR_TENSOR_SHAPE},
        {"five dimensions", QUANT_F32, 5, {1, 1, 1, 1, 1}, ERROR_TENSOR_SHAPE},
        {"half a block", QUANT_Q8_0, 1, {16}, ERROR_TENSOR_SHAPE},
        {"no rows", QUANT_F32, 2, {16, 0}, ERROR_TENSOR_SHAPE},
        {"2^64 bytes", QUANT_F32, 2, {UINT32_MAX, UINT32_MAX}, ERROR_TENSOR_SHAPE},
        {"almost 2^64 bytes", QUANT_I8, 1, {UINT64_MAX - 2}, ERROR_TENSOR_SHAPE},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        const uint8_t *data = NULL;
        size_t n_bytes = 0;
        GgufWriter *writer = write_example(&err);
        if (!CHECK(writer)) return;
        gguf_writer_tensor(writer, "bad", cases[i].type, cases[i].dims, cases[i].n_dims);
        gguf_writer_tensor(writer, "worse", QUANT_Q4_K, dims_b, 1);
        gguf_writer_u32(writer, "after", 1);
        CHECK_CASE(cases[i].label, !gguf_writer_header(writer, &data, &n_bytes, &err));
        CHECK_CASE(cases[i].label, err.id == cases[i].id);
        CHECK_CASE(cases[i].label, strstr(err.message, "'bad'"));
        CHECK_CASE(cases[i].label, !data);
        gguf_writer_free(writer);
    }
    CHECK(ledger_total() == 0);
}

TEST(all_data_together_may_be_too_large)
{
    Error err = {0};
    const uint8_t *data;
    size_t n_bytes;
    GgufWriter *writer = gguf_writer_create(&err);

    if (!CHECK(writer)) return;
    gguf_writer_tensor(writer, "a", QUANT_I8, (uint64_t[]){UINT64_C(1) << 63}, 1);
    gguf_writer_tensor(writer, "b", QUANT_I8, (uint64_t[]){UINT64_C(1) << 63}, 1);
    CHECK(!gguf_writer_header(writer, &data, &n_bytes, &err));
    CHECK_ERROR(err, ERROR_TOO_LARGE);
    gguf_writer_free(writer);
}

TEST(each_failing_allocation_is_reported_at_the_end)
{
    bool is_done = false;
    uint64_t nth = 0;

    while (!is_done && nth < 1000) {
        Error err = {0};
        const uint8_t *data;
        size_t n_bytes;
        fault_arm(FAULT_ALLOC, ++nth, false);
        GgufWriter *writer = write_example(&err);
        is_done = writer && gguf_writer_header(writer, &data, &n_bytes, &err);
        if (!is_done) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        gguf_writer_free(writer);
        CHECK(ledger_total() == 0);
    }
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK(is_done);
    CHECK(nth > 4);
}

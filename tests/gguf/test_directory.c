/* tests/gguf/test_directory.c - tensors have a name, a shape, a type and an extent of their
 * own inside the file, or the file is refused. */
#include <inttypes.h>

#include "gguf/raw.h"

static const uint64_t extremes[] = {0, 1, INT32_MAX, UINT64_C(1) << 31, (UINT64_C(1) << 31) + 1,
    UINT32_MAX, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX};

/* One tensor entry of any shape. */
static void make_shape(uint32_t n_dims, const uint64_t *dims, uint32_t n_written, uint32_t type)
{
    raw_begin(3, 1, 0);
    raw_text("x");
    raw_u32(n_dims);
    for (uint32_t i = 0; i < n_written; i++) raw_u64(dims[i]);
    raw_u32(type);
    raw_u64(0);
    raw_pad(32);
    raw_zeros(64);
}

TEST(tensors_are_described)
{
    Error err = {0};

    raw_make_small();
    GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
    if (!CHECK(gguf)) return;

    const GgufTensor *x = gguf_find_tensor(gguf, view_of("x.weight"));
    const GgufTensor *y = gguf_find_tensor(gguf, view_of("y.weight"));
    CHECK(x == gguf_tensor(gguf, 0));
    CHECK(y == gguf_tensor(gguf, 1));
    CHECK(!gguf_find_tensor(gguf, view_of("z.weight")));
    CHECK(!gguf_find_tensor(gguf, view_of("")));
    CHECK(x->type == QUANT_Q4_0);
    CHECK(x->n_dims == 2);
    CHECK(x->dims[0] == 64 && x->dims[1] == 3 && x->dims[2] == 1 && x->dims[3] == 1);
    CHECK(x->n_bytes == 3 * 2 * 18);
    CHECK(x->shard == 0);
    CHECK(y->n_bytes == 20);
    CHECK(y->offset_bytes - x->offset_bytes == 128);
    gguf_close(gguf);
}

TEST(tensor_names_are_short_printable_text)
{
    static const struct {
        const char *name;
        size_t n_bytes;
    } cases[] = {{"", 0}, {"a\0b", 3}, {"a\nb", 3}, {"\x1b[2J", 4}, {"a\x7f", 2}, {"\xff", 1}};
    char label[32];

    for (size_t i = 0; i < COUNT(cases); i++) {
        raw_begin(3, 1, 0);
        raw_u64(cases[i].n_bytes);
        raw_bytes(cases[i].name, cases[i].n_bytes);
        raw_u32(1);
        raw_u64(1);
        raw_u32(QUANT_F32);
        raw_u64(0);
        raw_zeros(64);
        raw_check_refused("name", ERROR_TENSOR_NAME, "name");
    }
    for (uint64_t n = 63; n <= 65; n++) {
        snprintf(label, sizeof label, "%" PRIu64 " bytes", n);
        raw_begin(3, 1, 0);
        raw_u64(n);
        for (uint64_t i = 0; i < n; i++) raw_u8('n');
        raw_u32(1);
        raw_u64(1);
        raw_u32(QUANT_F32);
        raw_u64(0);
        raw_zeros(64);
        if (n <= 64)
            raw_check_opens(label);
        else
            raw_check_refused(label, ERROR_TENSOR_NAME, label);
    }
    for (size_t i = 2; i < COUNT(extremes); i++) {
        snprintf(label, sizeof label, "%" PRIu64 " bytes", extremes[i]);
        raw_begin(3, 1, 0);
        raw_u64(extremes[i]);
        raw_zeros(64);
        raw_check_refused(label, ERROR_TENSOR_NAME, label);
    }
}

TEST(a_tensor_occurs_once)
{
    raw_begin(3, 3, 0);
    raw_tensor("same", QUANT_F32, 1, 1, 0);
    raw_tensor("other", QUANT_F32, 1, 1, 32);
    raw_tensor("same", QUANT_F32, 1, 1, 64);
    raw_pad(32);
    raw_zeros(68);
    raw_check_refused(
        "duplicate", ERROR_FORMAT_DUPLICATE, "'same' occurs twice, as number 0 and number 2");
}

TEST(a_tensor_has_one_to_four_dimensions)
{
    static const uint64_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    static const uint32_t numbers[] = {0, 1, 2, 3, 4, 5, 8, 1u << 31, UINT32_MAX};

    for (size_t i = 0; i < COUNT(numbers); i++) {
        char label[32];
        bool is_valid = numbers[i] >= 1 && numbers[i] <= 4;
        snprintf(label, sizeof label, "%u dimensions", numbers[i]);
        make_shape(numbers[i], ones, is_valid ? numbers[i] : 8, QUANT_F32);
        if (is_valid)
            raw_check_opens(label);
        else
            raw_check_refused(label, ERROR_TENSOR_SHAPE, label);
    }
}

TEST(each_dimension_is_in_range)
{
    for (uint32_t dim = 0; dim < 4; dim++) {
        for (size_t i = 0; i < COUNT(extremes); i++) {
            char label[64];
            uint64_t dims[4] = {1, 1, 1, 1};
            bool is_valid = extremes[i] >= 1 && extremes[i] <= UINT64_C(1) << 31;
            snprintf(label, sizeof label, "dimension %u is %" PRIu64, dim, extremes[i]);
            dims[dim] = extremes[i];
            make_shape(4, dims, 4, QUANT_F32);
            if (extremes[i] == 1)
                raw_check_opens(label);
            else if (!is_valid)
                raw_check_refused(label, ERROR_TENSOR_SHAPE, label);
            else
                raw_check_refused_as(
                    label, GGUF_TENSOR_DATA, ERROR_FORMAT_TRUNCATED, "its header needs");
        }
    }
}

TEST(products_of_dimensions_do_not_wrap)
{
    static const uint64_t n = UINT64_C(1) << 31;
    static const struct {
        const char *label;
        uint64_t dims[4];
        uint32_t type;
        ErrorId id; // with data
    } cases[] = {
        {"elements wrap to 0", {n, n, 4, 1}, QUANT_I8, ERROR_TENSOR_SHAPE},
        {"elements wrap to 2^61", {n, n, n / 2, n / 2}, QUANT_Q4_0, ERROR_TENSOR_SHAPE},
        {"bytes wrap to 0", {n, n, 1, 1}, QUANT_F32, ERROR_TENSOR_SHAPE},
        {"elements of 2 bits wrap", {n, n, 4, 1}, QUANT_Q2_K, ERROR_TENSOR_SHAPE},
        {"elements of 2 bits do not", {n, n, 2, 1}, QUANT_Q2_K, ERROR_FORMAT_TRUNCATED},
        {"just below", {n, n - 1, 1, 1}, QUANT_F32, ERROR_FORMAT_TRUNCATED},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        make_shape(4, cases[i].dims, 4, cases[i].type);
        raw_check_refused_as(cases[i].label, GGUF_TENSOR_DATA, cases[i].id, "'x'");
    }
}

TEST(rows_are_whole_blocks)
{
    static const uint64_t n_cols[] = {1, 31, 33, 255, 288};

    for (size_t i = 0; i < COUNT(n_cols); i++) {
        make_shape(1, &n_cols[i], 1, QUANT_Q4_K);
        raw_check_refused("Q4_K", ERROR_TENSOR_SHAPE, "are not whole Q4_K blocks of 256");
    }
}

TEST(types_are_looked_up)
{
    static const uint64_t n_cols = 256;
    static const uint32_t types[] = {
        4, 5, 31, 32, 33, 36, 37, 38, 43, 255, 256, 1u << 16, 1u << 31, UINT32_MAX};

    for (size_t i = 0; i < COUNT(types); i++) {
        char label[48];
        snprintf(label, sizeof label, "unknown tensor type %u at byte", types[i]);
        make_shape(1, &n_cols, 1, types[i]);
        raw_check_refused(label, ERROR_TENSOR_TYPE, label);
    }
}

/* Two matrices of 5 floats (20 bytes) in a data section of 128 bytes. */
static void make_offsets(uint64_t a_offset, uint64_t b_offset)
{
    raw_begin(3, 2, 0);
    raw_tensor("a", QUANT_F32, 5, 1, a_offset);
    raw_tensor("b", QUANT_F32, 5, 1, b_offset);
    raw_pad(32);
    raw_zeros(128);
}

TEST(extents_are_aligned_apart_and_inside)
{
    static const uint64_t top = UINT64_MAX - 31;
    static const struct {
        const char *label;
        uint64_t a_offset, b_offset;
        const char *words; // NULL: fine
    } cases[] = {
        {"in order", 0, 32, NULL},
        {"out of order", 96, 0, NULL},
        {"with a hole", 0, 96, NULL},
        {"not aligned", 0, 33, "'b': offset 33 is not a multiple of the alignment 32"},
        {"aligned to 8 only", 8, 32, "'a': offset 8 is not"},
        {"the same place", 32, 32, "'a' (bytes"},
        {"the same place, out of order", 64, 64, "overlap"},
        {"outside", 0, 128, "'b': bytes"},
        {"far outside", UINT64_C(1) << 40, 0, "'a': bytes"},
        {"at 2^63", 0, UINT64_C(1) << 63, "lie outside the file"},
        {"end wraps", 0, top, "'b': offset 18446744073709551584 and size 20"},
        {"start wraps", top, 0, "'a': offset 18446744073709551584 and size 20"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        make_offsets(cases[i].a_offset, cases[i].b_offset);
        if (cases[i].words)
            raw_check_refused(cases[i].label, ERROR_TENSOR_OFFSET, cases[i].words);
        else
            raw_check_opens(cases[i].label);
    }
}

TEST(an_end_that_wraps_to_nothing_is_noticed)
{
    raw_begin(3, 1, 0);
    raw_tensor("x", QUANT_I8, UINT64_C(1) << 31, UINT64_C(1) << 31, UINT64_C(3) << 62);
    raw_pad(32);
    raw_zeros(64);
    raw_check_refused("2^64", ERROR_TENSOR_OFFSET, "pass the end of any file");
    raw_check_refused_as(
        "2^64", GGUF_METADATA_ONLY, ERROR_TENSOR_OFFSET, "pass the end of any file");
}

TEST(overlap_by_one_byte_is_found_among_many)
{
    enum { N = 200 };

    for (uint32_t wrong = 0; wrong < 2; wrong++) {
        raw_begin(3, N, 0);
        for (uint32_t i = 0; i < N; i++) {
            char name[16];
            uint32_t place = i * 77 % N; // shuffled; number 77 lies at place 129
            bool is_long = wrong && place == 129;
            snprintf(name, sizeof name, "t%u", place);
            raw_tensor(name, QUANT_I8, is_long ? 33 : 32, 1, place * 32);
        }
        raw_pad(32);
        raw_zeros(N * 32);
        if (wrong)
            raw_check_refused("long", ERROR_TENSOR_OFFSET, "tensors 't129'");
        else
            raw_check_opens("fits");
    }
}

TEST(metadata_alone_needs_no_data_but_sane_extents)
{
    Error err = {0};

    make_offsets(0, 32);
    raw.n_bytes -= 128;
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    CHECK(gguf);
    gguf_close(gguf);

    make_offsets(0, 0);
    raw_check_refused_as("overlap", GGUF_METADATA_ONLY, ERROR_TENSOR_OFFSET, "overlap");
    make_offsets(0, UINT64_MAX - 31);
    raw_check_refused_as("wrap", GGUF_METADATA_ONLY, ERROR_TENSOR_OFFSET, "'b': offset");
}

TEST(the_most_tensors_that_are_allowed)
{
    enum { N = 65536 };
    Error err = {0};
    char name[16];

    raw_begin(3, N, 0);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "t%u", i);
        raw_tensor(name, QUANT_I8, 1, 1, (uint64_t)(N - 1 - i) * 32);
    }
    raw_pad(32);
    raw_zeros(N * 32);
    GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
    if (!CHECK(gguf)) return;
    uint32_t n_wrong = 0;
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "t%u", i);
        n_wrong += gguf_find_tensor(gguf, view_of(name)) != gguf_tensor(gguf, i);
    }
    CHECK(n_wrong == 0);
    gguf_close(gguf);
}

/* tests/gguf/test_values.c - who asks for a type gets that type, whole, or an error. */
#include <inttypes.h>
#include <math.h>

#include "gguf/raw.h"

#define I64_MIN INT64_MIN

/* What an integer of a file is to each of the three getters. */
// clang-format off
static const struct {
    GgufType type;
    uint64_t bits;
    uint32_t n_bytes;
    int64_t want_i64;
    bool fits_u32, fits_u64, fits_i64;
} integers[] = {
    {GGUF_U8,  0,           1, 0,           true,  true,  true},
    {GGUF_U8,  255,         1, 255,         true,  true,  true},
    {GGUF_I8,  127,         1, 127,         true,  true,  true},
    {GGUF_I8,  0x80,        1, -128,        false, false, true},
    {GGUF_I8,  0xff,        1, -1,          false, false, true},
    {GGUF_U16, 65535,       2, 65535,       true,  true,  true},
    {GGUF_I16, 0x8000,      2, -32768,      false, false, true},
    {GGUF_U32, UINT32_MAX,  4, UINT32_MAX,  true,  true,  true},
    {GGUF_I32, INT32_MAX,   4, INT32_MAX,   true,  true,  true},
    {GGUF_I32, 0x80000000,  4, INT32_MIN,   false, false, true},
    {GGUF_U64, 1ull << 32,  8, 1ll << 32,   false, true,  true},
    {GGUF_U64, INT64_MAX,   8, INT64_MAX,   false, true,  true},
    {GGUF_U64, UINT64_MAX,  8, 0,           false, true,  false},
    {GGUF_I64, INT64_MAX,   8, INT64_MAX,   false, true,  true},
    {GGUF_I64, 1ull << 63,  8, I64_MIN,     false, false, true},
    {GGUF_I64, UINT64_MAX,  8, -1,          false, false, true},
};
// clang-format on

TEST(integers_of_any_width_are_read_where_they_fit)
{
    for (size_t i = 0; i < COUNT(integers); i++) {
        Error err = {0};
        uint32_t u32 = 7;
        uint64_t u64 = 7;
        int64_t i64 = 7;

        raw_begin(3, 0, 1);
        raw_key("k", integers[i].type);
        raw_bytes(&integers[i].bits, integers[i].n_bytes);
        GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
        if (!CHECK(gguf)) continue;
        bool ok = gguf_get_u32(gguf, "k", &u32, &err) == GGUF_PRESENT;
        CHECK(ok == integers[i].fits_u32);
        CHECK(u32 == (ok ? (uint32_t)integers[i].bits : 7));
        CHECK(ok || err.id == ERROR_KEY_RANGE);

        ok = gguf_get_u64(gguf, "k", &u64, &err) == GGUF_PRESENT;
        CHECK(ok == integers[i].fits_u64);
        CHECK(u64 == (ok ? integers[i].bits : 7));
        CHECK(ok || err.id == ERROR_KEY_RANGE);

        ok = gguf_get_i64(gguf, "k", &i64, &err) == GGUF_PRESENT;
        CHECK(ok == integers[i].fits_i64);
        CHECK(i64 == (ok ? integers[i].want_i64 : 7));
        CHECK(ok || err.id == ERROR_KEY_RANGE);
        gguf_close(gguf);
    }
}

TEST(a_negative_number_is_named_as_such)
{
    Error err = {0};
    uint64_t value = 7;

    raw_make_small();
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_get_u64(gguf, "a.i64", &value, &err) == GGUF_BAD);
    CHECK(strstr(err.message, "'a.i64' is -9223372036854775808, not 0 to"));
    gguf_close(gguf);
}

TEST(absent_keys_leave_the_output_alone)
{
    Error err = {0};
    uint32_t u32 = 7;
    uint64_t u64 = 7;
    int64_t i64 = 7;
    float f32 = 7;
    bool boolean = true;
    StringView text = view_of("7");
    GgufArray array = {.n = 7};

    raw_make_small();
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_get_u32(gguf, "none", &u32, &err) == GGUF_ABSENT && u32 == 7);
    CHECK(gguf_get_u64(gguf, "none", &u64, &err) == GGUF_ABSENT && u64 == 7);
    CHECK(gguf_get_i64(gguf, "none", &i64, &err) == GGUF_ABSENT && i64 == 7);
    CHECK(gguf_get_f32(gguf, "none", &f32, &err) == GGUF_ABSENT && f32 == 7);
    CHECK(gguf_get_bool(gguf, "none", &boolean, &err) == GGUF_ABSENT && boolean);
    CHECK(gguf_get_string(gguf, "none", &text, &err) == GGUF_ABSENT && view_is(text, "7"));
    CHECK(gguf_get_array(gguf, "none", GGUF_F32, &array, &err) == GGUF_ABSENT && array.n == 7);
    CHECK(err.id == ERROR_NONE);
    gguf_close(gguf);
}

/* Every key of the small file against every getter. */
TEST(other_types_are_refused_by_name)
{
    Error err = {0};

    raw_make_small();
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    if (!CHECK(gguf)) return;
    for (size_t i = 0; i < gguf_n_keys(gguf); i++) {
        char key[64];
        GgufType type = gguf_key_type(gguf, i);
        bool is_float = type == GGUF_F32 || type == GGUF_F64;
        bool is_integer = !is_float && type != GGUF_BOOL && type < GGUF_TYPES && type != GGUF_STRING
                          && type != GGUF_ARRAY;
        uint64_t u64 = 7;
        float f32 = 7;
        bool boolean = false;
        StringView text = {0};
        GgufArray array = {0};

        snprintf(key, sizeof key, "%.*s", SV(gguf_key_name(gguf, i)));
        err = (Error){0};
        CHECK_CASE(
            key, (gguf_get_u64(gguf, key, &u64, &err) == GGUF_BAD && err.id == ERROR_KEY_TYPE)
                     == !is_integer);
        err = (Error){0};
        CHECK_CASE(
            key, (gguf_get_f32(gguf, key, &f32, &err) == GGUF_BAD && err.id == ERROR_KEY_TYPE)
                     == !is_float);
        err = (Error){0};
        CHECK_CASE(
            key, (gguf_get_bool(gguf, key, &boolean, &err) == GGUF_BAD) == (type != GGUF_BOOL));
        CHECK_CASE(key, type == GGUF_BOOL || err.id == ERROR_KEY_TYPE);
        err = (Error){0};
        CHECK_CASE(
            key, (gguf_get_string(gguf, key, &text, &err) == GGUF_BAD) == (type != GGUF_STRING));
        CHECK_CASE(key, type == GGUF_STRING || err.id == ERROR_KEY_TYPE);
        for (uint32_t element = 0; element < GGUF_TYPES; element++) {
            bool is_right = type == GGUF_ARRAY && gguf_key_element_type(gguf, i) == element;
            if (element == GGUF_ARRAY) continue;
            CHECK_CASE(
                key, (gguf_get_array(gguf, key, (GgufType)element, &array, &err) == GGUF_PRESENT)
                         == is_right);
        }
        CHECK_CASE(key, strstr(err.message, key));
    }
    gguf_close(gguf);
}

TEST(doubles_become_floats_where_they_fit)
{
    static const struct {
        double value;
        bool fits;
    } cases[] = {{0.1, true}, {-0.0, true}, {1e-300, true}, {3.4e38, true}, {3.5e38, false},
        {-1e300, false}, {(double)INFINITY, true}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        float got = 7, want = cases[i].fits ? (float)cases[i].value : 7;

        raw_begin(3, 0, 1);
        raw_key("k", GGUF_F64);
        raw_f64(cases[i].value);
        GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
        if (!CHECK(gguf)) continue;
        CHECK(gguf_get_f32(gguf, "k", &got, &err) == (cases[i].fits ? GGUF_PRESENT : GGUF_BAD));
        CHECK(cases[i].fits || err.id == ERROR_KEY_RANGE);
        CHECK_BITS(&want, &got, sizeof got);
        gguf_close(gguf);
    }
}

TEST(arrays_are_read_element_by_element)
{
    Error err = {0};
    GgufArray array;
    StringView text = {0};
    uint64_t cursor = 0;

    raw_make_small();
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    if (!CHECK(gguf)) return;

    CHECK(gguf_get_array(gguf, "b.i32", GGUF_I32, &array, &err) == GGUF_PRESENT);
    CHECK(array.n == 2);
    CHECK(gguf_array_i32(&array, 0) == 7);
    CHECK(gguf_array_i32(&array, 1) == -7);

    CHECK(gguf_get_array(gguf, "b.strings", GGUF_STRING, &array, &err) == GGUF_PRESENT);
    CHECK(array.n == 3);
    CHECK(gguf_array_next_string(&array, &cursor, &text) && view_is(text, "one"));
    CHECK(gguf_array_next_string(&array, &cursor, &text) && view_is(text, ""));
    CHECK(gguf_array_next_string(&array, &cursor, &text) && view_is(text, "three"));
    CHECK(!gguf_array_next_string(&array, &cursor, &text));

    CHECK(gguf_get_array(gguf, "b.bools", GGUF_BOOL, &array, &err) == GGUF_PRESENT);
    CHECK(array.n == 3 && array.n_bytes == 3 && array.data[0] == 0 && array.data[2] == 1);

    CHECK(gguf_get_array(gguf, "b.none", GGUF_F32, &array, &err) == GGUF_PRESENT);
    CHECK(array.n == 0 && array.n_bytes == 0);
    gguf_close(gguf);
}

TEST(unsigned_elements_pass_as_signed_where_they_fit)
{
    Error err = {0};
    GgufArray array;

    raw_begin(3, 0, 3);
    raw_array("fits", GGUF_U32, 2);
    raw_u32(1);
    raw_u32(INT32_MAX);
    raw_array("large", GGUF_U32, 2);
    raw_u32(1);
    raw_u32(1u << 31);
    raw_array("floats", GGUF_F32, 1);
    raw_f32(1.5f);
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_get_array(gguf, "fits", GGUF_I32, &array, &err) == GGUF_PRESENT);
    CHECK(array.element_type == GGUF_U32);
    CHECK(gguf_array_i32(&array, 1) == INT32_MAX);
    CHECK(gguf_get_array(gguf, "large", GGUF_I32, &array, &err) == GGUF_BAD);
    CHECK_ERROR(err, ERROR_KEY_RANGE);
    CHECK(gguf_get_array(gguf, "large", GGUF_U32, &array, &err) == GGUF_PRESENT);
    CHECK(gguf_get_array(gguf, "floats", GGUF_F32, &array, &err) == GGUF_PRESENT);
    CHECK(gguf_array_f32(&array, 0) == 1.5f);
    gguf_close(gguf);
}

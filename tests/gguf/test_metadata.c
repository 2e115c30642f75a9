/* tests/gguf/test_metadata.c - keys and values as they are read, and what is refused. */
#include <inttypes.h>

#include "gguf/raw.h"

static const uint64_t extremes[] = {0, 1, 65535, 65536, 16u << 20, (16u << 20) + 1, INT32_MAX,
    UINT64_C(1) << 31, UINT32_MAX, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX};

TEST(keys_stay_in_file_order)
{
    Error err = {0};
    size_t index = 99;

    raw_begin(3, 0, 3);
    raw_key("c", GGUF_U8);
    raw_u8(1);
    raw_key("a", GGUF_STRING);
    raw_text("x");
    raw_array("b", GGUF_U16, 2);
    raw_u32(0);
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    if (!CHECK(gguf)) return;

    CHECK(view_is(gguf_key_name(gguf, 0), "c"));
    CHECK(view_is(gguf_key_name(gguf, 1), "a"));
    CHECK(view_is(gguf_key_name(gguf, 2), "b"));
    CHECK(gguf_key_type(gguf, 1) == GGUF_STRING);
    CHECK(gguf_key_element_type(gguf, 1) == GGUF_STRING);
    CHECK(gguf_key_count(gguf, 1) == 1);
    CHECK(gguf_key_type(gguf, 2) == GGUF_ARRAY);
    CHECK(gguf_key_element_type(gguf, 2) == GGUF_U16);
    CHECK(gguf_key_count(gguf, 2) == 2);
    CHECK(gguf_find_key(gguf, "b", &index) && index == 2);
    CHECK(!gguf_find_key(gguf, "d", &index) && index == 2);
    CHECK(!gguf_find_key(gguf, "", &index));
    gguf_close(gguf);
}

TEST(key_names_have_a_length)
{
    for (size_t i = 0; i < COUNT(extremes); i++) {
        char label[32];
        bool is_possible = extremes[i] >= 1 && extremes[i] <= 65535;
        snprintf(label, sizeof label, "%" PRIu64 " bytes", extremes[i]);

        raw_begin(3, 0, 1);
        raw_u64(extremes[i]);
        raw_u8('k');
        raw_u32(GGUF_U8);
        raw_u8(1);
        if (extremes[i] == 1)
            raw_check_opens(label);
        else
            raw_check_refused(
                label, is_possible ? ERROR_FORMAT_TRUNCATED : ERROR_FORMAT_KEY, label);
    }

    raw_begin(3, 0, 1); // the longest
    raw_u64(65535);
    for (uint32_t i = 0; i < 65535; i++) raw_u8('k');
    raw_u32(GGUF_U8);
    raw_u8(1);
    raw_check_opens("65535 present bytes");
}

TEST(key_names_are_text)
{
    static const struct {
        const char *name;
        size_t n_bytes;
        const char *words;
    } cases[] = {
        {"a\0b", 3, "NUL"},
        {"\0", 1, "NUL"},
        {"a\xff", 2, "not UTF-8"},
        {"\xc3", 1, "not UTF-8"},
        {"\xed\xa0\x80", 3, "not UTF-8"}, // a surrogate
        {"\xc3\xa9", 2, NULL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        raw_begin(3, 0, 1);
        raw_u64(cases[i].n_bytes);
        raw_bytes(cases[i].name, cases[i].n_bytes);
        raw_u32(GGUF_U8);
        raw_u8(1);
        if (cases[i].words)
            raw_check_refused(cases[i].words, ERROR_FORMAT_KEY, cases[i].words);
        else
            raw_check_opens("UTF-8");
    }
}

TEST(a_key_occurs_once)
{
    raw_begin(3, 0, 3);
    raw_key("same", GGUF_U8);
    raw_u8(1);
    raw_key("other", GGUF_U8);
    raw_u8(1);
    raw_key("same", GGUF_U32);
    raw_u32(1);
    raw_check_refused("duplicate", ERROR_FORMAT_DUPLICATE, "'same' occurs twice, at bytes 24 and");
}

/* A quadratic search would take minutes here. */
TEST(the_most_keys_that_are_allowed)
{
    enum { N = 65536 };
    char name[16];
    Error err = {0};

    raw_begin(3, 0, N);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "key.%u", i * 40503u % N); // all of them, shuffled
        raw_key(name, GGUF_U32);
        raw_u32(i);
    }
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    if (!CHECK(gguf)) return;
    uint32_t n_wrong = 0, value = 0;
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "key.%u", i * 40503u % N);
        n_wrong += gguf_get_u32(gguf, name, &value, &err) != GGUF_PRESENT || value != i;
    }
    CHECK(n_wrong == 0);
    gguf_close(gguf);

    // The last name again.
    raw.data[raw.n_bytes - 9] = raw.data[raw.n_bytes - 9] == '1' ? '2' : '1';
    raw_check_refused("duplicate", ERROR_FORMAT_DUPLICATE, "occurs twice");
}

TEST(value_types_are_known)
{
    static const uint32_t types[] = {13, 14, 255, 1u << 31, UINT32_MAX};

    for (size_t i = 0; i < COUNT(types); i++) {
        char label[32];
        snprintf(label, sizeof label, "type %u", types[i]);
        raw_begin(3, 0, 1);
        raw_key("k", types[i]);
        raw_u64(0);
        raw_check_refused(label, ERROR_FORMAT_VALUE, label);

        raw_begin(3, 0, 1);
        raw_array("k", types[i], 1);
        raw_u64(0);
        raw_check_refused(label, ERROR_FORMAT_VALUE, label);
    }
}

TEST(bools_are_zero_or_one)
{
    for (uint32_t value = 0; value < 256; value++) {
        raw_begin(3, 0, 1);
        raw_key("k", GGUF_BOOL);
        raw_u8((uint8_t)value);
        if (value <= 1)
            raw_check_opens("bool");
        else
            raw_check_refused("bool", ERROR_FORMAT_VALUE, "not 0 or 1");
    }
    raw_begin(3, 0, 1);
    raw_array("k", GGUF_BOOL, 3);
    raw_u8(0);
    raw_u8(1);
    raw_u8(2);
    raw_check_refused("array", ERROR_FORMAT_VALUE, "bool 2 at byte 51, not 0 or 1");
}

TEST(strings_have_a_length)
{
    for (size_t i = 0; i < COUNT(extremes); i++) {
        char label[32];
        ErrorId id = extremes[i] > 16u << 20 ? ERROR_FORMAT_VALUE : ERROR_FORMAT_TRUNCATED;
        snprintf(label, sizeof label, "%" PRIu64 " bytes", extremes[i]);

        raw_begin(3, 0, 1);
        raw_key("k", GGUF_STRING);
        raw_u64(extremes[i]);
        raw_u8('v');
        if (extremes[i] <= 1)
            raw_check_opens(label);
        else
            raw_check_refused(label, id, label);

        raw_begin(3, 0, 1);
        raw_array("k", GGUF_STRING, 2);
        raw_text("v");
        raw_u64(extremes[i]);
        raw_u8('v');
        if (extremes[i] <= 1)
            raw_check_opens(label);
        else
            raw_check_refused(label, id, "element 1");
    }
}

TEST(string_values_may_hold_any_bytes)
{
    Error err = {0};
    StringView text = {0};

    raw_begin(3, 0, 1);
    raw_key("k", GGUF_STRING);
    raw_u64(4);
    raw_bytes("\0\xff\n\x1b", 4);
    GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_get_string(gguf, "k", &text, &err) == GGUF_PRESENT);
    CHECK(text.n_bytes == 4);
    CHECK_BITS("\0\xff\n\x1b", text.data, 4);
    gguf_close(gguf);
}

TEST(arrays_fit_their_file)
{
    for (uint32_t type = 0; type < GGUF_TYPES; type++) {
        if (type == GGUF_ARRAY) continue;
        for (size_t i = 1; i < COUNT(extremes); i++) {
            char label[48];
            snprintf(label, sizeof label, "%" PRIu64 " of %s", extremes[i],
                gguf_type_name((GgufType)type));
            raw_begin(3, 0, 1);
            raw_array("k", type, extremes[i]); // and no elements
            Error err = {0};
            GgufFile *gguf = raw_open(GGUF_METADATA_ONLY, &err);
            CHECK_CASE(label, !gguf);
            CHECK_CASE(label, err.id == ERROR_FORMAT_TRUNCATED || err.id == ERROR_FORMAT_VALUE);
            CHECK_CASE(label, strstr(err.message, "'k'"));
            gguf_close(gguf);
        }
        raw_begin(3, 0, 1);
        raw_array("k", type, 0);
        raw_check_opens(gguf_type_name((GgufType)type));
    }
}

TEST(an_array_whose_size_wraps_is_named)
{
    raw_begin(3, 0, 1);
    raw_array("k", GGUF_F64, (UINT64_C(1) << 61) + 1);
    raw_f64(1); // 8 bytes modulo 2^64
    raw_check_refused("wrap", ERROR_FORMAT_VALUE, "array of 2305843009213693953 f64 elements");
}

TEST(arrays_are_not_nested)
{
    raw_begin(3, 0, 1);
    raw_array("k", GGUF_ARRAY, 1);
    raw_u32(GGUF_U8);
    raw_u64(1);
    raw_u8(1);
    raw_check_refused("nested", ERROR_FORMAT_VALUE, "array of arrays");
}

TEST(names_in_messages_are_short_and_harmless)
{
    Error err = {0};

    raw_begin(3, 0, 1);
    raw_u64(3000);
    raw_bytes("\x1b[31m", 5);
    for (uint32_t i = 0; i < 2995; i++) raw_u8('k');
    raw_u32(99);
    CHECK(!raw_open(GGUF_METADATA_ONLY, &err));
    CHECK_ERROR(err, ERROR_FORMAT_VALUE);
    CHECK(strstr(err.message, "value type 99"));
    CHECK(strlen(err.message) < 300);
    CHECK(!strchr(err.message, '\x1b'));
}

static GgufFile *open_with(const GgufOverride *overrides, size_t n_overrides, Error *err)
{
    char path[256];

    snprintf(path, sizeof path, "%s/override.gguf", harness_temporary_folder());
    raw_make_small();
    raw_save(path);
    return gguf_open(path, GGUF_TENSOR_DATA, overrides, n_overrides, err);
}

TEST(overrides_replace_add_and_remove)
{
    const GgufOverride overrides[] = {
        {.key = view_of("a.u8"), .type = GGUF_I64, .i64 = -5},
        {.key = view_of("a.f32"), .type = GGUF_F64, .f64 = 0.25},
        {.key = view_of("b.i32"), .type = GGUF_I64, .i64 = 12}, // an array becomes a number
        {.key = view_of("new.bool"), .type = GGUF_BOOL, .boolean = true},
        {.key = view_of("new.text"), .type = GGUF_STRING, .text = view_of("hi")},
        {.key = view_of("a.bool"), .is_removal = true},
        {.key = view_of("absent"), .is_removal = true},
        {.key = view_of("new.bool"), .type = GGUF_BOOL, .boolean = false}, // the last one counts
    };
    Error err = {0};
    int64_t number = 0;
    uint32_t small = 77;
    float real = 0;
    bool boolean = true;
    StringView text = {0};

    GgufFile *gguf = open_with(overrides, COUNT(overrides), &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_n_keys(gguf) == 16 + 2 - 1);
    CHECK(gguf_get_i64(gguf, "a.u8", &number, &err) == GGUF_PRESENT && number == -5);
    CHECK(gguf_get_f32(gguf, "a.f32", &real, &err) == GGUF_PRESENT && real == 0.25f);
    CHECK(gguf_get_u32(gguf, "b.i32", &small, &err) == GGUF_PRESENT && small == 12);
    CHECK(gguf_get_bool(gguf, "new.bool", &boolean, &err) == GGUF_PRESENT && !boolean);
    CHECK(gguf_get_string(gguf, "new.text", &text, &err) == GGUF_PRESENT && view_is(text, "hi"));
    CHECK(gguf_get_bool(gguf, "a.bool", &boolean, &err) == GGUF_ABSENT);
    CHECK(gguf_get_string(gguf, "general.architecture", &text, &err) == GGUF_PRESENT);
    CHECK(view_is(text, "llama"));
    CHECK(err.id == ERROR_NONE);
    gguf_close(gguf);
    CHECK(ledger_total() == 0);
}

TEST(an_override_of_the_wrong_type_is_still_checked)
{
    const GgufOverride overrides[] = {
        {.key = view_of("a.u32"), .type = GGUF_STRING, .text = view_of("many")}};
    Error err = {0};
    uint32_t number = 77;

    GgufFile *gguf = open_with(overrides, COUNT(overrides), &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_get_u32(gguf, "a.u32", &number, &err) == GGUF_BAD);
    CHECK_ERROR(err, ERROR_KEY_TYPE);
    CHECK(number == 77);
    gguf_close(gguf);
}

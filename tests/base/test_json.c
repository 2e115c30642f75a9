/* tests/base/test_json.c - JSON out and in, within the budget. */
#include "harness.h"

#include <math.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/ledger.h"

static char written[4096];

/* The text that json_write makes of a value; NULL: it failed, and `err` says why. */
static const char *write_text(const Json *value, Error *err)
{
    FILE *stream = fmemopen(written, sizeof(written), "w");

    if (!CHECK(stream)) return NULL;
    bool ok = json_write(value, stream, err);
    fclose(stream);
    return ok ? written : NULL;
}

#define SKIP_WITHOUT_JSON() \
    if (!json_available()) TEST_SKIP("this build has no jansson")

static Json *make_document(void)
{
    Json *object = json_object();
    Json *list = json_list();

    json_add(list, json_i64(-5));
    json_add(list, json_text(view_of("caf\xc3\xa9")));
    json_add(list, NULL);
    json_set_u64(object, "read_bytes", 9007199254740993);
    json_set_f64(object, "share", 0.25);
    json_set_bool(object, "direct", true);
    json_set_text(object, "model", view_of("a\"b"));
    json_set(object, "list", list);
    json_set(object, "energy_joules", NULL);
    return object;
}

TEST(json_write_keeps_order_types_and_large_integers)
{
    SKIP_WITHOUT_JSON();
    Json *object = make_document();
    const char *text = write_text(object, NULL);

    CHECK(text
          && strcmp(text, "{\"read_bytes\": 9007199254740993, \"share\": 0.25, \"direct\": true, "
                          "\"model\": \"a\\\"b\", \"list\": [-5, \"caf\xc3\xa9\", null], "
                          "\"energy_joules\": null}\n")
                 == 0);
    json_free(object);
    CHECK(ledger_total() == 0);
}

TEST(json_parse_reads_back_what_was_written)
{
    SKIP_WITHOUT_JSON();
    Json *object = make_document();
    const char *text = write_text(object, NULL);
    Error err = {0};
    Json *back = json_parse(view_of(text), &err);

    CHECK(back);
    CHECK(json_is_object(back));
    CHECK(json_get_i64(json_get(back, "read_bytes"), 0) == 9007199254740993);
    CHECK(json_get_number(json_get(back, "share"), 0) == 0.25);
    CHECK(json_get_bool(json_get(back, "direct"), false));
    CHECK(view_is(json_get_text(json_get(back, "model")), "a\"b"));
    const Json *list = json_get(back, "list");
    CHECK(json_is_list(list) && json_count(list) == 3);
    CHECK(json_get_i64(json_at(list, 0), 0) == -5);
    CHECK(view_is(json_get_text(json_at(list, 1)), "caf\xc3\xa9"));
    CHECK(json_is_null(json_at(list, 2)));
    CHECK(!json_at(list, 3));
    json_free(object);
    json_free(back);
    CHECK(ledger_total() == 0);
}

TEST(json_readers_give_the_fallback_for_another_type)
{
    SKIP_WITHOUT_JSON();
    Json *value = json_parse(view_of("{\"a\": 1.5, \"b\": \"x\", \"c\": null, \"d\": 7}"), NULL);

    CHECK(json_get_i64(json_get(value, "a"), -1) == -1); // not an integer
    CHECK(json_get_number(json_get(value, "d"), -1) == 7);
    CHECK(json_get_number(json_get(value, "b"), -1) == -1);
    CHECK(json_get_bool(json_get(value, "d"), true));
    CHECK(json_get_text(json_get(value, "d")).n_bytes == 0);
    CHECK(json_is_number(json_get(value, "a")) && !json_is_integer(json_get(value, "a")));
    CHECK(json_is_text(json_get(value, "b")) && !json_is_text(json_get(value, "c")));
    CHECK(!json_is_bool(json_get(value, "c")));
    CHECK(!json_get(value, "e") && !json_get(json_get(value, "a"), "x"));
    CHECK(!json_is_null(NULL) && json_count(NULL) == 0 && json_count(value) == 0);
    json_free(value);
}

TEST(json_next_member_goes_through_an_object_in_its_order)
{
    SKIP_WITHOUT_JSON();
    Json *value = json_parse(view_of("{\"z\": 0, \"a\": 1, \"m\": 2}"), NULL);
    static const StringView want[] = {{"z", 1}, {"a", 1}, {"m", 1}};
    void *cursor = NULL;
    StringView key;
    size_t n = 0;

    for (const Json *member; (member = json_next_member(value, &cursor, &key)); n++) {
        if (!CHECK(n < COUNT(want))) break;
        CHECK(view_equal(key, want[n]));
        CHECK(json_get_i64(member, -1) == (int64_t)n);
    }
    CHECK(n == COUNT(want));
    cursor = NULL;
    CHECK(!json_next_member(NULL, &cursor, &key));
    json_free(value);
}

TEST(json_repairs_text_that_is_not_utf8)
{
    SKIP_WITHOUT_JSON();
    Json *object = json_object();

    json_set_text(object, "a\xff", (StringView){"x\xe2\x82y\0z", 6});
    const char *text = write_text(object, NULL);
    CHECK(text && strcmp(text, "{\"a\xef\xbf\xbd\": \"x\xef\xbf\xbdy\\u0000z\"}\n") == 0);
    json_free(object);
    CHECK(ledger_total() == 0);
}

TEST(json_numbers_at_their_ends)
{
    SKIP_WITHOUT_JSON();
    Json *list = json_list();

    json_add(list, json_u64(INT64_MAX));
    json_add(list, json_u64((uint64_t)INT64_MAX + 1)); // jansson has no unsigned integers
    json_add(list, json_i64(INT64_MIN));
    json_add(list, json_f64(1.0 / 3));
    json_add(list, json_f64((double)INFINITY));
    json_add(list, json_f64((double)NAN));
    const char *text = write_text(list, NULL);
    CHECK(text
          && strcmp(text, "[9223372036854775807, 9.2233720368547758e18, -9223372036854775808, "
                          "0.33333333333333331, null, null]\n")
                 == 0);
    json_free(list);
}

TEST(json_parse_refuses_with_line_and_column)
{
    SKIP_WITHOUT_JSON();
    static const char *const bad[] = {"", "{", "{\"a\": }", "[1,]", "nul", "{} {}", "\"\xff\"",
        "{a: 1}", "[1e999]", "[99999999999999999999]", "'x'", "[01]", "{\"\\u0000\": 1}"};

    for (size_t i = 0; i < COUNT(bad); i++) {
        Error err = {0};
        CHECK_CASE(bad[i], !json_parse(view_of(bad[i]), &err));
        CHECK_CASE(bad[i], err.id == ERROR_USAGE);
        CHECK_CASE(bad[i], strstr(err.message, "line 1, column"));
    }
    CHECK(ledger_total() == 0);
}

TEST(json_parse_limits_its_depth)
{
    SKIP_WITHOUT_JSON();
    static char deep[100000];
    Error err = {0};

    memset(deep, '[', sizeof(deep));
    CHECK(!json_parse((StringView){deep, sizeof(deep)}, &err));
    CHECK_ERROR(err, ERROR_USAGE);
    CHECK(ledger_total() == 0);
}

TEST(json_every_failed_allocation_is_told)
{
    SKIP_WITHOUT_JSON();
    uint64_t n_allocations = 1;

    for (uint64_t nth = 0; nth <= n_allocations; nth++) { // the first round counts
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        Json *object = make_document();
        const char *text = write_text(object, &err);
        if (nth == 0) n_allocations = fault_count(FAULT_ALLOC);
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK((text != NULL) == (nth == 0));
        CHECK(nth == 0 || err.id == ERROR_OUT_OF_MEMORY);
        json_free(object);
        CHECK(ledger_total() == 0);
    }
    CHECK(n_allocations > 10);
}

TEST(json_parse_survives_every_failed_allocation)
{
    SKIP_WITHOUT_JSON();
    StringView text = view_of("{\"a\": [1, 2.5, \"text\", {\"b\": null}], \"c\": \"\\u00e9\"}");
    uint64_t n_allocations = 1;

    for (uint64_t nth = 0; nth <= n_allocations; nth++) {
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        Json *value = json_parse(text, &err);
        if (nth == 0) n_allocations = fault_count(FAULT_ALLOC);
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK((value != NULL) == (nth == 0));
        CHECK(nth == 0 || err.id == ERROR_OUT_OF_MEMORY);
        json_free(value);
        CHECK(ledger_total() == 0);
    }
    CHECK(n_allocations > 5);
    Json *fine = json_parse(text, NULL); // an earlier failure is forgotten
    CHECK(write_text(fine, NULL));
    json_free(fine);
}

/* A key and a value that must be repaired, which allocates too. */
TEST(json_repair_survives_every_failed_allocation)
{
    SKIP_WITHOUT_JSON();
    uint64_t n_allocations = 1;

    for (uint64_t nth = 0; nth <= n_allocations; nth++) {
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        Json *object = json_object();
        json_set_text(object, "a\xff", view_of("b\xff"));
        const char *text = write_text(object, &err);
        if (nth == 0) n_allocations = fault_count(FAULT_ALLOC);
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK((text != NULL) == (nth == 0));
        CHECK(nth == 0 || err.id == ERROR_OUT_OF_MEMORY);
        json_free(object);
        CHECK(ledger_total() == 0);
    }
    CHECK(n_allocations > 4);
}

TEST(json_parse_does_not_hide_what_failed_before)
{
    SKIP_WITHOUT_JSON();
    Error err = {0};
    Json *object = json_object();

    fault_arm(FAULT_ALLOC, 1, false);
    json_set_u64(object, "lost", 1);
    fault_arm(FAULT_ALLOC, 0, false);
    Json *other = json_parse(view_of("[1]"), NULL);
    CHECK(other);
    json_free(other);
    CHECK(!write_text(object, &err));
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    json_free(object);
}

TEST(json_documents_may_be_single_values)
{
    SKIP_WITHOUT_JSON();
    Json *number = json_parse(view_of(" 7 "), NULL);
    Json *text = json_parse(view_of("\"a\\u0000b\""), NULL);
    Json *infinite = json_f64((double)INFINITY);

    CHECK(json_get_i64(number, 0) == 7);
    CHECK(view_equal(json_get_text(text), (StringView){"a\0b", 3}));
    const char *shown = write_text(infinite, NULL);
    CHECK(shown && strcmp(shown, "null\n") == 0);
    json_free(number);
    json_free(text);
    json_free(infinite);
}

TEST(json_write_tells_a_full_drive)
{
    SKIP_WITHOUT_JSON();
    FILE *full = fopen("/dev/full", "w");
    Error err = {0};
    Json *object = make_document();

    if (!CHECK(full)) return;
    CHECK(!json_write(object, full, &err));
    CHECK_ERROR(err, ERROR_OUTPUT);
    CHECK(strstr(err.message, "No space left"));
    fclose(full);
    json_free(object);
}

TEST(json_without_its_library_says_so)
{
    if (json_available()) return; // covered by the other tests
    Error err = {0};

    CHECK(!json_object() && !json_text(view_of("x")));
    json_set_u64(NULL, "key", 1);
    CHECK(!json_parse(view_of("{}"), &err));
    CHECK_ERROR(err, ERROR_ABSENT_FEATURE);
    err = (Error){0};
    CHECK(!json_write(NULL, stdout, &err));
    CHECK_ERROR(err, ERROR_ABSENT_FEATURE);
    CHECK(json_get_i64(NULL, 7) == 7);
    json_free(NULL);
}

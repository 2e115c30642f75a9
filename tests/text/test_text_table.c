/* Texts by number and back, through growth and failed allocations. */
#include "text/text_table.h"

#include "base/fault.h"
#include "base/ledger.h"
#include "harness.h"

static StringView numbered(char *out, unsigned i)
{
    int n = snprintf(out, 32, "%u%s", i * 2654435761u, i % 3 == 0 ? " and more of it" : "");

    return (StringView){out, (size_t)n};
}

TEST(texts_are_found_under_their_numbers)
{
    TextTable table = {0};
    char text[32];
    uint32_t number;
    bool is_new;

    CHECK(text_table_find(&table, view_of("x")) == TEXT_NONE);
    for (unsigned i = 0; i < 5000; i++) {
        CHECK(text_table_add(&table, numbered(text, i), &number, &is_new, NULL));
        CHECK(number == i && is_new);
    }
    for (unsigned i = 0; i < 5000; i++) {
        CHECK(text_table_find(&table, numbered(text, i)) == i);
        CHECK(view_equal(text_table_get(&table, i), numbered(text, i)));
    }
    CHECK(text_table_add(&table, numbered(text, 77), &number, &is_new, NULL));
    CHECK(number == 77 && !is_new && table.n == 5000);
    CHECK(text_table_find(&table, view_of("absent")) == TEXT_NONE);
    text_table_destroy(&table);
    text_table_destroy(&table);
    CHECK(ledger_held(MEM_TEXT) == 0);
}

TEST(empty_texts_and_nul_bytes_are_texts)
{
    TextTable table = {0};
    uint32_t number;

    CHECK(text_table_add(&table, (StringView){0}, &number, NULL, NULL) && number == 0);
    CHECK(text_table_add(&table, (StringView){"\0", 1}, &number, NULL, NULL) && number == 1);
    CHECK(text_table_add(&table, (StringView){"\0\0", 2}, &number, NULL, NULL) && number == 2);
    CHECK(text_table_find(&table, (StringView){0}) == 0);
    CHECK(text_table_find(&table, (StringView){"\0", 1}) == 1);
    CHECK(text_table_get(&table, 0).n_bytes == 0);
    text_table_destroy(&table);
}

TEST(a_failed_addition_changes_nothing)
{
    TextTable table = {0};
    char text[32];
    uint32_t number = 7;

    for (unsigned i = 0; i < 2000; i++) {
        Error err = {0};
        fault_arm(FAULT_ALLOC, 1, true);
        bool added = text_table_add(&table, numbered(text, i), &number, NULL, &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (!added) {
            CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
            CHECK(table.n == i && text_table_find(&table, numbered(text, i)) == TEXT_NONE);
            CHECK(text_table_add(&table, numbered(text, i), &number, NULL, NULL));
        }
        CHECK(number == i);
    }
    text_table_destroy(&table);
}

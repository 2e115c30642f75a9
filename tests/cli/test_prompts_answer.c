/* Where an answer ends: stop texts, also across pieces of text. */
#include "cli/prompts_answer.h"

#include "base/mem.h"
#include "harness.h"

typedef struct StopCase {
    const char *text;
    size_t from; // where the last piece begins
    const char *stop;
    size_t want;
} StopCase;

TEST(a_stop_text_is_found_where_its_last_byte_is_new)
{
    static const StopCase cases[] = {
        {"one two", 3, "\"two\"", 4},
        {"one two", 0, "\"two\"", 4},
        {"one two", 6, "\"two\"", 4},              // begins in the text before
        {"one two", 7, "\"two\"", 7},              // was there before
        {"one two", 3, "\"three\"", 7},            // not there
        {"one two", 3, "\"one two and more\"", 7}, // longer than the text
        {"one two", 3, "[\"two\", \" t\"]", 3},    // the first in the text
        {"one two", 3, "[]", 7},
        {"", 0, "\"x\"", 0},
        {"x", 0, "\"x\"", 0},
    };

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const StopCase *c = &cases[i];
        Json *stop = json_parse(view_of(c->stop), NULL);
        size_t got = prompts_find_stop(view_of(c->text), c->from, stop);
        CHECK_CASE(c->stop, got == c->want);
        json_free(stop);
    }
    CHECK(prompts_find_stop(view_of("one"), 0, NULL) == 3);
}

TEST(an_error_names_line_and_id)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    hypura_error why = {.number = 307, .message = "too long"};
    size_t n_bytes = 0;
    Json *id = json_parse(view_of("{\"a\": [1, null]}"), NULL);
    Json *json = prompts_error_json(id, 9, &why);
    char *text = json_line(json, &n_bytes, NULL);
    CHECK(text
          && strcmp(text, "{\"id\": {\"a\": [1, null]}, \"line\": 9, \"error\": {\"id\": "
                          "\"E0307\", \"message\": \"too long\"}}\n")
                 == 0);
    mem_free(MEM_OTHER, text);
    json_free(json);
    json_free(id);
}

/* tests/cli/test_findings.c - what doctor found, as text and as JSON (cli/findings.h) */
#include "cli/findings.h"

#include "harness.h"

static Findings made(void)
{
    Findings findings = {0};

    findings_add(&findings, "one", FINDING_GOOD, "all is well", NULL, "%u of %u", 1u, 2u);
    findings_add(&findings, "two", FINDING_LACKS, "it is slow", "faster", "slow");
    findings_add(&findings, "three", FINDING_FAILS, "it is not", "repair", "gone");
    return findings;
}

TEST(states_are_counted)
{
    Findings findings = made();

    CHECK(findings.n == 3);
    CHECK(findings_count(&findings, FINDING_GOOD) == 1);
    CHECK(findings_count(&findings, FINDING_FAILS) == 1);
}

TEST(the_table_says_what_follows_and_what_to_do)
{
    Findings findings = made();
    char text[1024];
    FILE *stream = fmemopen(text, sizeof(text), "w");

    CHECK(stream);
    findings_write_table(stream, &findings);
    fclose(stream);
    CHECK(strstr(text, "one            good   1 of 2\n                      all is well\ntwo"));
    CHECK(strstr(text, "lacks  slow\n                      it is slow\n                      "
                       "try: faster\n"));
    CHECK(strstr(text, "1 good, 1 lacking, 1 failing\n"));
}

TEST(json_says_the_same)
{
    Findings findings = made();

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    Json *json = findings_to_json(&findings);
    const Json *list = json_get(json, "findings");
    CHECK(json_count(list) == 3);
    CHECK(view_is(json_get_text(json_get(json_at(list, 0), "value")), "1 of 2"));
    CHECK(json_is_null(json_get(json_at(list, 0), "advice")));
    CHECK(view_is(json_get_text(json_get(json_at(list, 1), "state")), "lacks"));
    CHECK(view_is(json_get_text(json_get(json_at(list, 2), "advice")), "repair"));
    CHECK(json_get_i64(json_get(json, "fails"), 0) == 1);
    json_free(json);
}

TEST(a_long_value_is_cut)
{
    Findings findings = {0};
    char text[2 * FINDING_TEXT_BYTES];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    findings_add(&findings, "long", FINDING_GOOD, "", NULL, "%s", text);
    CHECK(strlen(findings.list[0].value) == FINDING_TEXT_BYTES - 1);
}

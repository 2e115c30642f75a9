/* cli/verb - the names of verbs, and what a misspelt one meant. */
#include "harness.h"

#include "cli/verb.h"

TEST(verbs_are_found_by_their_names)
{
    for (size_t i = 0; i < VERBS; i++) {
        Verb verb = VERBS;
        const VerbRow *row = verb_row((Verb)i);

        CHECK_CASE(row->name, verb_find(row->name, &verb));
        CHECK_CASE(row->name, verb == (Verb)i);
        CHECK_CASE(row->name, !verb_is_planned(row->name));
        CHECK_CASE(row->name, row->n_arguments_min <= row->n_arguments_max);
    }
}

TEST(unknown_and_planned_verbs_are_told_apart)
{
    Verb verb = VERBS;

    CHECK(!verb_find("serve", &verb));
    CHECK(verb_is_planned("serve"));
    CHECK(!verb_find("Run", &verb));
    CHECK(!verb_find("", &verb));
    CHECK(!verb_is_planned(""));
    CHECK(verb == VERBS);
}

TEST(a_slip_finds_the_verb_that_was_meant)
{
    static const struct {
        const char *word, *want; // NULL: none is near
    } cases[] = {
        {"rum", "run"},
        {"inspekt", "inspect"},
        {"tokenise", "tokenize"},
        {"preplexity", "perplexity"},
        {"quantize", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *got = verb_nearest(cases[i].word);
        CHECK_CASE(cases[i].word, (got == NULL) == (cases[i].want == NULL));
        if (got && cases[i].want) CHECK_CASE(cases[i].word, strcmp(got, cases[i].want) == 0);
    }
}

TEST(edit_distance_counts_single_characters)
{
    char long_word[200];

    memset(long_word, 'a', sizeof long_word);
    long_word[sizeof long_word - 1] = '\0';
    CHECK(verb_edit_distance("", "") == 0);
    CHECK(verb_edit_distance("abc", "") == 3);
    CHECK(verb_edit_distance("", "abc") == 3);
    CHECK(verb_edit_distance("kitten", "sitting") == 3);
    CHECK(verb_edit_distance("run", "run") == 0);
    CHECK(verb_edit_distance(long_word, long_word) == 0);
    CHECK(verb_edit_distance(long_word, "") == 64); // no more is looked at
}

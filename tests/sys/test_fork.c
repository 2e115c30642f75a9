/* tests/sys/test_fork.c - a child process that answers, fails, or dies */
#include "sys/fork.h"

#include <signal.h>

#include "harness.h"

/* Sends back twice what it is sent, until nothing comes. */
static int doubles(void *context, Talk *talk)
{
    int number, *n_answers = context;

    while (talk_receive(talk, &number, sizeof number)) {
        number *= 2;
        if (!talk_send(talk, &number, sizeof number)) return 9;
        ++*n_answers;
    }
    return *n_answers;
}

static int dies(void *context, Talk *talk)
{
    (void)context;
    (void)talk;
    return raise(SIGKILL);
}

TEST(a_child_answers_until_its_parent_has_no_more_to_say)
{
    Child child;
    Error err = {0};
    int n_answers = 0, number = 21;

    CHECK(child_start(&child, doubles, &n_answers, &err));
    for (int i = 0; i < 3; i++) {
        CHECK(talk_send(&child.talk, &number, sizeof number));
        CHECK(talk_receive(&child.talk, &number, sizeof number));
    }
    CHECK(number == 21 * 8);
    CHECK(child_end(&child) == 3);
    CHECK(n_answers == 0); // the child counted in memory of its own
    CHECK(child_end(&child) == 0);
}

TEST(a_child_that_dies_is_silence_and_a_status)
{
    Child child;
    Error err = {0};
    int number = 0;

    CHECK(child_start(&child, dies, NULL, &err));
    CHECK(!talk_receive(&child.talk, &number, sizeof number));
    CHECK(child_end(&child) == 128 + SIGKILL);
}

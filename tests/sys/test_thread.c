/* tests/sys/test_thread.c - threads of our own (sys/thread.h) */
#include "sys/thread.h"

#include <signal.h>

#include "harness.h"

static void *look_at_mask(void *argument)
{
    return pthread_sigmask(SIG_SETMASK, NULL, argument) == 0 ? argument : NULL;
}

TEST(thread_takes_no_signals_and_leaves_ours_alone)
{
    pthread_t thread;
    sigset_t before, of_thread, after;
    void *result = NULL;
    Error err = {0};

    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK(thread_start(&thread, look_at_mask, &of_thread, 256 << 10, &err));
    CHECK(pthread_join(thread, &result) == 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    CHECK(result == &of_thread);
    CHECK(sigismember(&of_thread, SIGINT) == 1);
    CHECK(sigismember(&of_thread, SIGTERM) == 1);
    CHECK(sigismember(&before, SIGINT) == sigismember(&after, SIGINT));
}

TEST(thread_with_an_impossible_stack_is_an_error)
{
    pthread_t thread;
    Error err = {0};

    CHECK(!thread_start(&thread, look_at_mask, NULL, 1, &err));
    CHECK_ERROR(err, ERROR_THREAD);
}

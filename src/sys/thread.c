/* One way to start a thread, for the worker pool and the reading threads. */
#include "sys/thread.h"

#include <signal.h>
#include <string.h>

bool thread_start(
    pthread_t *thread, ThreadMain *main, void *argument, size_t stack_bytes, Error *err)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    int failed = pthread_attr_init(&attributes);
    if (failed == 0) {
        failed = pthread_attr_setstacksize(&attributes, stack_bytes);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before); // a new thread inherits the mask
        if (failed == 0) failed = pthread_create(thread, &attributes, main, argument);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    if (failed == 0) return true;
    return error_set(err, ERROR_THREAD, "cannot start a thread: %s", strerror(failed));
}

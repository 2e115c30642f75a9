/* Threads of our own: small stacks, and no part in the program's signals. */
#ifndef HYPURA_SYS_THREAD_H
#define HYPURA_SYS_THREAD_H

#include <pthread.h>

#include "base/error.h"

typedef void *ThreadMain(void *argument);

/* Starts a joinable thread with all signals blocked: they are for the threads of the
 * program around us. `stack_bytes` at least 128 KiB. On failure THREAD says why. */
CHECKED bool thread_start(
    pthread_t *thread, ThreadMain *main, void *argument, size_t stack_bytes, Error *err);

#endif

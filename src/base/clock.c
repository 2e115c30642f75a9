/* The monotonic clock: never set back, not stopped by a change of date. */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

uint64_t clock_now_ns(void)
{
    struct timespec now = {0};
    int status = clock_gettime(CLOCK_MONOTONIC, &now);

    assert(status == 0); // fails for an unknown clock or a bad pointer only
    (void)status;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

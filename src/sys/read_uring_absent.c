/* Stands in for read_uring.c in builds without liburing: refuses as an old kernel would,
 * so that reads go to threads by the same way and with the same line on stderr. */
#include <errno.h>

#include "sys/internal.h"

static void *uring_create(const ReadPlan *plan, int *refusal, Error *err)
{
    (void)plan;
    *refusal = ENOSYS;
    error_set(err, ERROR_RING, "io_uring: this build was made without liburing");
    return NULL;
}

const ReadBackendTable read_uring = {.name = "uring", .create = uring_create};

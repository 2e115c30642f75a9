/* Parts and interruptions of write(2), once for all who write results. */
#include "sys/write.h"

#include <errno.h>
#include <unistd.h>

bool write_all(int fd, const void *data, uint64_t n_bytes)
{
    const uint8_t *rest = data;

    while (n_bytes > 0) {
        ssize_t n = write(fd, rest, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC; // a file takes at least a byte, or has no room
        if (n <= 0) return false;
        rest += n;
        n_bytes -= (uint64_t)n;
    }
    return true;
}

/* One line a reason, so that the mover decides and does not phrase. */
#include "store/failure.h"

#include <inttypes.h>
#include <string.h>

bool failure_say(int32_t failure, const File *file, uint64_t offset_bytes, Error *err)
{
    const char *path = file->path;

    switch (failure) {
    case FAILURE_ENDED:
        return error_set(err, ERROR_FILE_CHANGED,
            "%s: ends at byte %" PRIu64 " or before, not at %" PRIu64, path, offset_bytes,
            file->n_bytes);
    case FAILURE_SHORT:
        return error_set(
            err, ERROR_READ, "%s: byte %" PRIu64 ": can be read only in part", path, offset_bytes);
    case FAILURE_TOO_MUCH:
        return error_set(err, ERROR_READ, "%s: byte %" PRIu64 ": more was read than asked for",
            path, offset_bytes);
    case FAILURE_DAMAGED:
        return error_set(err, ERROR_DAMAGED,
            "%s: byte %" PRIu64 ": the bytes from here on differ from their checksums", path,
            offset_bytes);
    default:
        return error_set(err, ERROR_READ, "%s: byte %" PRIu64 ": %s (errno %d)", path, offset_bytes,
            strerror(failure), failure);
    }
}

/* Linux's calls for files that are written once and should not push other things out of
 * memory. O_DIRECT goes through fcntl, so that a file system that refuses it is noticed
 * at the first write at the latest, and the same descriptor goes on without; then each
 * unit is sent to the drive and dropped from the cache before the next. */
#include "cli/synth_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/size.h"
#include "cli/report.h"

static bool fail(const char *what, Error *err)
{
    return error_set(
        err, report_write_error_id(errno, ERROR_WRITE), "%s: %s", what, strerror(errno));
}

bool synth_file_begin(int fd, uint64_t n_bytes, Error *err)
{
    struct statvfs status;
    char wanted[24], free_bytes[24];

    if (fstatvfs(fd, &status) != 0) return fail("file system", err);
    uint64_t n_free = (uint64_t)status.f_bavail * status.f_frsize;
    if (n_free < n_bytes)
        return error_set(err, ERROR_DISK_FULL, "%s are needed, %s are free",
            size_format(n_bytes, wanted), size_format(n_free, free_bytes));
    uint64_t whole_bytes = size_align_up(n_bytes, SYNTH_FILE_ALIGNMENT);
    if (fallocate(fd, 0, 0, (off_t)whole_bytes) != 0 && errno == ENOSPC)
        return fail("reserving space", err);
    int flags = fcntl(fd, F_GETFL);
    if (flags != -1) fcntl(fd, F_SETFL, flags | O_DIRECT); // refused: buffered
    return true;
}

/* One write; a file system that takes no direct ones is asked once more without. */
static ssize_t write_some(int fd, const uint8_t *data, uint64_t n_bytes, uint64_t offset_bytes)
{
    ssize_t n = pwrite(fd, data, n_bytes, (off_t)offset_bytes);
    int flags = n < 0 && errno == EINVAL ? fcntl(fd, F_GETFL) : -1;

    if (flags == -1 || !(flags & O_DIRECT)) return n;
    fcntl(fd, F_SETFL, flags & ~O_DIRECT);
    return pwrite(fd, data, n_bytes, (off_t)offset_bytes);
}

bool synth_file_write(
    int fd, uint64_t offset_bytes, const uint8_t *data, uint64_t n_bytes, Error *err)
{
    for (uint64_t done = 0; done < n_bytes;) {
        ssize_t n = write_some(fd, data + done, n_bytes - done, offset_bytes + done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("write", err);
        done += (uint64_t)n;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags != -1 && (flags & O_DIRECT)) return true;
    // What can't be sent or dropped now is at the end: these two only save memory.
    sync_file_range(fd, (off_t)offset_bytes, (off_t)n_bytes,
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    posix_fadvise(fd, (off_t)offset_bytes, (off_t)n_bytes, POSIX_FADV_DONTNEED);
    return true;
}

bool synth_file_end(int fd, uint64_t n_bytes, Error *err)
{
    if (ftruncate(fd, (off_t)n_bytes) != 0) return fail("ftruncate", err);
    if (fsync(fd) != 0) return fail("fsync", err);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return true;
}

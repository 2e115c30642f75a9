/* Regular files, opened once and never written. What was seen at open (size, inode, time of
 * modification) is what later reads are held to: a model that changes under a run must stop it,
 * not bend its results. The time of change is not looked at: it moves also when a file gets
 * another name or loses one, which harms nobody who has it open. Reads for headers and tests go
 * through here; weights go through sys/read.h. */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/size.h"
#include "sys/internal.h"

static uint64_t modified_ns_of(const struct stat *st)
{
    // Wraps for years far away; only ever compared for equality.
    return (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec;
}

static bool take_status(File *file, Error *err)
{
    struct stat st;

    if (fstat(file->fd, &st) != 0)
        return error_set(err, ERROR_FILE_OPEN, "cannot look at it: %s", strerror(errno));
    if (!S_ISREG(st.st_mode)) {
        const char *kind = S_ISDIR(st.st_mode) ? "a folder" : "not a regular file";
        return error_set(err, ERROR_FORMAT_NOT_A_FILE, "this is %s", kind);
    }
    file->n_bytes = (uint64_t)st.st_size; // never negative for a regular file
    file->device = st.st_dev;
    file->inode = st.st_ino;
    file->modified_ns = modified_ns_of(&st);
    return true;
}

int file_open_untouched(const char *path, int flags)
{
    int fd = open(path, flags | O_NOATIME);
    return fd >= 0 || errno != EPERM ? fd : open(path, flags);
}

ErrorId file_open_error(int error)
{
    return error == EMFILE || error == ENFILE ? ERROR_FILE_LIMIT : ERROR_FILE_OPEN;
}

bool file_open(File *file, const char *path, Error *err)
{
    File opened = {0};

    // O_NONBLOCK: opening a FIFO without a writer would wait for one.
    opened.fd = file_open_untouched(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (opened.fd < 0)
        return error_set(err, file_open_error(errno), "%s: cannot open: %s", path, strerror(errno));
    if (!take_status(&opened, err)) {
        error_at(err, "%s", path);
        goto fail;
    }
    opened.path = mem_copy_text(MEM_OTHER, view_of(path), err);
    if (!opened.path) goto fail;

    // A regular file never blocks in that sense; O_NOATIME has to stay.
    (void)fcntl(opened.fd, F_SETFL, fcntl(opened.fd, F_GETFL) & ~O_NONBLOCK);
    // Read-ahead would fetch what nobody asked for, and file_read_at could not drop it.
    (void)posix_fadvise(opened.fd, 0, 0, POSIX_FADV_RANDOM);
    *file = opened;
    return true;

fail:
    close(opened.fd);
    return false;
}

void file_close(File *file)
{
    if (!file->path) return;
    close(file->fd);
    mem_free(MEM_OTHER, file->path);
    *file = (File){0};
}

void file_drop_cached(int fd, uint64_t offset_bytes, uint64_t n_bytes)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t begin = size_align_down(offset_bytes, page_bytes);
    uint64_t end = size_align_up(offset_bytes + n_bytes, page_bytes);

    (void)posix_fadvise(fd, (off_t)begin, (off_t)(end - begin), POSIX_FADV_DONTNEED);
}

static bool read_all(
    const File *file, uint64_t offset_bytes, uint8_t *out, uint64_t n_bytes, Error *err)
{
    uint64_t n_done = 0;

    while (n_done < n_bytes) {
        // Linux reads at most 2 GiB in one call and reports that as a short read.
        uint64_t place = offset_bytes + n_done;
        ssize_t n = pread(file->fd, out + n_done, (size_t)(n_bytes - n_done), (off_t)place);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return error_set(err, ERROR_READ, "%s: cannot read at byte %" PRIu64 ": %s", file->path,
                place, strerror(errno));
        if (n == 0)
            return error_set(err, ERROR_FILE_CHANGED,
                "%s: ends at byte %" PRIu64 ", it had %" PRIu64 " when it was opened", file->path,
                place, file->n_bytes);
        n_done += (uint64_t)n; // n is positive
    }
    return true;
}

bool file_read_at(const File *file, uint64_t offset_bytes, void *data, uint64_t n_bytes, Error *err)
{
    uint64_t end;

    if (!size_add(offset_bytes, n_bytes, &end) || end > file->n_bytes)
        return error_set(err, ERROR_FORMAT_TRUNCATED,
            "%s: %" PRIu64 " bytes wanted at byte %" PRIu64 ", the file ends at %" PRIu64,
            file->path, n_bytes, offset_bytes, file->n_bytes);
    if (n_bytes == 0) return true;
    if (fault_hits(FAULT_READ))
        return error_set(err, ERROR_READ, "%s: cannot read at byte %" PRIu64 ": fault on purpose",
            file->path, offset_bytes);

    bool ok = read_all(file, offset_bytes, data, n_bytes, err);
    file_drop_cached(file->fd, offset_bytes, n_bytes);
    return ok;
}

bool file_check_unchanged(const File *file, Error *err)
{
    struct stat st;

    if (fstat(file->fd, &st) != 0)
        return error_set(err, ERROR_READ, "%s: cannot look at it: %s", file->path, strerror(errno));
    if (st.st_dev != file->device || st.st_ino != file->inode)
        return error_set(err, ERROR_FILE_CHANGED, "%s: is another file now", file->path);
    if ((uint64_t)st.st_size != file->n_bytes)
        return error_set(err, ERROR_FILE_CHANGED,
            "%s: has %" PRIu64 " bytes, it had %" PRIu64 " when it was opened", file->path,
            (uint64_t)st.st_size, file->n_bytes);
    if (modified_ns_of(&st) != file->modified_ns)
        return error_set(
            err, ERROR_FILE_CHANGED, "%s: was changed after it was opened", file->path);
    return true;
}

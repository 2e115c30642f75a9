/* Regular files, opened once and never written. What was seen at open (size, inode, time of
 * modification) is what later reads are held to: a model that changes under a run must stop it,
 * not bend its results. The time of change is not looked at: it moves also when a file gets
 * another name or loses one, which harms nobody who has it open. Reads for headers and tests go
 * through here; weights go through sys/read.h. */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/size.h"
#include "sys/internal.h"

#define DIRECT_BYTES_MAX ((uint64_t)1 << 20) // of one read past the page cache

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

int file_open_direct(const File *file)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_DIRECT;
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
    int fd = file_open_untouched(path, flags);
    return fd >= 0 || errno != ENOENT ? fd : file_open_untouched(file->path, flags);
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

static bool fail_read(const File *file, uint64_t place, Error *err)
{
    return error_set(err, ERROR_READ, "%s: cannot read at byte %" PRIu64 ": %s", file->path, place,
        strerror(errno));
}

static bool fail_at_end(const File *file, uint64_t place, Error *err)
{
    return error_set(err, ERROR_FILE_CHANGED,
        "%s: ends at byte %" PRIu64 ", it had %" PRIu64 " when it was opened", file->path, place,
        file->n_bytes);
}

static bool read_cached(
    const File *file, uint64_t offset_bytes, uint8_t *out, uint64_t n_bytes, Error *err)
{
    uint64_t n_done = 0;

    while (n_done < n_bytes) {
        // Linux reads at most 2 GiB in one call and reports that as a short read.
        uint64_t place = offset_bytes + n_done;
        ssize_t n = pread(file->fd, out + n_done, (size_t)(n_bytes - n_done), (off_t)place);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_read(file, place, err);
        if (n == 0) return fail_at_end(file, place, err);
        n_done += (uint64_t)n; // n is positive
    }
    return true;
}

/* Bytes of the file by way of aligned memory. */
typedef struct DirectRead {
    const File *file;
    int fd;
    uint64_t alignment;
    Pages room;
} DirectRead;

/* *is_refused: the file system has no direct reads after all, and `out` holds nothing yet. */
static bool read_direct(const DirectRead *direct, uint64_t offset_bytes, uint8_t *out,
    uint64_t n_bytes, bool *is_refused, Error *err)
{
    uint64_t end = size_align_up(offset_bytes + n_bytes, direct->alignment);
    uint64_t n_done = 0;

    while (n_done < n_bytes) {
        uint64_t place = offset_bytes + n_done;
        uint64_t begin = size_align_down(place, direct->alignment);
        uint64_t skipped = place - begin;
        uint64_t wanted = end - begin < direct->room.n_bytes ? end - begin : direct->room.n_bytes;
        ssize_t n = pread(direct->fd, direct->room.data, (size_t)wanted, (off_t)begin);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            *is_refused = n_done == 0 && (errno == EINVAL || errno == EOPNOTSUPP);
            return fail_read(direct->file, place, err);
        }
        if ((uint64_t)n <= skipped) return fail_at_end(direct->file, begin + (uint64_t)n, err);
        uint64_t n_taken = (uint64_t)n - skipped;
        if (n_taken > n_bytes - n_done) n_taken = n_bytes - n_done;
        memcpy(out + n_done, direct->room.data + skipped, (size_t)n_taken);
        n_done += n_taken;
    }
    return true;
}

static bool read_past_cache(const File *file, uint64_t offset_bytes, uint8_t *out, uint64_t n_bytes,
    bool *is_refused, Error *err)
{
    File opened = *file; // for file_check_unchanged, with another descriptor
    DirectRead direct = {.file = file};
    bool ok = false;

    opened.fd = direct.fd = file_open_direct(file);
    *is_refused = direct.fd < 0;
    if (*is_refused) return false;
    *is_refused = !file_check_unchanged(&opened, NULL); // opened by its path: another file
    if (*is_refused) goto out;

    // A multiple of the page, so that memory is aligned and what is fetched depends on nothing
    // else.
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t alignment = reader_probe_alignment(file, 1, DIRECT_AUTO);
    direct.alignment = alignment > page_bytes ? alignment : page_bytes;
    uint64_t room_bytes = size_align_up(offset_bytes + n_bytes, direct.alignment)
                          - size_align_down(offset_bytes, direct.alignment);
    if (room_bytes > DIRECT_BYTES_MAX) room_bytes = DIRECT_BYTES_MAX;
    if (!pages_map(&direct.room, MEM_OTHER, room_bytes, PAGES_ON_DEMAND, err)) goto out;
    ok = read_direct(&direct, offset_bytes, out, n_bytes, is_refused, err);

out:
    pages_unmap(&direct.room, MEM_OTHER);
    close(direct.fd);
    return ok;
}

bool file_read_at(const File *file, uint64_t offset_bytes, void *data, uint64_t n_bytes, Error *err)
{
    bool is_refused = false;
    uint64_t end;

    if (!size_add(offset_bytes, n_bytes, &end) || end > file->n_bytes)
        return error_set(err, ERROR_FORMAT_TRUNCATED,
            "%s: %" PRIu64 " bytes wanted at byte %" PRIu64 ", the file ends at %" PRIu64,
            file->path, n_bytes, offset_bytes, file->n_bytes);
    if (n_bytes == 0) return true;
    if (fault_hits(FAULT_READ))
        return error_set(err, ERROR_READ, "%s: cannot read at byte %" PRIu64 ": fault on purpose",
            file->path, offset_bytes);

    Error failure = {0};
    if (read_past_cache(file, offset_bytes, data, n_bytes, &is_refused, &failure)) return true;
    if (!is_refused) return error_set(err, failure.id, "%s", failure.message);
    bool ok = read_cached(file, offset_bytes, data, n_bytes, err);
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

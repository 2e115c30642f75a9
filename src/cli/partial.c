/* Between creation and rename the file has a name of its own, so that nobody takes half a
 * result for a whole one. The lock keeps two programs with one goal apart; it ends with
 * the process, so a file left behind by a power cut is simply taken over. */
#include "cli/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/interrupt.h"

static bool lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_SETLK, &whole) == 0;
}

/* What we left behind is empty or begins like a model; anything else is somebody's own. And it
 * still has its name: another program may have finished and renamed it before the lock was ours. */
static bool is_left_over(int fd, const char *path)
{
    struct stat ours, named;
    char magic[4];

    if (fstat(fd, &ours) != 0 || stat(path, &named) != 0) return false;
    if (ours.st_dev != named.st_dev || ours.st_ino != named.st_ino) return false;
    ssize_t n = pread(fd, magic, sizeof magic, 0);
    return n == 0
           || (n == 4 && (memcmp(magic, "GGUF", 4) == 0 || memcmp(magic, "\0\0\0\0", 4) == 0));
}

bool partial_open(Partial *partial, const char *path, Error *err)
{
    struct stat status;

    *partial = (Partial){.fd = -1};
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return error_set(err, ERROR_USAGE, "%s: not a regular file", path);
    size_t n_bytes = strlen(path) + sizeof ".partial";
    partial->path = mem_copy_text(MEM_OTHER, view_of(path), err);
    partial->partial_path = mem_alloc(MEM_OTHER, n_bytes, err);
    if (!partial->path || !partial->partial_path) goto fail;
    snprintf(partial->partial_path, n_bytes, "%s.partial", path);

    partial->fd = open(partial->partial_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (partial->fd < 0) {
        error_set(err, ERROR_WRITE, "%s: %s", partial->partial_path, strerror(errno));
        goto fail;
    }
    if (!lock(partial->fd)) {
        error_set(err, ERROR_WRITE, "%s: another program is writing it", partial->partial_path);
        close(partial->fd); // and leave the other's file alone
        partial->fd = -1;
        goto fail;
    }
    if (!is_left_over(partial->fd, partial->partial_path)) {
        error_set(err, ERROR_USAGE, "%s: is in the way, and not a result left unfinished",
            partial->partial_path);
        close(partial->fd);
        partial->fd = -1;
        goto fail;
    }
    interrupt_remove_file(partial->partial_path);
    if (ftruncate(partial->fd, 0) == 0) return true;
    error_set(err, ERROR_WRITE, "%s: %s", partial->partial_path, strerror(errno));

fail:
    partial_destroy(partial);
    return false;
}

bool partial_commit(Partial *partial, Error *err)
{
    if (fsync(partial->fd) != 0)
        return error_set(err, errno == ENOSPC ? ERROR_DISK_FULL : ERROR_WRITE, "%s: %s",
            partial->partial_path, strerror(errno));
    if (rename(partial->partial_path, partial->path) != 0)
        return error_set(err, ERROR_WRITE, "%s: %s", partial->path, strerror(errno));
    interrupt_remove_file(NULL);
    close(partial->fd);
    partial->fd = -1;
    return true;
}

void partial_destroy(Partial *partial)
{
    if (partial->fd >= 0) {
        unlink(partial->partial_path);
        close(partial->fd);
    }
    interrupt_remove_file(NULL);
    mem_free(MEM_OTHER, partial->partial_path);
    mem_free(MEM_OTHER, partial->path);
    *partial = (Partial){.fd = -1};
}

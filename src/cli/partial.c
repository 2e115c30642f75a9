/* Between creation and rename the file has a name of its own, so that nobody takes half a
 * result for a whole one. It is only ever created: what has that name already is another
 * program's work, a download or a left-over of a power cut, and no look at its content can
 * tell these apart, so the user decides. */
#include "cli/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/interrupt.h"
#include "cli/report.h"

/* Does the name still belong to the file that we write? Who took ours for a left-over and
 * removed it may have another there. */
static bool is_ours(const Partial *partial)
{
    struct stat ours, named;

    return fstat(partial->fd, &ours) == 0 && lstat(partial->partial_path, &named) == 0
           && ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static bool fail(const char *path, Error *err)
{
    return error_set(
        err, report_write_error_id(errno, ERROR_WRITE), "%s: %s", path, strerror(errno));
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
    if (!partial->path || !partial->partial_path) goto failed;
    snprintf(partial->partial_path, n_bytes, "%s.partial", path);

    partial->fd = open(partial->partial_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (partial->fd >= 0) {
        interrupt_remove_file(partial->partial_path);
        return true;
    }
    if (errno == EEXIST)
        error_set(err, ERROR_USAGE, "%s is in the way: remove it if no program is writing it",
            partial->partial_path);
    else
        fail(partial->partial_path, err);

failed:
    partial_destroy(partial);
    return false;
}

bool partial_commit(Partial *partial, Error *err)
{
    if (fsync(partial->fd) != 0) return fail(partial->partial_path, err);
    if (!is_ours(partial))
        return error_set(err, ERROR_WRITE, "%s: is no longer ours", partial->partial_path);
    if (rename(partial->partial_path, partial->path) != 0) return fail(partial->path, err);
    interrupt_remove_file(NULL);
    close(partial->fd);
    partial->fd = -1;
    return true;
}

void partial_destroy(Partial *partial)
{
    if (partial->fd >= 0) {
        if (is_ours(partial)) unlink(partial->partial_path);
        close(partial->fd);
    }
    interrupt_remove_file(NULL);
    mem_free(MEM_OTHER, partial->partial_path);
    mem_free(MEM_OTHER, partial->path);
    *partial = (Partial){.fd = -1};
}

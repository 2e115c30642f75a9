/* Regular files, opened read-only and looked at once. */
#ifndef HYPURA_SYS_FILE_H
#define HYPURA_SYS_FILE_H

#include "base/error.h"

typedef enum DirectMode { DIRECT_AUTO, DIRECT_ON, DIRECT_OFF } DirectMode;

/* Owned by whoever opened it; file_close accepts a zeroed one with fd 0 only if path is NULL. */
typedef struct File {
    char *path; // owned copy, for messages
    int fd;     // buffered, O_RDONLY | O_CLOEXEC
    uint64_t n_bytes;
    uint64_t device, inode;
    uint64_t modified_ns; // compared by file_check_unchanged
} File;

/* FILE_OPEN: it can't be opened. FILE_LIMIT: too many are. FORMAT_NOT_A_FILE: it is a folder, a
 * FIFO, a device; one that would block is not waited for. On failure `file` is unchanged. */
CHECKED bool file_open(File *file, const char *path, Error *err);
void file_close(File *file);

/* Exactly n_bytes at offset; retries EINTR and short reads. Past the page cache, so that each
 * page touched is fetched from the drive, whatever is cached, and what others have cached
 * stays. Where direct reads are refused, through the cache, and the pages are dropped. Never
 * past the size seen at open (FORMAT_TRUNCATED). READ: the drive failed; FILE_CHANGED: the
 * file ends early now; OUT_OF_MEMORY: for up to 1 MiB of aligned memory. Fault point
 * FAULT_READ. */
CHECKED bool file_read_at(
    const File *file, uint64_t offset_bytes, void *data, uint64_t n_bytes, Error *err);

/* FILE_CHANGED when size, inode or time of modification differ from those seen at open: all
 * that writing moves. Renaming, linking and removing the file change nothing. About 1 us. */
CHECKED bool file_check_unchanged(const File *file, Error *err);

#endif

/* Files that are large enough to time a drive with, found below a folder. */
#ifndef HYPURA_SYS_LARGE_FILES_H
#define HYPURA_SYS_LARGE_FILES_H

#include "sys/file.h"

#define LARGE_FILES_MAX      16
#define LARGE_FILE_BYTES_MIN ((uint64_t)16 << 20)

typedef struct LargeFiles {
    File files[LARGE_FILES_MAX];
    uint32_t n_files;
    uint64_t n_bytes; // of all
} LargeFiles;

/* Opens the largest regular files that may be read: `path` itself, or what lies below it on the
 * same file system, four folders deep, 20,000 names and two seconds at most. None is no failure.
 * FILE_OPEN: `path` can't be looked at. Ended by large_files_close. */
CHECKED bool large_files_open(LargeFiles *large, const char *path, Error *err);

/* A zeroed or half-filled one is fine. */
void large_files_close(LargeFiles *large);

#endif

/* Which bytes of a file really lie on the drive. A hole, or space that was reserved and never
 * written, reads as zeros without touching it, and packed data comes from fewer bytes than it has:
 * whoever times a drive leaves them out. */
#ifndef HYPURA_SYS_EXTENTS_H
#define HYPURA_SYS_EXTENTS_H

#include "sys/file.h"

typedef struct FileExtent {
    uint32_t file; // index into the caller's files
    uint64_t offset_bytes, n_bytes;
} FileExtent;

/* The written ranges, ascending and apart, at most n_max of them; the rest is left out. `out` gets
 * `file` as given. A file system that can't tell gives the whole file as one. OUT_OF_MEMORY. */
CHECKED bool extents_find(
    const File *opened, uint32_t file, FileExtent *out, uint32_t n_max, uint32_t *n, Error *err);

#endif

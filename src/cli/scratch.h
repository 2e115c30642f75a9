/* A file to time a drive with where there is none: random bytes, on the drive, in no cache. */
#ifndef HYPURA_CLI_SCRATCH_H
#define HYPURA_CLI_SCRATCH_H

#include "cli/partial.h"

/* Writes n_bytes (rounded up to 4 MiB) into `folder`, as a file that a second interrupt removes;
 * scratch_remove ends it. INTERRUPTED, WRITE, DISK_FULL, USAGE: one is there already. After a
 * failure nothing is left. */
CHECKED bool scratch_write(Partial *scratch, const char *folder, uint64_t n_bytes, Error *err);

void scratch_remove(Partial *scratch);

#endif

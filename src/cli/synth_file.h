/* Large files written past the page cache. */
#ifndef HYPURA_CLI_SYNTH_FILE_H
#define HYPURA_CLI_SYNTH_FILE_H

#include "base/error.h"

#define SYNTH_FILE_ALIGNMENT 4096u

/* Refuses with DISK_FULL, naming both numbers, when the file system has not n_bytes free;
 * reserves them where it can; and asks for direct writes where it can. `fd` is empty. */
CHECKED bool synth_file_begin(int fd, uint64_t n_bytes, Error *err);

/* Writes whole aligned units of aligned memory, and leaves none of it in the page cache.
 * Any number of threads, each at its own offset. */
CHECKED bool synth_file_write(
    int fd, uint64_t offset_bytes, const uint8_t *data, uint64_t n_bytes, Error *err);

/* Cuts the file to its true end and waits until the drive has it. */
CHECKED bool synth_file_end(int fd, uint64_t n_bytes, Error *err);

#endif

/* All of some bytes into a descriptor: one call of the kernel may take only a part. */
#ifndef HYPURA_SYS_WRITE_H
#define HYPURA_SYS_WRITE_H

#include <stdbool.h>
#include <stdint.h>

/* false: errno says why; some of it may be written. */
bool write_all(int fd, const void *data, uint64_t n_bytes);

#endif

/* Small texts that the kernel writes: files of /proc, /sys and control groups. */
#ifndef HYPURA_SYS_KERNEL_TEXT_H
#define HYPURA_SYS_KERNEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads at most room - 1 bytes of a file into `out` and ends them with NUL. False: there
 * is no such file, or it can't be read; `out` is then empty. */
bool kernel_text_read(const char *path, char *out, size_t room);

/* The same of a file that is open, from its begin; the kernel writes it anew for each reading. */
bool kernel_text_read_again(int fd, char *out, size_t room);

/* A file that holds one number. False (out unchanged): absent, or not a number. */
bool kernel_text_number(const char *path, uint64_t *out);

/* The number after `key` where a line of `text` begins with it ("VmHWM:\t  12 kB").
 * False (out unchanged): no line does. */
bool kernel_text_field(const char *text, const char *key, uint64_t *out);

#endif

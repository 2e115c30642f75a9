/* Reading what the kernel says about itself. Absence is an answer here, not an error: a
 * container may have no /proc, and each caller has a word for "unknown". */
#include "sys/kernel_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool kernel_text_read_again(int fd, char *out, size_t room)
{
    size_t n_bytes = 0;

    out[0] = '\0';
    if (fd < 0) return false;
    while (n_bytes < room - 1) {
        ssize_t n = pread(fd, out + n_bytes, room - 1 - n_bytes, (off_t)n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        n_bytes += (size_t)n; // n is positive
    }
    out[n_bytes] = '\0';
    return n_bytes > 0;
}

bool kernel_text_read(const char *path, char *out, size_t room)
{
    out[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool is_read = kernel_text_read_again(fd, out, room);
    close(fd);
    return is_read;
}

/* A decimal number after blanks; strtoull alone would take "-1" and wrap it. */
static bool parse_number(const char *text, uint64_t *out)
{
    char *end;

    text += strspn(text, " \t");
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0) return false;
    *out = value;
    return true;
}

bool kernel_text_number(const char *path, uint64_t *out)
{
    char text[64];

    return kernel_text_read(path, text, sizeof(text)) && parse_number(text, out);
}

bool kernel_text_field(const char *text, const char *key, uint64_t *out)
{
    size_t key_bytes = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, key, key_bytes) == 0) return parse_number(line + key_bytes, out);
    }
    return false;
}

/* tests/sys/test_write.c - parts, interruptions and full files */
#include "sys/write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define N_BYTES (300u << 10) // more than a pipe holds: it is taken in parts

static uint8_t data[N_BYTES];

/* Reads a pipe to its end; 0: it held all of data. */
static int read_all(int fd)
{
    static uint8_t got[N_BYTES + 1];
    size_t n_got = 0;
    ssize_t n;

    while ((n = read(fd, got + n_got, sizeof got - n_got)) > 0) n_got += (size_t)n;
    return n_got == N_BYTES && memcmp(got, data, N_BYTES) == 0 ? 0 : 1;
}

TEST(what_is_taken_in_parts_is_written_whole)
{
    int ends[2], status = 0;

    for (uint32_t i = 0; i < N_BYTES; i++) data[i] = (uint8_t)(i * 2654435761u >> 24);
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t reader = fork();
    if (reader == 0) {
        close(ends[1]);
        _exit(read_all(ends[0]));
    }
    close(ends[0]);
    CHECK(write_all(ends[1], data, N_BYTES));
    close(ends[1]);
    CHECK(waitpid(reader, &status, 0) == reader);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(a_pipe_that_takes_a_part_and_no_more_fails)
{
    int ends[2];

    CHECK(pipe(ends) == 0);
    CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    CHECK(!write_all(ends[1], data, N_BYTES) && errno == EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

TEST(a_full_file_says_so)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK(!write_all(fd, data, 1) && errno == ENOSPC);
    CHECK(write_all(fd, data, 0));
    close(fd);
}

/* cli/synth_file - large files past the page cache, on file systems that allow it or not. */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "cli/synth_file.h"

#define N_BYTES 20000u

static _Alignas(SYNTH_FILE_ALIGNMENT) uint8_t data[5 * SYNTH_FILE_ALIGNMENT];

TEST(what_is_written_is_there_at_its_true_length)
{
    static const char *const folders[] = {"/dev/shm", NULL}; // in memory; and on a drive

    for (size_t f = 0; f < COUNT(folders); f++) {
        char path[256];
        static uint8_t got[N_BYTES];
        struct stat status;
        Error err = {0};

        snprintf(path, sizeof path, "%s/hypura-synth-%d",
            folders[f] ? folders[f] : harness_temporary_folder(), (int)getpid());
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
        if (fd < 0) TEST_SKIP("/dev/shm cannot be written");
        for (size_t i = 0; i < N_BYTES; i++) data[i] = (uint8_t)(i * 31 + (i >> 8));
        CHECK(synth_file_begin(fd, N_BYTES, &err));
        // The second half first: threads write in any order.
        CHECK(synth_file_write(fd, 8192, data + 8192, sizeof data - 8192, &err));
        CHECK(synth_file_write(fd, 0, data, 8192, &err));
        CHECK(synth_file_end(fd, N_BYTES, &err));
        CHECK(fstat(fd, &status) == 0 && status.st_size == N_BYTES);
        close(fd);
        fd = open(path, O_RDONLY); // buffered
        CHECK(read(fd, got, N_BYTES) == N_BYTES);
        CHECK_BITS(data, got, N_BYTES);
        close(fd);
        unlink(path);
    }
}

TEST(too_little_space_is_refused_with_both_numbers)
{
    char path[256];
    Error err = {0};
    struct stat status;

    snprintf(path, sizeof path, "%s/huge", harness_temporary_folder());
    int fd = open(path, O_RDWR | O_CREAT, 0666);
    CHECK(!synth_file_begin(fd, UINT64_C(1) << 60, &err));
    CHECK_ERROR(err, ERROR_DISK_FULL);
    CHECK(
        strstr(err.message, "1024.0 PiB are needed") || strstr(err.message, "1.0 EiB are needed"));
    CHECK(strstr(err.message, " are free"));
    CHECK(fstat(fd, &status) == 0 && status.st_size == 0);
    close(fd);
}

TEST(a_failing_drive_is_told)
{
    Error err = {0};
    int fd = open("/dev/full", O_RDWR);

    CHECK(fd >= 0);
    CHECK(!synth_file_write(fd, 0, data, SYNTH_FILE_ALIGNMENT, &err));
    CHECK_ERROR(err, ERROR_DISK_FULL);
    close(fd);
}

/* cli/partial - a result appears whole or not at all. */
#include "harness.h"

#include <fcntl.h>

#include "cli/partial.h"

static char path[256], partial_path[300];

static void choose_path(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", harness_temporary_folder(), name);
    snprintf(partial_path, sizeof partial_path, "%s.partial", path);
}

static bool exists(const char *name)
{
    return access(name, F_OK) == 0;
}

TEST(a_committed_file_has_its_name_and_content)
{
    Partial partial;
    Error err = {0};
    char got[4] = {0};

    choose_path("whole");
    CHECK(partial_open(&partial, path, &err));
    CHECK(write(partial.fd, "abc", 3) == 3);
    CHECK(exists(partial_path) && !exists(path));
    CHECK(partial_commit(&partial, &err));
    partial_destroy(&partial);
    CHECK(!exists(partial_path));
    int fd = open(path, O_RDONLY);
    CHECK(read(fd, got, 4) == 3 && memcmp(got, "abc", 3) == 0);
    close(fd);
}

TEST(what_is_not_committed_goes_away)
{
    Partial partial;
    Error err = {0};

    choose_path("half");
    CHECK(partial_open(&partial, path, &err));
    CHECK(write(partial.fd, "abc", 3) == 3);
    partial_destroy(&partial);
    partial_destroy(&partial); // harmless
    CHECK(!exists(partial_path) && !exists(path));
}

TEST(what_somebody_else_has_there_is_left_alone)
{
    Partial partial;
    Error err = {0};
    char got[16] = "";

    choose_path("theirs");
    int fd = open(partial_path, O_RDWR | O_CREAT, 0666);
    CHECK(fd >= 0 && write(fd, "GGUF, loading", 13) == 13);
    CHECK(!partial_open(&partial, path, &err));
    CHECK_ERROR(err, ERROR_USAGE);
    partial_destroy(&partial);
    CHECK(pread(fd, got, sizeof got, 0) == 13 && memcmp(got, "GGUF, loading", 13) == 0);
    CHECK(exists(partial_path));
    close(fd);
}

TEST(a_second_writer_is_refused_and_harms_nothing)
{
    Partial partial, second;
    Error err = {0};

    choose_path("shared");
    CHECK(partial_open(&partial, path, &err));
    CHECK(!partial_open(&second, path, &err));
    CHECK_ERROR(err, ERROR_USAGE);
    CHECK(strstr(err.message, partial_path));
    CHECK(partial_commit(&partial, &err));
    partial_destroy(&partial);
    CHECK(exists(path));
}

/* As when somebody takes it for a left-over, and another program has begun. */
TEST(a_file_that_took_the_name_is_left_alone)
{
    Partial partial;
    Error err = {0};

    choose_path("taken");
    CHECK(partial_open(&partial, path, &err));
    CHECK(unlink(partial_path) == 0);
    int fd = open(partial_path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    CHECK(fd >= 0);
    CHECK(!partial_commit(&partial, &err));
    CHECK_ERROR(err, ERROR_WRITE);
    partial_destroy(&partial);
    CHECK(exists(partial_path) && !exists(path));
    close(fd);
}

TEST(what_cannot_be_created_is_named)
{
    Partial partial;
    Error err = {0};

    CHECK(!partial_open(&partial, "/nonexistent/file", &err));
    CHECK_ERROR(err, ERROR_WRITE);
    CHECK(strstr(err.message, "/nonexistent/file"));
    CHECK(!partial_open(&partial, harness_temporary_folder(), &err));
    CHECK_ERROR(err, ERROR_USAGE);
    CHECK(!partial_open(&partial, "/dev/null", &err));
    CHECK_ERROR(err, ERROR_USAGE);
}

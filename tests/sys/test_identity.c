/* tests/sys/test_identity.c - names of drive, kernel and processor (sys/identity.h) */
#include "sys/identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "harness.h"
#include "sys/child.h"
#include "sys/sandbox.h"

/* Writes a file below the temporary folder, and the folders on the way. */
static void put(const char *path, const char *text)
{
    char full[512];
    int n = snprintf(full, sizeof(full), "%s", harness_temporary_folder());

    for (const char *at = path; *at; at++) {
        full[n++] = *at;
        full[n] = '\0';
        if (at[1] == '/') (void)mkdir(full, 0700);
    }
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_CASE(path, fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* A file of the made-up device that holds the temporary folder. */
static void put_device(const char *name, const char *text)
{
    char path[256];
    struct stat st;

    CHECK(stat(harness_temporary_folder(), &st) == 0);
    snprintf(
        path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(st.st_dev), minor(st.st_dev), name);
    put(path, text);
}

TEST(a_drive_has_name_model_size_and_file_system)
{
    const char *root = harness_temporary_folder();
    char name[IDENTITY_BYTES];
    Error err = {0};

    put_device("uevent", "MAJOR=259\nDEVNAME=nvme0n1\nDEVTYPE=disk\n");
    put_device("size", "1953525168\n");
    CHECK(identity_drive(root, root, name, &err));
    CHECK(strncmp(name, "nvme0n1 931.5 GiB ", 18) == 0);

    put_device("device/model", "  Fast SSD 990   \n");
    CHECK(identity_drive(root, root, name, &err));
    CHECK(strncmp(name, "nvme0n1 Fast SSD 990 931.5 GiB ", 31) == 0);
}

TEST(without_a_device_the_file_system_counts)
{
    char name[IDENTITY_BYTES], again[IDENTITY_BYTES];
    Error err = {0};

    CHECK(identity_drive("/nonexistent", harness_temporary_folder(), name, &err));
    CHECK(strlen(name) > 20);
    CHECK(identity_drive("/nonexistent", harness_temporary_folder(), again, &err));
    CHECK(strcmp(name, again) == 0);
}

TEST(no_such_path_is_named)
{
    char name[IDENTITY_BYTES];
    Error err = {0};

    CHECK(!identity_drive("", "/nonexistent", name, &err));
    CHECK_ERROR(err, ERROR_FILE_OPEN);
    CHECK(strstr(err.message, "/nonexistent"));
}

TEST(the_processor_has_its_family)
{
    char name[IDENTITY_BYTES];

    put("/proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: X\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: Y\n");
    identity_cpu(harness_temporary_folder(), name);
    CHECK(strstr(name, ", family 26 model 2"));
    identity_cpu("/nonexistent", name);
    CHECK(*name && !strstr(name, "family"));
}

TEST(the_kernel_has_its_release)
{
    char name[IDENTITY_BYTES];

    identity_kernel(name);
    CHECK(strncmp(name, "Linux ", 6) == 0 && strlen(name) > 6);
}

/* A run asks for what profile has kept of its drive when its rights are gone. */
static void name_the_drive_within(const void *argument)
{
    char before[IDENTITY_BYTES], within[IDENTITY_BYTES];
    SandboxReport report = {0};
    Error err = {0};

    CHECK(identity_drive("", argument, before, &err));
    CHECK(sandbox_enter(NULL, 0, &report, &err));
    CHECK_CASE(err.message, identity_drive("", argument, within, &err));
    CHECK(strcmp(before, within) == 0);
}

TEST(a_sandboxed_process_knows_its_drive)
{
    CHECK(child_status(name_the_drive_within, harness_temporary_folder()) == 0);
}

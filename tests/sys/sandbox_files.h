/* What a sandbox is tried on: a folder with a file in it and room for one that is not there. */
#ifndef HYPURA_TESTS_SYS_SANDBOX_FILES_H
#define HYPURA_TESTS_SYS_SANDBOX_FILES_H

#include <fcntl.h>

#include "sys/child.h"
#include "sys/sandbox.h"

static char folder[128];
static char existing[192], absent[192];
static uint8_t content[8192]; // of `existing`

static inline void make_files(void)
{
    snprintf(folder, sizeof(folder), "%s", harness_temporary_folder());
    snprintf(existing, sizeof(existing), "%s/existing", folder);
    snprintf(absent, sizeof(absent), "%s/absent", folder);
    int fd = open(existing, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    memset(content, 'x', sizeof(content));
    CHECK(fd >= 0 && write(fd, content, sizeof(content)) == sizeof(content));
    close(fd);
}

static inline SandboxReport enter(void)
{
    SandboxReport report = {0};
    Error err = {0};

    if (!CHECK(sandbox_enter(NULL, 0, &report, &err))) printf("  %s\n", err.message);
    return report;
}

/* 0 or more: it could be opened for writing, by the call that openat replaced. */
static inline long open_by_its_old_name(void)
{
#if defined(SYS_open)
    return syscall(SYS_open, existing, O_WRONLY);
#else
    return open(existing, O_WRONLY);
#endif
}

#endif

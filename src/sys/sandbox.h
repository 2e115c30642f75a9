/* Rights that the process gives up after its files are open. */
#ifndef HYPURA_SYS_SANDBOX_H
#define HYPURA_SYS_SANDBOX_H

#include "base/error.h"

typedef struct SandboxReport {
    bool no_new_privs;
    int landlock_abi; // 0: the kernel has none
    bool seccomp;
} SandboxReport;

/* Gives up, for all threads: gaining privileges; opening any file for writing or creating one except
 * beneath `write_paths` (may be NULL); exec, ptrace, sockets, new rings, and whatever else
 * streaming a model never needs. Threads created later inherit it. What the kernel lacks
 * is left out and shows in the report; only a half-applied filter is an error. */
CHECKED bool sandbox_enter(
    const char *const *write_paths, uint32_t n_write_paths, SandboxReport *report, Error *err);

#endif

/* Rights that the process gives up after its files are open. */
#ifndef HYPURA_SYS_SANDBOX_H
#define HYPURA_SYS_SANDBOX_H

#include "base/error.h"

typedef struct SandboxReport {
    bool no_new_privs;
    int landlock_abi; // 0: the kernel has none
    bool seccomp;     // false also in builds with sanitizers, which need more calls than we do
} SandboxReport;

/*
 * Gives up, for all threads: gaining privileges; opening any file for writing or creating one
 * except beneath `write_paths` (may be NULL); exec, ptrace, sockets, new rings, and whatever
 * else streaming a model never needs. Threads created later inherit it. Reading files,
 * memory, threads, signals to ourselves, and rings and files that are open stay.
 *
 * write_paths    folders or files that exist; only Landlock can tell them from others, and it
 *                binds the calling thread and those it starts later. So call this before
 *                threads are started wherever there are write paths.
 * n_write_paths  0: no thread at all opens a file for writing, whatever the kernel has
 *
 * What the kernel lacks is left out and shows in the report. SANDBOX: a write path can't be
 * opened, or a filter could not be applied to all threads.
 */
CHECKED bool sandbox_enter(
    const char *const *write_paths, uint32_t n_write_paths, SandboxReport *report, Error *err);

/* Can the kernel tell write paths from others? Where it cannot, sandbox_enter with any leaves
 * all of them writable. */
bool sandbox_tells_paths(void);

/* After sandbox_enter with write paths: gives up these too. Files that are open stay so. */
CHECKED bool sandbox_end_writing(SandboxReport *report, Error *err);

#endif

/* The order in which rights are given up: what a later step needs is still there. */
#include "sys/sandbox.h"

#include <sys/prctl.h>

#include "sys/internal.h"

/* Sanitizers map, open and signal as they like, and report through calls of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define BUILT_WITH_SANITIZER true
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) \
        || __has_feature(memory_sanitizer)
#        define BUILT_WITH_SANITIZER true
#    endif
#endif
#ifndef BUILT_WITH_SANITIZER
#    define BUILT_WITH_SANITIZER false
#endif

bool sandbox_enter(
    const char *const *write_paths, uint32_t n_write_paths, SandboxReport *report, Error *err)
{
    SandboxReport done = {0};

    done.no_new_privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!landlock_enter(write_paths, n_write_paths, &done.landlock_abi, err)) return false;
    if (!BUILT_WITH_SANITIZER && !seccomp_enter(n_write_paths > 0, &done.seccomp, err))
        return false;
    *report = done;
    return true;
}

bool sandbox_end_writing(SandboxReport *report, Error *err)
{
    SandboxReport done = *report;

    if (!landlock_enter(NULL, 0, &done.landlock_abi, err)) return false;
    if (!BUILT_WITH_SANITIZER && !seccomp_end_writing(&done.seccomp, err)) return false;
    *report = done;
    return true;
}

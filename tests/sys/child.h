/* Tests that change their process for good (filters, limits, users) do so in a child. */
#ifndef HYPURA_TESTS_SYS_CHILD_H
#define HYPURA_TESTS_SYS_CHILD_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness.h"

/* Runs `act` in a child and gives its wait status; 0: no check of the child failed. */
static inline int child_status(void (*act)(const void *argument), const void *argument)
{
    int status = -1;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t n_failed = harness.n_failed;
        act(argument);
        fflush(stdout);
        _exit(harness.n_failed > n_failed ? 1 : 0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
    return status;
}

static inline bool child_was_killed_by(int status, int signal_number)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == signal_number;
}

/* From now on this process runs on one processor only. */
static inline void use_one_processor(void)
{
    cpu_set_t set;
    size_t first = 0;

    CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
    while (first < CPU_SETSIZE && !CPU_ISSET(first, &set)) first++;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* From now on this process gets `error` from every system call with this number for which
 * bits of `argument` (0 to 5) are set; `bits` 0: from all of them. False: no filters here. */
static inline bool refuse_call(long number, uint32_t argument, uint32_t bits, int error)
{
    uint32_t where = (uint32_t)(offsetof(struct seccomp_data, args) + argument * 8);
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, where),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, bits == 0 ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT(code), .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* Whether this machine can refuse calls at all (an emulator cannot). */
static inline bool can_refuse_calls(void)
{
    fflush(stdout);
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) _exit(refuse_call(SYS_getppid, 0, 0, EPERM) ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

#endif

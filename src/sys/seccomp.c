/* The system calls that are left (seccomp(2), Linux Documentation/userspace-api/
 * seccomp_filter.rst): a list of what streaming a model needs, all else is EPERM, and what
 * only an intruder would call ends the process. The filter is a table turned into BPF, small
 * enough to write by hand. The kernel keeps a bitmap of calls that are always allowed, so
 * those cost nothing. What a ring does is not seen here: read_uring.c restricts the ring. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/internal.h"

#if defined(__x86_64__)
#    define OUR_ARCH AUDIT_ARCH_X86_64
#else
#    define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#define X32_BIT              0x40000000u // calls of the x32 ABI have other numbers
#define PROGRAM_MAX          1024
#define RETURN_ERROR(number) (SECCOMP_RET_ERRNO | (number))

/* When a row applies to a call with its number. All but ALWAYS look at one argument. */
typedef enum Condition {
    ALWAYS,
    IF_EQUAL, // the lower half is `value`
    IF_NONE,  // no bit of `value` is set in the lower half
    IF_ANY,   // one is
    IF_NULL,
} Condition;

typedef struct CallRow {
    uint32_t number;
    Condition condition;
    uint32_t argument;
    uint32_t value;
    uint32_t verdict; // 0 is SECCOMP_RET_KILL_THREAD and never meant: such a row allows
} CallRow;

#define CALL(name)           \
    {                        \
        .number = SYS_##name \
    }
#define CALL_WHEN(name, index, when, what)                                              \
    {                                                                                   \
        .number = SYS_##name, .condition = (when), .argument = (index), .value = (what) \
    }
#define CALL_GIVES(name, result)                  \
    {                                             \
        .number = SYS_##name, .verdict = (result) \
    }

#define O_WRITES ((uint32_t)(O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND))

/* The rows of a number are tried in order; the first that applies decides. */
// clang-format off
static const CallRow rows[] = {
    CALL(io_uring_enter), CALL(futex), CALL(pread64), CALL(read), CALL(write), CALL(readv),
    CALL(writev), CALL(preadv), CALL(lseek), CALL(fadvise64), CALL(close),

    // memory, never executable
    CALL_WHEN(mmap, 2, IF_NONE, PROT_EXEC), CALL_WHEN(mprotect, 2, IF_NONE, PROT_EXEC),
    CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL(mincore),

    // threads of this process. glibc falls back from clone3, whose flags no filter can
    // see, to clone.
    CALL_GIVES(clone3, RETURN_ERROR(ENOSYS)), CALL_WHEN(clone, 0, IF_ANY, CLONE_THREAD),
    CALL(exit), CALL(exit_group), CALL(set_robust_list), CALL(rseq), CALL(sched_yield),
    CALL(sched_getaffinity), CALL(getcpu), CALL(gettid), CALL(getpid),
    CALL_WHEN(prctl, 0, IF_EQUAL, PR_SET_NAME),

    // files: looking and reading, and cutting those that are open for writing
    CALL(fstat), CALL(newfstatat), CALL(statx), CALL(fcntl), CALL(readlinkat),
    CALL(faccessat), CALL(faccessat2), CALL(getdents64), CALL(getcwd), CALL(dup), CALL(dup3),
    CALL(ftruncate),
    CALL_GIVES(openat2, RETURN_ERROR(ENOSYS)), // its flags are behind a pointer

    // terminals, polling
    CALL_WHEN(ioctl, 1, IF_EQUAL, TCGETS), CALL_WHEN(ioctl, 1, IF_EQUAL, TIOCGWINSZ),
    CALL(ppoll), CALL(pselect6),

    // signals and time
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigsuspend),
    CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(restart_syscall), CALL(clock_gettime),
    CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday),

    // who and how much
    CALL(getrandom), CALL(getrusage), CALL(sysinfo), CALL(uname), CALL(statfs),
    CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getppid), CALL_WHEN(prlimit64, 2, IF_NULL, 0),

    // what nobody here calls by mistake
    CALL_GIVES(execve, SECCOMP_RET_KILL_PROCESS), CALL_GIVES(execveat, SECCOMP_RET_KILL_PROCESS),
    CALL_GIVES(ptrace, SECCOMP_RET_KILL_PROCESS),

#if defined(__x86_64__)
    // older names that glibc still uses here
    CALL(stat), CALL(lstat), CALL(access), CALL(readlink), CALL(poll), CALL(select), CALL(dup2),
    CALL(time),
    CALL_WHEN(arch_prctl, 0, IF_EQUAL, 0x1023), // ARCH_REQ_XCOMP_PERM: sys/cpu.c
#endif
};

/* Without a place to write to, no file is opened for writing. */
static const CallRow rows_read_only[] = {
    CALL_WHEN(openat, 2, IF_NONE, O_WRITES),
#if defined(__x86_64__)
    CALL_WHEN(open, 1, IF_NONE, O_WRITES),
#endif
};

/* With one, Landlock watches over the paths. */
static const CallRow rows_writing[] = {
    // to give these rights up later (sandbox_end_writing)
    CALL_WHEN(seccomp, 0, IF_EQUAL, SECCOMP_SET_MODE_FILTER), CALL(landlock_create_ruleset),
    CALL(landlock_restrict_self),

    CALL(openat), CALL(pwrite64), CALL(pwritev), CALL(fallocate), CALL(fsync),
    CALL(fdatasync), CALL(unlinkat), CALL(renameat), CALL(renameat2), CALL(mkdirat),
#if defined(__x86_64__)
    CALL(open), CALL(unlink), CALL(rename), CALL(mkdir), CALL(rmdir),
#endif
};

/* All ways to a file for writing. Every other call is as it was. */
static const CallRow rows_ending[] = {
    CALL_WHEN(openat, 2, IF_NONE, O_WRITES),
    CALL_GIVES(openat, RETURN_ERROR(EPERM)), CALL_GIVES(fallocate, RETURN_ERROR(EPERM)),
    CALL_GIVES(unlinkat, RETURN_ERROR(EPERM)), CALL_GIVES(renameat, RETURN_ERROR(EPERM)),
    CALL_GIVES(renameat2, RETURN_ERROR(EPERM)), CALL_GIVES(mkdirat, RETURN_ERROR(EPERM)),
#if defined(__x86_64__)
    CALL_WHEN(open, 1, IF_NONE, O_WRITES),
    CALL_GIVES(open, RETURN_ERROR(EPERM)), CALL_GIVES(unlink, RETURN_ERROR(EPERM)),
    CALL_GIVES(rename, RETURN_ERROR(EPERM)), CALL_GIVES(mkdir, RETURN_ERROR(EPERM)),
    CALL_GIVES(rmdir, RETURN_ERROR(EPERM)),
#endif
};
// clang-format on

typedef struct Program {
    struct sock_filter code[PROGRAM_MAX];
    uint16_t n_code;
    bool is_full;
} Program;

static void emit(Program *program, struct sock_filter instruction)
{
    if (program->n_code == PROGRAM_MAX)
        program->is_full = true;
    else
        program->code[program->n_code++] = instruction;
}

static void emit_load(Program *program, size_t offset)
{
    emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void emit_return(Program *program, uint32_t verdict)
{
    emit(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

/* Goes on where the comparison holds (or fails, as `jump_if` says), else skips `n`. */
typedef enum JumpIf { SKIP_IF_TRUE, SKIP_IF_FALSE } JumpIf;

static void emit_skip(Program *program, uint16_t test, uint32_t value, JumpIf jump_if, uint8_t n)
{
    uint8_t when_true = jump_if == SKIP_IF_TRUE ? n : 0;
    uint8_t when_false = jump_if == SKIP_IF_FALSE ? n : 0;

    emit(program, (struct sock_filter)BPF_JUMP(
                      (uint16_t)(BPF_JMP | test | BPF_K), value, when_true, when_false));
}

/* The accumulator holds the number before each row, and after one that did not apply. */
static void emit_row(Program *program, const CallRow *row)
{
    uint32_t verdict = row->verdict != 0 ? row->verdict : SECCOMP_RET_ALLOW;
    size_t lower = offsetof(struct seccomp_data, args) + row->argument * sizeof(uint64_t);
    const size_t number = offsetof(struct seccomp_data, nr);

    switch (row->condition) {
    case ALWAYS:
        emit_skip(program, BPF_JEQ, row->number, SKIP_IF_FALSE, 1);
        emit_return(program, verdict);
        return;
    case IF_EQUAL:
    case IF_NONE:
    case IF_ANY:
        emit_skip(program, BPF_JEQ, row->number, SKIP_IF_FALSE, 4);
        emit_load(program, lower);
        emit_skip(program, row->condition == IF_EQUAL ? BPF_JEQ : BPF_JSET, row->value,
            row->condition == IF_NONE ? SKIP_IF_TRUE : SKIP_IF_FALSE, 1);
        emit_return(program, verdict);
        emit_load(program, number);
        return;
    case IF_NULL:
        emit_skip(program, BPF_JEQ, row->number, SKIP_IF_FALSE, 6);
        emit_load(program, lower);
        emit_skip(program, BPF_JEQ, 0, SKIP_IF_FALSE, 3);
        emit_load(program, lower + sizeof(uint32_t));
        emit_skip(program, BPF_JEQ, 0, SKIP_IF_FALSE, 1);
        emit_return(program, verdict);
        emit_load(program, number);
        return;
    }
}

static void emit_rows(Program *program, const CallRow *table, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) emit_row(program, &table[i]);
}

/* Other architectures' calls end the process; then the accumulator holds the number. */
static void emit_begin(Program *program)
{
    emit_load(program, offsetof(struct seccomp_data, arch));
    emit_skip(program, BPF_JEQ, OUR_ARCH, SKIP_IF_TRUE, 1);
    emit_return(program, SECCOMP_RET_KILL_PROCESS);
    emit_load(program, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
    emit_skip(program, BPF_JGE, X32_BIT, SKIP_IF_FALSE, 1);
    emit_return(program, RETURN_ERROR(EPERM));
#endif
}

static void emit_all(Program *program, bool writes)
{
    CallRow signal_ourselves // abort() and raise()
        = CALL_WHEN(tgkill, 0, IF_EQUAL, (uint32_t)getpid());

    emit_begin(program);
    emit_rows(program, rows, COUNT(rows));
    emit_rows(program, &signal_ourselves, 1);
    if (writes)
        emit_rows(program, rows_writing, COUNT(rows_writing));
    else
        emit_rows(program, rows_read_only, COUNT(rows_read_only));
    emit_return(program, RETURN_ERROR(EPERM));
}

/* For all threads. */
static bool install(Program *program, bool *is_on, Error *err)
{
    struct sock_fprog filter = {.len = program->n_code, .filter = program->code};

    *is_on = false;
    if (program->is_full) return error_set(err, ERROR_INTERNAL, "seccomp: the table is too long");
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
    if (result > 0)
        return error_set(err, ERROR_SANDBOX, "seccomp: thread %ld has a filter of its own", result);
    *is_on = result == 0; // else the kernel has none, or a container refuses
    return true;
}

bool seccomp_enter(bool writes, bool *is_on, Error *err)
{
    Program program = {0};

    emit_all(&program, writes);
    return install(&program, is_on, err);
}

bool seccomp_end_writing(bool *is_on, Error *err)
{
    Program program = {0};

    emit_begin(&program);
    emit_rows(&program, rows_ending, COUNT(rows_ending));
    emit_return(&program, SECCOMP_RET_ALLOW); // what the filter before it forbids stays so
    return install(&program, is_on, err);
}

/* tests/sys/test_seccomp.c - every act that a sandbox forbids (sys/sandbox.h), each tried in
 * a child */
#include "sys/sandbox.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "sys/process.h"
#include "sys/sandbox_files.h"

/* Acts give 0 or more when they succeed, -1 and errno when they are refused. */
static long create_file(void)
{
    return open(absent, O_WRONLY | O_CREAT, 0600);
}
static long open_for_writing(void)
{
    return open(existing, O_RDWR);
}
static long cut_on_opening(void)
{
    return open(existing, O_RDONLY | O_TRUNC);
}
static long cut_file(void)
{
    return truncate(existing, 0);
}
static long remove_file(void)
{
    return unlink(existing);
}
static long rename_file(void)
{
    return rename(existing, absent);
}
static long make_folder(void)
{
    return mkdir(absent, 0700);
}
static long make_symlink(void)
{
    return symlink(existing, absent);
}
static long make_link(void)
{
    return link(existing, absent);
}
static long change_mode(void)
{
    return chmod(existing, 0777);
}
static long open_with_openat2(void)
{
    uint64_t how[3] = {O_WRONLY, 0, 0};
    return syscall(SYS_openat2, AT_FDCWD, existing, how, sizeof(how));
}
static long make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static long make_socket_pair(void)
{
    int pair[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}
static long make_child(void)
{
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    return pid;
}
static long map_code(void)
{
    void *map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return map == MAP_FAILED ? -1 : 0;
}
static long make_code(void)
{
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return map == MAP_FAILED ? 0 : mprotect(map, 4096, PROT_READ | PROT_EXEC);
}
static long make_ring(void)
{
    uint8_t parameters[120] = {0};
    return syscall(SYS_io_uring_setup, 1, parameters);
}
static long change_ring(void)
{
    return syscall(SYS_io_uring_register, 0, 0, NULL, 0);
}
static long make_memory_file(void)
{
    return memfd_create("x", 0);
}
static long load_program(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}
static long watch_faults(void)
{
    return syscall(SYS_userfaultfd, 0);
}
static long measure(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0);
}
static long use_keys(void)
{
    return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}
static long read_other_process(void)
{
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static long open_by_handle(void)
{
    return syscall(SYS_open_by_handle_at, 0, NULL, 0);
}
static long mount_something(void)
{
    return syscall(SYS_mount, "none", folder, "tmpfs", 0, NULL);
}
static long signal_parent(void)
{
    return kill(getppid(), 0);
}
static long raise_limits(void)
{
    struct rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
    return setrlimit(RLIMIT_NOFILE, &limit);
}
static long change_user(void)
{
    return setuid(getuid());
}
static long type_into_terminal(void)
{
    return ioctl(0, TIOCSTI, "x");
}
static long become_traceable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

typedef enum Guard { BY_LANDLOCK, BY_SECCOMP, BY_EITHER } Guard;

typedef struct Act {
    const char *label;
    long (*act)(void);
    Guard guard;
} Act;

static const Act forbidden[] = {
    {"create a file", create_file, BY_EITHER},
    {"open for writing", open_for_writing, BY_EITHER},
    {"open by its old name", open_by_its_old_name, BY_EITHER},
    {"cut on opening", cut_on_opening, BY_EITHER},
    {"cut a file", cut_file, BY_EITHER},
    {"remove a file", remove_file, BY_EITHER},
    {"rename a file", rename_file, BY_EITHER},
    {"make a folder", make_folder, BY_EITHER},
    {"make a symbolic link", make_symlink, BY_EITHER},
    {"make a link", make_link, BY_EITHER},
    {"change a mode", change_mode, BY_SECCOMP},
    {"openat2", open_with_openat2, BY_EITHER},
    {"socket", make_socket, BY_SECCOMP},
    {"socketpair", make_socket_pair, BY_SECCOMP},
    {"fork", make_child, BY_SECCOMP},
    {"map code", map_code, BY_SECCOMP},
    {"make code", make_code, BY_SECCOMP},
    {"io_uring_setup", make_ring, BY_SECCOMP},
    {"io_uring_register", change_ring, BY_SECCOMP},
    {"memfd_create", make_memory_file, BY_SECCOMP},
    {"bpf", load_program, BY_SECCOMP},
    {"userfaultfd", watch_faults, BY_SECCOMP},
    {"perf_event_open", measure, BY_SECCOMP},
    {"keyctl", use_keys, BY_SECCOMP},
    {"process_vm_readv", read_other_process, BY_SECCOMP},
    {"open_by_handle_at", open_by_handle, BY_SECCOMP},
    {"mount", mount_something, BY_SECCOMP},
    {"kill", signal_parent, BY_SECCOMP},
    {"setrlimit", raise_limits, BY_SECCOMP},
    {"setuid", change_user, BY_SECCOMP},
    {"TIOCSTI", type_into_terminal, BY_SECCOMP},
    {"prctl", become_traceable, BY_SECCOMP},
};

static void try_forbidden(const void *argument)
{
    const Act *act = argument;
    SandboxReport report = enter();
    bool guarded =
        act->guard == BY_SECCOMP ? report.seccomp : report.seccomp || report.landlock_abi >= 3;

    CHECK(report.no_new_privs);
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || report.seccomp);
    if (!guarded) return; // this kernel or build lacks it; the report says so
    errno = 0;
    CHECK_CASE(act->label, act->act() == -1);
    CHECK_CASE(act->label, errno == EPERM || errno == EACCES || errno == ENOSYS);
}

TEST(sandbox_refuses_what_streaming_never_needs)
{
    make_files();
    for (size_t i = 0; i < COUNT(forbidden); i++)
        CHECK_CASE(forbidden[i].label, child_status(try_forbidden, &forbidden[i]) == 0);
    CHECK(access(existing, F_OK) == 0);
    CHECK(access(absent, F_OK) != 0);
}

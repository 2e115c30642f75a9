/* A drive that misbehaves under the whole program: the kernel hands each pread of the model
 * to the test (seccomp's user notification, seccomp_unotify(2)), which lets it pass, makes
 * it fail or short, or lets it wait. The program runs with --io threads and knows nothing of
 * it. Faults begin with the first byte of text, so that they meet the pass and not the load. */
#ifndef HYPURA_TESTS_E2E_DRIVE_H
#define HYPURA_TESTS_E2E_DRIVE_H

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "program.h"
#include "sys/child.h"

#define DRIVE_HELD_MAX 64u

typedef enum DriveMode {
    DRIVE_WHOLE,
    DRIVE_EIO_ONCE,   // the read number `at`
    DRIVE_EIO_ALWAYS, // it and all later ones
    DRIVE_SHORT,      // half of the bytes, cut to `granularity_bytes`, of every second read
    DRIVE_HOLD,       // they wait until drive_release
} DriveMode;

typedef struct Drive {
    // before the start
    const char *model; // path
    DriveMode mode;
    uint64_t at; // counted from the first byte of text
    uint64_t granularity_bytes;
    // while the program runs
    int sockets[2], listener, file;
    uint64_t n_reads, n_faults; // since the first byte of text
    uint64_t held[DRIVE_HELD_MAX];
    size_t n_held;
} Drive;

/* In the child: every pread64 from now on asks whoever has the listener. */
static inline void drive_prepare(void *context)
{
    Drive *drive = context;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pread64, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = COUNT(code), .filter = code};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr alignment;
    } control = {{0}};
    char byte = 0;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(125);
    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(header), &(int){(int)fd}, sizeof(int));
    }
    if (sendmsg(drive->sockets[1], &message, 0) != 1) _exit(125);
    close(drive->sockets[0]);
    close(drive->sockets[1]);
    if (fd >= 0) close((int)fd);
}

/* Starts the program on the drive. False: this machine has no such notifications. */
static inline bool drive_start(Drive *drive, Program *program, const char *const *args)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr alignment;
    } control = {{0}};
    char byte;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof control.room};

    drive->listener = -1;
    drive->file = open(drive->model, O_RDONLY | O_CLOEXEC);
    CHECK(drive->file >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, drive->sockets) == 0);
    program->prepare = drive_prepare;
    program->context = drive;
    program_start(program, args);
    program->prepare = NULL;
    close(drive->sockets[1]);
    if (recvmsg(drive->sockets[0], &message, 0) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&drive->listener, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    close(drive->sockets[0]);
    if (drive->listener >= 0) return true;
    program_wait(program);
    close(drive->file);
    return false;
}

/* Lets the call happen, or gives it a result of ours. */
static inline void drive_answer(const Drive *drive, uint64_t id, bool is_ours, int64_t result)
{
    struct seccomp_notif_resp response = {.id = id};

    if (!is_ours)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (result < 0)
        response.error = (int)result;
    else
        response.val = result;
    ioctl(drive->listener, SECCOMP_IOCTL_NOTIF_SEND, &response); // it may be gone
}

/* Is the call's file the model? */
static inline bool drive_is_model(const Drive *drive, const struct seccomp_notif *call)
{
    char link[64], path[512];

    snprintf(link, sizeof link, "/proc/%u/fd/%d", call->pid, (int)call->data.args[0]);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return false;
    path[n] = '\0';
    return strncmp(path, drive->model, strlen(drive->model)) == 0; // " (deleted)" may follow
}

/* Reads a part of what was asked for into the program's memory. */
static inline void drive_shorten(const Drive *drive, const struct seccomp_notif *call)
{
    static char room[4u << 20];
    size_t wanted = (size_t)call->data.args[2] / 2;
    size_t n_bytes = wanted - wanted % drive->granularity_bytes;
    ssize_t n = n_bytes > 0 && n_bytes <= sizeof room
                    ? pread(drive->file, room, n_bytes, (off_t)call->data.args[3])
                    : 0;
    struct iovec ours = {room, n > 0 ? (size_t)n : 0};
    struct iovec theirs = {(void *)(uintptr_t)call->data.args[1], ours.iov_len};

    if (n <= 0 || process_vm_writev((pid_t)call->pid, &ours, 1, &theirs, 1, 0) != n)
        drive_answer(drive, call->id, false, 0);
    else
        drive_answer(drive, call->id, true, n);
}

static inline void drive_judge(Drive *drive, const struct seccomp_notif *call, bool has_begun)
{
    if (!has_begun || !drive_is_model(drive, call)) {
        drive_answer(drive, call->id, false, 0);
        return;
    }
    uint64_t n = ++drive->n_reads;
    bool is_eio = (drive->mode == DRIVE_EIO_ONCE && n == drive->at)
                  || (drive->mode == DRIVE_EIO_ALWAYS && n >= drive->at);
    if (is_eio) {
        drive->n_faults++;
        drive_answer(drive, call->id, true, -EIO);
    } else if (drive->mode == DRIVE_SHORT && n % 2 == 0) {
        drive->n_faults++;
        drive_shorten(drive, call);
    } else if (drive->mode == DRIVE_HOLD && drive->n_held < DRIVE_HELD_MAX) {
        drive->n_faults++;
        drive->held[drive->n_held++] = call->id;
    } else {
        drive_answer(drive, call->id, false, 0);
    }
}

/* Serves reads and takes what the program says until it ends or, with n_held not 0, until
 * so many reads wait. */
static inline void drive_serve(Drive *drive, Program *program, size_t n_held)
{
    while (program->out_fd >= 0 || program->err_fd >= 0) {
        struct pollfd fds[3] = {{program->out_fd, POLLIN, 0}, {program->err_fd, POLLIN, 0},
            {drive->listener, POLLIN, 0}};
        if (n_held > 0 && drive->n_held >= n_held) return;
        if (poll(fds, 3, -1) < 0) continue;
        if (fds[0].revents) program_take(&program->out_fd, program->out, &program->n_out);
        if (fds[1].revents) program_take(&program->err_fd, program->err, &program->n_err);
        if (!(fds[2].revents & POLLIN)) continue;
        struct seccomp_notif call = {0};
        if (ioctl(drive->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0)
            drive_judge(drive, &call, program->n_out > 0);
    }
}

/* Lets those that wait go on, the last first. */
static inline void drive_release(Drive *drive)
{
    while (drive->n_held > 0) drive_answer(drive, drive->held[--drive->n_held], false, 0);
}

static inline int drive_wait(Drive *drive, Program *program)
{
    drive_serve(drive, program, 0);
    close(drive->listener);
    close(drive->file);
    return program_wait(program);
}

#endif

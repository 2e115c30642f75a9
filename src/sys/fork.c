/* fork and two pipes. The child keeps its ends alone, so that each side sees the other's end as
 * the end of its input. */
#include "sys/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void talk_close(Talk *talk)
{
    if (talk->in > 0) close(talk->in);
    if (talk->out > 0) close(talk->out);
    *talk = (Talk){0};
}

static bool open_pipes(Talk *parent, Talk *child)
{
    int down[2] = {0}, up[2] = {0};

    if (pipe2(down, O_CLOEXEC) != 0) return false;
    *child = (Talk){.in = down[0]};
    *parent = (Talk){.out = down[1]};
    if (pipe2(up, O_CLOEXEC) != 0) return false;
    child->out = up[1];
    parent->in = up[0];
    return true;
}

bool child_start(Child *child, ChildMain *run, void *context, Error *err)
{
    Talk childs = {0};

    *child = (Child){0};
    if (!open_pipes(&child->talk, &childs)) goto fail;
    child->pid = (int)fork();
    if (child->pid == 0) {
        talk_close(&child->talk);
        _exit(run(context, &childs));
    }
    if (child->pid < 0) goto fail;
    talk_close(&childs);
    return true;

fail:
    error_set(err, ERROR_THREAD, "another process: %s", strerror(errno));
    talk_close(&childs);
    talk_close(&child->talk);
    *child = (Child){0};
    return false;
}

int child_end(Child *child)
{
    int status = 0;

    talk_close(&child->talk);
    if (child->pid <= 0) return 0;
    while (waitpid((pid_t)child->pid, &status, 0) < 0 && errno == EINTR) continue;
    *child = (Child){0};
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool talk_send(const Talk *talk, const void *data, size_t n_bytes)
{
    const char *at = data;

    while (n_bytes > 0) {
        ssize_t n = write(talk->out, at, n_bytes);
        if (n <= 0) return false;
        at += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

bool talk_receive(const Talk *talk, void *data, size_t n_bytes)
{
    char *at = data;

    while (n_bytes > 0) {
        ssize_t n = read(talk->in, at, n_bytes);
        if (n <= 0) return false;
        at += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

/* Runs the program the way a user's shell does, and keeps what it said.
 *
 * Both outputs are pipes that are read while it runs, so nothing it says can block it. */
#ifndef HYPURA_TESTS_E2E_PROGRAM_H
#define HYPURA_TESTS_E2E_PROGRAM_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "harness.h"

#define MODELS            HYPURA_SOURCE_ROOT "/models/"
#define MIXTURE           MODELS "hypura-tiny-moe-Q4_K_M.gguf"
#define DRAFT             MODELS "hypura-tiny-draft-Q8_0.gguf"
#define PROGRAM_ARGS_MAX  32
#define PROGRAM_BYTES_MAX (1u << 20)

typedef struct Program {
    // before the start
    const char *input;       // standard input; NULL: empty
    size_t n_input;          // 0 with an input: up to its NUL
    const char *output_path; // where standard output goes instead of `out`; NULL: nowhere else
    int closed_fd;           // closed at the start when above 0; 3 stands for standard input
    void (*prepare)(void *context); // called in the child before the program starts; may be NULL
    void *context;
    // while it runs
    pid_t pid;
    int in_fd, out_fd, err_fd; // ours; -1: ended
    // afterwards, or so far
    int status; // exit status, or 128 + signal
    size_t n_out, n_err;
    char out[PROGRAM_BYTES_MAX + 1], err[PROGRAM_BYTES_MAX + 1]; // NUL-terminated
} Program;

static inline void program_become(const Program *program, const int pipes[3][2], char **args)
{
    dup2(pipes[0][0], 0);
    dup2(pipes[1][1], 1);
    dup2(pipes[2][1], 2);
    for (int i = 0; i < 3; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    if (program->output_path) {
        int fd = open(program->output_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (fd < 0) _exit(126);
        dup2(fd, 1);
        close(fd);
    }
    if (program->closed_fd > 0) close(program->closed_fd == 3 ? 0 : program->closed_fd);
    if (program->prepare) program->prepare(program->context);
    execv(HYPURA_PROGRAM, args);
    _exit(127);
}

/* Starts it with a NULL-terminated list of arguments and gives it its input, which must
 * fit into a pipe. */
static inline void program_start(Program *program, const char *const *args)
{
    char *all[PROGRAM_ARGS_MAX + 2] = {(char *)(uintptr_t) "hypura"};
    int pipes[3][2];
    size_t n_input =
        program->input && program->n_input == 0 ? strlen(program->input) : program->n_input;

    for (size_t i = 0; args[i] && i < PROGRAM_ARGS_MAX; i++)
        all[i + 1] = (char *)(uintptr_t)args[i];
    program->n_out = program->n_err = 0;
    for (int i = 0; i < 3; i++)
        if (pipe(pipes[i]) != 0) abort();
    // Heat maps of the user's own runs are neither used nor changed.
    setenv("XDG_CACHE_HOME", harness_temporary_folder(), 1);
    fflush(stdout);
    program->pid = fork();
    if (program->pid == 0) program_become(program, (const int(*)[2])pipes, all);
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    program->out_fd = pipes[1][0];
    program->err_fd = pipes[2][0];
    signal(SIGPIPE, SIG_IGN); // it need not read its input
    for (size_t done = 0; done < n_input;) {
        ssize_t n = write(pipes[0][1], program->input + done, n_input - done);
        if (n <= 0) break;
        done += (size_t)n;
    }
    close(pipes[0][1]);
}

static inline void program_take(int *fd, char *data, size_t *n_bytes)
{
    ssize_t n = read(*fd, data + *n_bytes, PROGRAM_BYTES_MAX - *n_bytes);

    if (n <= 0) {
        close(*fd);
        *fd = -1;
    } else {
        *n_bytes += (size_t)n;
    }
    data[*n_bytes] = '\0';
}

/* Reads until there are n_bytes of standard output, or no more will come. */
static inline void program_read(Program *program, size_t n_bytes)
{
    while (program->n_out < n_bytes && (program->out_fd >= 0 || program->err_fd >= 0)) {
        struct pollfd fds[2] = {{program->out_fd, POLLIN, 0}, {program->err_fd, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0) continue;
        if (fds[0].revents) program_take(&program->out_fd, program->out, &program->n_out);
        if (fds[1].revents) program_take(&program->err_fd, program->err, &program->n_err);
    }
}

static inline int program_wait(Program *program)
{
    int status = 0;

    program_read(program, SIZE_MAX);
    while (waitpid(program->pid, &status, 0) < 0) continue;
    program->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return program->status;
}

/* Start to end; its status. */
static inline int program_run(Program *program, const char *const *args)
{
    program_start(program, args);
    return program_wait(program);
}

#define RUN(program, ...) program_run((program), (const char *const[]){__VA_ARGS__, NULL})

/* A path in the temporary folder; valid until the 64th call after. */
static inline const char *program_path(const char *name)
{
    static char paths[64][300];
    static unsigned n;

    n = (n + 1) % 64;
    snprintf(paths[n], sizeof paths[n], "%s/%s", harness_temporary_folder(), name);
    return paths[n];
}

/* A small model, made once in the temporary folder. */
static inline const char *program_tiny_model(const char *shape)
{
    static Program program;
    const char *path = program_path(shape);

    if (access(path, R_OK) != 0) CHECK_CASE(shape, RUN(&program, "synth", shape, path) == 0);
    return path;
}

#endif

/* Signal state. A handler can only reach globals, so this file holds the two that the
 * command line has; both are written by one side and read by the other in one piece.
 *
 * HUP stays ignored when the program was started so (nohup). INT does not: shells start
 * background jobs with INT ignored, and who sends one to such a job means it. */
#include "cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "cli/report.h"

static volatile sig_atomic_t signal_seen;
static const char *volatile file_to_remove;

static void on_signal(int number)
{
    if (signal_seen == 0) {
        signal_seen = number;
        return;
    }
    const char *path = file_to_remove;
    if (path) unlink(path);
    _exit(STATUS_OF_SIGNAL + number);
}

static void install(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}; // no SA_RESTART: a read of stdin ends

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void interrupt_install(void)
{
    struct sigaction hangup;

    install(SIGINT, on_signal);
    install(SIGTERM, on_signal);
    if (sigaction(SIGHUP, NULL, &hangup) != 0 || hangup.sa_handler != SIG_IGN)
        install(SIGHUP, on_signal);
    install(SIGPIPE, SIG_IGN);
#ifdef SIGXFSZ
    install(SIGXFSZ, SIG_IGN);
#endif
}

int interrupt_signal(void)
{
    return (int)signal_seen;
}

bool interrupt_goes_on(void *context, size_t done, size_t total)
{
    (void)context;
    (void)done;
    (void)total;
    return interrupt_signal() == 0;
}

void interrupt_remove_file(const char *path)
{
    file_to_remove = path;
}

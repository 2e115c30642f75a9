/* cli/progress - lines at each 10 % on a pipe, a bar on a terminal, nothing before a second.
 * The clock is not waited for: a work's beginning is put into the past instead. */
#include "harness.h"

#include <fcntl.h>

#include "cli/progress.h"

static char seen[8192];

/* Standard error goes to the descriptor until restore_error. */
static int redirect_error(int fd)
{
    int saved = dup(STDERR_FILENO);

    dup2(fd, STDERR_FILENO);
    return saved;
}

static void restore_error(int saved)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
}

/* Shows n_steps of a work that began so long ago, with standard error a pipe. */
static void show_steps(uint64_t age_ns, bool is_quiet, uint64_t n_steps)
{
    Progress progress;
    int ends[2];

    CHECK(pipe(ends) == 0);
    int saved = redirect_error(ends[1]);
    progress_begin(&progress, "work", "steps", n_steps, is_quiet);
    progress.begun_ns -= age_ns;
    for (uint64_t i = 1; i <= n_steps; i++) progress_show(&progress, i);
    progress_end(&progress);
    restore_error(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], seen, sizeof seen - 1);
    seen[n > 0 ? n : 0] = '\0';
    close(ends[0]);
}

static unsigned n_lines(void)
{
    unsigned n = 0;

    for (const char *at = seen; *at; at++) n += *at == '\n';
    return n;
}

TEST(a_line_at_each_tenth)
{
    show_steps(5000000000u, false, 200);
    CHECK(n_lines() == 10);
    CHECK(strstr(seen, "hypura: work: 10 %, ") == seen);
    CHECK(strstr(seen, "hypura: work: 100 %, "));
    CHECK(strstr(seen, " steps/s, "));
    CHECK(!strchr(seen, '\r') && !strchr(seen, '\x1b'));
}

TEST(few_steps_give_few_lines)
{
    show_steps(5000000000u, false, 3);
    CHECK(n_lines() == 3);
    CHECK(strstr(seen, "30 %") && strstr(seen, "60 %") && strstr(seen, "100 %"));
}

TEST(short_or_quiet_work_says_nothing)
{
    show_steps(0, false, 100);
    CHECK(n_lines() == 0);
    show_steps(5000000000u, true, 100);
    CHECK(n_lines() == 0);
    show_steps(5000000000u, false, 0); // of nothing
    CHECK(n_lines() == 0);
}

TEST(a_terminal_gets_a_bar_that_goes_away)
{
    Progress progress;
    const char *last_cleared = "\r\033[K";
    size_t n = 0;

    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        TEST_SKIP("this machine gives no pseudo-terminals");
    int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    int saved = redirect_error(slave);
    progress_begin(&progress, "work", NULL, 1000, false);
    progress.begun_ns -= 5000000000u;
    progress_show(&progress, 500);
    progress_end(&progress);
    restore_error(saved);
    while (n < strlen(last_cleared) || memcmp(seen + n - 4, last_cleared, 4) != 0) {
        ssize_t n_read = read(terminal, seen + n, sizeof seen - 1 - n);
        if (n_read <= 0) break;
        n += (size_t)n_read;
    }
    seen[n] = '\0';
    CHECK(strstr(seen, "\rwork  50% [####"));
    CHECK(strstr(seen, " left\033[K"));
    CHECK(!strchr(seen, '\n'));

    setenv("NO_COLOR", "1", 1);
    saved = redirect_error(slave);
    progress_begin(&progress, "work", NULL, 1000, false);
    restore_error(saved);
    CHECK(!progress.is_bar);
    close(slave);
    close(terminal);
}

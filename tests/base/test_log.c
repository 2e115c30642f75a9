/* tests/base/test_log.c - lines on stderr, by level, safe for a terminal. */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"

static char captured[4096];

/* stderr goes into a file between begin and end; end returns what came. */
static int capture_begin(void)
{
    char path[128];
    int saved = dup(STDERR_FILENO);

    snprintf(path, sizeof(path), "%s/log", harness_temporary_folder());
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(saved >= 0 && file >= 0);
    CHECK(dup2(file, STDERR_FILENO) == STDERR_FILENO);
    close(file);
    return saved;
}

static const char *capture_end(int saved)
{
    ssize_t n = pread(STDERR_FILENO, captured, sizeof(captured) - 1, 0);

    captured[n > 0 ? n : 0] = '\0';
    CHECK(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
    close(saved);
    return captured;
}

TEST(log_level_decides_what_is_seen)
{
    CHECK(log_level() == LOG_WARN);
    int saved = capture_begin();
    log_warn("one %d", 1);
    log_info("two");
    log_set_level(LOG_DEBUG);
    log_info("three");
    log_debug("four");
    log_set_level(LOG_QUIET);
    log_warn("five");
    log_set_level(LOG_WARN);
    CHECK(strcmp(capture_end(saved), "hypura: one 1\nhypura: three\nhypura: four\n") == 0);
}

TEST(log_lines_are_one_line_each_whatever_they_hold)
{
    static char long_text[3000];

    memset(long_text, 'x', sizeof(long_text) - 1);
    int saved = capture_begin();
    log_warn("%s", "a\nhypura: forged\x1b[0m");
    log_warn("%s", long_text);
    const char *text = capture_end(saved);
    CHECK(strstr(text, "hypura: a\\x0ahypura: forged\\x1b[0m\nhypura: xxx") == text);
    CHECK(strlen(text) < 1200);
    CHECK(text[strlen(text) - 1] == '\n');
}

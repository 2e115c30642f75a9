/* Standard output carries the result and nothing else, so its failures are failures of
 * the program; standard error carries talk, whose failures don't matter.
 *
 * Model text is hostile to a terminal (it can hold escape sequences that clear, retitle
 * or answer), so it is written byte for byte only where no terminal reads it. Since a
 * piece never ends within a character, no sequence can be put together from two pieces. */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/report.h"

void terminal_reopen_standard(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1) continue;
        int flags = fd == STDOUT_FILENO ? O_RDONLY : O_RDWR;
        if (open("/dev/null", flags) != fd) _exit(1); // lower ones are open: it gets this one
    }
}

bool terminal_is(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

bool terminal_can_draw(FILE *stream)
{
    const char *no_colour = getenv("NO_COLOR"), *name = getenv("TERM");

    return terminal_is(stream) && !(no_colour && *no_colour) && name && strcmp(name, "dumb") != 0;
}

unsigned terminal_columns(FILE *stream)
{
    struct winsize window = {0};

    if (ioctl(fileno(stream), TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return 80;
    return window.ws_col;
}

static bool is_shown_as_it_is(uint32_t code_point)
{
    if (code_point == '\t' || code_point == '\n') return true;
    return code_point >= 0x20 && !(code_point >= 0x7f && code_point < 0xa0);
}

void terminal_write_text(const char *text, size_t n_bytes)
{
    if (n_bytes == 0) return; // and `text` may be NULL
    if (!terminal_is(stdout)) {
        fwrite(text, 1, n_bytes, stdout);
        return;
    }
    for (size_t i = 0; i < n_bytes;) {
        uint32_t code_point;
        size_t n = utf8_decode(text + i, n_bytes - i, &code_point);
        bool is_literal =
            code_point != UTF8_REPLACEMENT || memcmp(text + i, "\xef\xbf\xbd", n) == 0;

        if (is_literal && is_shown_as_it_is(code_point))
            fwrite(text + i, 1, n, stdout);
        else
            for (size_t k = 0; k < n; k++) printf("\\x%02x", (unsigned)(unsigned char)text[i + k]);
        i += n;
    }
}

void terminal_write_json_string(FILE *stream, const char *text, size_t n_bytes)
{
    if (!utf8_is_valid(text, n_bytes)) {
        fputs("hex:", stream);
        for (size_t i = 0; i < n_bytes; i++)
            fprintf(stream, "%02x", (unsigned)(unsigned char)text[i]);
        return;
    }
    putc('"', stream);
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(stream, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", stream);
        else if (c < 0x20 || c == 0x7f)
            fprintf(stream, "\\u%04x", (unsigned)c);
        else
            putc(c, stream);
    }
    putc('"', stream);
}

int terminal_write_json(const char *what, Json *document)
{
    Error err = {0};

    bool ok = json_write(document, stdout, &err);
    int error_number = errno;
    json_free(document);
    if (!ok && err.id == ERROR_OUTPUT) err.id = report_write_error_id(error_number, err.id);
    if (ok || terminal_reader_is_gone()) return STATUS_OK; // terminal_finish() sees that one
    return report_error(what, &err);
}

bool terminal_reader_is_gone(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

bool terminal_flush(Error *err)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return true;
    if (errno == 0) errno = EIO; // it failed in an earlier call, whose reason is lost
    return error_set(
        err, report_write_error_id(errno, ERROR_OUTPUT), "standard output: %s", strerror(errno));
}

int terminal_finish(int status)
{
    Error err = {0};

    bool arrived = terminal_flush(&err);
    if (arrived && close(STDOUT_FILENO) != 0) // some file systems tell here that they are full
        arrived = error_set(&err, report_write_error_id(errno, ERROR_OUTPUT), "standard output: %s",
            strerror(errno));
    if (arrived) return status;
    if (terminal_reader_is_gone()) return STATUS_OF_SIGNAL + SIGPIPE;
    if (status != STATUS_OK) return status;
    return report_error("cannot write the result", &err);
}

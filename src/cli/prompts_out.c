/* Results are appended with write(2) and nothing is buffered, so that what was added survives
 * the program. A line that did not arrive whole is cut off again. */
#include "cli/prompts_out.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/report.h"

static bool fail(const PromptsOut *out, ErrorId id, int error_number, Error *err)
{
    return error_set(err, id, "%s: %s", out->name, strerror(error_number));
}

static bool open_path(PromptsOut *out, const char *path, Error *err)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;

    out->is_file = !exists || S_ISREG(status.st_mode);
    out->is_new = !exists;
    int flags = out->is_file ? O_RDWR | O_CREAT | O_APPEND : O_WRONLY;
    out->fd = open(path, flags | O_CLOEXEC, 0666);
    if (out->fd < 0) return fail(out, ERROR_USAGE, errno, err);
    if (!out->is_file) return true;
    // Where there are no locks, nobody is kept out.
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(out->fd, F_OFD_SETLK, &lock) != 0 && errno == EAGAIN)
        return error_set(err, ERROR_USAGE, "%s: another run is writing it", path);
    return true;
}

bool prompts_out_open(PromptsOut *out, const char *path, Error *err)
{
    bool is_standard = strcmp(path, "-") == 0;

    *out = (PromptsOut){.name = is_standard ? "standard output" : path, .fd = -1};
    if (is_standard) {
        out->fd = STDOUT_FILENO;
        return true;
    }
    if (input_holds_model(path)) return error_set(err, ERROR_USAGE, "%s holds a model", path);
    if (open_path(out, path, err)) return true;
    if (out->fd >= 0) close(out->fd);
    out->fd = -1;
    return false;
}

/* What a file holds, line by line. */
typedef struct Lines {
    int fd;
    char *data; // owned
    size_t n_bytes, capacity;
    size_t begin; // of the next line
} Lines;

/* The next whole line, borrowed until the next call; NULL data: there is none. */
static bool next_line(Lines *lines, StringView *line, Error *err)
{
    size_t n_looked_at = lines->begin;

    for (;;) {
        char *end = lines->n_bytes > n_looked_at
                        ? memchr(lines->data + n_looked_at, '\n', lines->n_bytes - n_looked_at)
                        : NULL;
        if (end) {
            *line = (StringView){
                lines->data + lines->begin, (size_t)(end - lines->data) - lines->begin};
            lines->begin += line->n_bytes + 1;
            return true;
        }
        if (lines->begin > 0) {
            memmove(lines->data, lines->data + lines->begin, lines->n_bytes - lines->begin);
            lines->n_bytes -= lines->begin;
            lines->begin = 0;
        }
        n_looked_at = lines->n_bytes;
        if (lines->n_bytes == lines->capacity) {
            size_t capacity = lines->capacity ? 2 * lines->capacity : 65536;
            char *data = mem_resize(MEM_OTHER, lines->data, capacity, err);
            if (!data) return false;
            lines->data = data;
            lines->capacity = capacity;
        }
        ssize_t n = read(lines->fd, lines->data + lines->n_bytes, lines->capacity - lines->n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_set(err, ERROR_READ, "%s", strerror(errno));
        *line = (StringView){0};
        if (n == 0) return true;
        lines->n_bytes += (size_t)n;
    }
}

/* Is this the result of that line? By the id; where none could be read, by the line's number. */
static bool is_result_of(StringView text, const PromptsLine *line)
{
    Json *result = json_parse(text, NULL), *asked = json_parse(line->text, NULL);
    const Json *number = json_get(result, "line");
    bool is_result = json_get(result, "error") || json_is_text(json_get(result, "text"));
    bool ok = is_result && (!number || json_get_i64(number, 0) == line->number)
              && json_is_same(json_get(result, "id"), json_get(asked, "id"));

    json_free(result);
    json_free(asked);
    return ok;
}

static bool compare_lines(PromptsOut *out, Lines *lines, const PromptsIn *in, Error *err)
{
    StringView text;

    for (;;) {
        if (!next_line(lines, &text, err)) return error_at(err, "%s", out->name);
        if (!text.data) return true;
        if (out->n_lines == in->n_lines)
            return error_set(err, ERROR_USAGE, "%s holds more than the %u results of %s", out->name,
                in->n_lines, in->name);
        const PromptsLine *line = &in->lines[out->n_lines];
        if (!is_result_of(text, line))
            return error_set(err, ERROR_USAGE, "%s: line %u is not the result of line %u of %s",
                out->name, out->n_lines + 1, line->number, in->name);
        out->n_lines++;
        out->n_bytes += text.n_bytes + 1;
    }
}

bool prompts_out_resume(PromptsOut *out, const PromptsIn *in, Error *err)
{
    Lines lines = {.fd = out->fd};

    if (!out->is_file) return true;
    bool ok = compare_lines(out, &lines, in, err);
    mem_free(MEM_OTHER, lines.data);
    if (!ok) return false;
    if (ftruncate(out->fd, (off_t)out->n_bytes) == 0) return true;
    return fail(out, ERROR_WRITE, errno, err);
}

static bool write_all(PromptsOut *out, const char *text, size_t n_bytes)
{
    for (size_t done = 0; done < n_bytes;) {
        ssize_t n = write(out->fd, text + done, n_bytes - done);
        if (n < 0 && errno != EINTR) return false;
        if (n > 0) done += (size_t)n;
    }
    return true;
}

bool prompts_out_add(PromptsOut *out, const Json *result, Error *err)
{
    size_t n_bytes = 0;
    char *text = json_line(result, &n_bytes, err);

    if (!text) return false;
    bool ok = write_all(out, text, n_bytes);
    int error_number = errno;
    mem_free(MEM_OTHER, text);
    if (ok) {
        out->n_lines++;
        out->n_bytes += n_bytes;
        out->n_added_bytes += n_bytes;
        return true;
    }
    if (out->is_file && ftruncate(out->fd, (off_t)out->n_bytes) != 0) error_number = errno;
    return fail(out, report_write_error_id(error_number, ERROR_OUTPUT), error_number, err);
}

void prompts_out_close(PromptsOut *out, bool keeps)
{
    if (out->fd < 0) return;
    if (!keeps && out->is_new && out->n_bytes == 0) (void)unlink(out->name);
    if (out->fd != STDOUT_FILENO) close(out->fd);
    *out = (PromptsOut){.fd = -1};
}

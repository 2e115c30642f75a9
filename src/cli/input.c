/* Reading what the user hands over. Files are read to their end and not by their size, so
 * that pipes and process substitution serve as well. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/interrupt.h"

static bool read_all(int fd, Text *out, Error *err)
{
    size_t capacity = 0;

    for (;;) {
        if (capacity - out->n_bytes < 2) { // a byte to read into, and the NUL
            if (out->n_bytes > INPUT_BYTES_MAX)
                return error_set(err, ERROR_USAGE, "longer than 1 GiB");
            capacity = capacity ? capacity * 2 : 65536;
            char *data = mem_resize(MEM_OTHER, out->data, capacity, err);
            if (!data) return false;
            out->data = data;
        }
        ssize_t n = read(fd, out->data + out->n_bytes, capacity - out->n_bytes - 1);
        if (n == 0) return true;
        if (n > 0) {
            out->n_bytes += (size_t)n;
            continue;
        }
        if (interrupt_signal()) return error_set(err, ERROR_INTERRUPTED, "interrupted");
        if (errno == EISDIR) return error_set(err, ERROR_USAGE, "%s", strerror(errno));
        if (errno != EINTR) return error_set(err, ERROR_READ, "%s", strerror(errno));
    }
}

bool input_read(const char *path, Text *out, Error *err)
{
    bool is_standard = strcmp(path, "-") == 0;
    const char *name = is_standard ? "standard input" : path;

    *out = (Text){0};
    int fd = is_standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_set(err, ERROR_USAGE, "%s: %s", name, strerror(errno));
    bool ok = read_all(fd, out, err) || error_at(err, "%s", name);
    if (!is_standard) close(fd);
    if (!ok) {
        input_free(out);
        return false;
    }
    out->data[out->n_bytes] = '\0';
    return true;
}

bool input_holds_model(const char *path)
{
    char magic[4] = {0};
    struct stat status;

    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) return false;
    FILE *stream = fopen(path, "rb");
    if (!stream) return false;
    size_t n = fread(magic, 1, sizeof magic, stream);
    fclose(stream);
    return n == 4 && memcmp(magic, "GGUF", 4) == 0;
}

bool input_is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;

    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev
           && of_a.st_ino == of_b.st_ino;
}

void input_drop_line_end(Text *text)
{
    if (text->n_bytes == 0 || text->data[text->n_bytes - 1] != '\n') return;
    text->data[--text->n_bytes] = '\0';
}

bool input_copy(const char *text, Text *out, Error *err)
{
    size_t n_bytes = strlen(text);

    *out = (Text){0};
    out->data = mem_copy_text(MEM_OTHER, view_of(text), err);
    if (!out->data) return false;
    out->n_bytes = n_bytes;
    return true;
}

void input_free(Text *text)
{
    mem_free(MEM_OTHER, text->data);
    *text = (Text){0};
}

static bool is_separator(char c)
{
    return c == ' ' || c == ',' || c == '\n' || c == '\t' || c == '\r';
}

static bool add_id(Ids *out, int32_t id, Error *err)
{
    if (out->n == out->capacity) {
        size_t capacity = out->capacity ? out->capacity * 2 : 256;
        int32_t *ids = mem_resize(MEM_OTHER, out->ids, capacity * sizeof *ids, err);
        if (!ids) return false;
        out->ids = ids;
        out->capacity = capacity;
    }
    out->ids[out->n++] = id;
    return true;
}

bool input_parse_ids(StringView text, Ids *out, Error *err)
{
    bool may_have_comma = false; // there is an id that no comma has followed

    for (size_t i = 0; i < text.n_bytes;) {
        int64_t id = 0;
        size_t begin = i;
        bool is_id = true;

        if (is_separator(text.data[i])) {
            bool is_comma = text.data[i] == ',';
            if (is_comma && !may_have_comma)
                return error_set(err, ERROR_USAGE, "a comma without an id in front of it");
            if (is_comma) may_have_comma = false;
            i++;
            continue;
        }
        for (; i < text.n_bytes && !is_separator(text.data[i]); i++) {
            if (text.data[i] < '0' || text.data[i] > '9') is_id = false;
            if (is_id) id = id * 10 + (text.data[i] - '0');
            if (id > INT32_MAX) is_id = false;
        }
        if (!is_id) {
            size_t n_shown = i - begin < 40 ? i - begin : 40;
            return error_set(
                err, ERROR_USAGE, "'%.*s' is not a token id", (int)n_shown, text.data + begin);
        }
        if (!add_id(out, (int32_t)id, err)) return false;
        may_have_comma = true;
    }
    return true;
}

void input_free_ids(Ids *ids)
{
    mem_free(MEM_OTHER, ids->ids);
    *ids = (Ids){0};
}

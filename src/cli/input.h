/* Text that the user gives: a file, standard input, a list of ids. */
#ifndef HYPURA_CLI_INPUT_H
#define HYPURA_CLI_INPUT_H

#include "base/error.h"
#include "base/view.h"

#define INPUT_BYTES_MAX (UINT64_C(1) << 30)

/* Any bytes; owned, NUL-terminated behind n_bytes. */
typedef struct Text {
    char *data;
    size_t n_bytes;
} Text;

/* The whole of a file; path "-": of standard input. Works with pipes. INTERRUPTED when a
 * signal asked to end meanwhile. On failure `out` is empty. */
CHECKED bool input_read(const char *path, Text *out, Error *err);

/* Does the path name a regular file that begins like a model? */
bool input_holds_model(const char *path);
/* Do both paths name one existing file? */
bool input_is_same_file(const char *a, const char *b);

/* One line end at the end does not belong to a prompt: llama.cpp drops it from files. */
void input_drop_line_end(Text *text);

CHECKED bool input_copy(const char *text, Text *out, Error *err);

void input_free(Text *text);

/* Token ids; owned. */
typedef struct Ids {
    int32_t *ids;
    size_t n, capacity;
} Ids;

/* Appends the ids of a text in which blanks and line ends separate, and single commas. */
CHECKED bool input_parse_ids(StringView text, Ids *out, Error *err);
void input_free_ids(Ids *ids);

#endif

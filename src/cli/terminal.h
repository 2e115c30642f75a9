/* The standard streams: what they are connected to, and text that is safe to show. */
#ifndef HYPURA_CLI_TERMINAL_H
#define HYPURA_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json.h"

/* Opens /dev/null in place of any of the descriptors 0 to 2 that is closed, so that no
 * file of ours gets such a number and receives text. Called before anything is opened. A
 * result still fails to be written where standard output was closed: nobody has it. */
void terminal_reopen_standard(void);

bool terminal_is(FILE *stream);

/* May the cursor be moved and colour be used? Not with NO_COLOR or TERM=dumb. */
bool terminal_can_draw(FILE *stream);

/* Width in characters; 80 if unknown. */
unsigned terminal_columns(FILE *stream);

/* Writes text that a model made to standard output: the exact bytes, but to a terminal
 * only characters, tabs and line ends; all else as \xNN. The result is buffered. */
void terminal_write_text(const char *text, size_t n_bytes);

/* Writes `text` as a JSON string, or as hex:… when it is not UTF-8. */
void terminal_write_json_string(FILE *stream, const char *text, size_t n_bytes);

/* Writes a document as the result, and frees it. Returns the exit status; a failure is
 * reported as one of `what`, unless the reader went away. */
int terminal_write_json(const char *what, Json *document);

/* Writes what is buffered for standard output. OUTPUT or DISK_FULL: not all was taken. */
CHECKED bool terminal_flush(Error *err);

/* Has the reader of standard output gone? */
bool terminal_reader_is_gone(void);

/* Ends the result: the exit status, unless `status` is an earlier failure or the result
 * did not arrive. A reader that went away is not reported: it is its own choice. */
int terminal_finish(int status);

#endif

/* The wish to end, as signals tell it. The first INT, TERM or HUP asks; a second one
 * ends the program at once. */
#ifndef HYPURA_CLI_INTERRUPT_H
#define HYPURA_CLI_INTERRUPT_H

#include <stdbool.h>
#include <stddef.h>

/* Installs the handlers; broken pipes and exceeded file sizes become errors of write(). */
void interrupt_install(void);

/* The signal that asked to end, or 0. */
int interrupt_signal(void);

/* A hypura_progress_callback for work that shows none: goes on until a signal asks to end. */
bool interrupt_goes_on(void *context, size_t done, size_t total);

/* A file that a second signal removes on the way out; NULL: none. Borrowed until the next
 * call. */
void interrupt_remove_file(const char *path);

#endif

/* What is installed beside the program: its manual page and the completion of a shell. */
#ifndef HYPURA_CLI_PAGES_H
#define HYPURA_CLI_PAGES_H

#include <stdio.h>

/* hypura(1), in the macros of man(7). */
void pages_write_manual(FILE *stream);

/* A script that bash reads: verbs, the options of each, the values of those that have few. */
void pages_write_completion(FILE *stream);

#endif

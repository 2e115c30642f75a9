/* A result file that appears whole or not at all: FILE.partial until it is committed. */
#ifndef HYPURA_CLI_PARTIAL_H
#define HYPURA_CLI_PARTIAL_H

#include "base/error.h"

typedef struct Partial {
    char *path;         // of the result; owned
    char *partial_path; // owned
    int fd;             // open for reading and writing; -1: none
} Partial;

/* Creates FILE.partial, which a second interrupt removes. USAGE: it exists, or FILE is no
 * regular file; WRITE or DISK_FULL: it cannot be created. After a failure nothing is held. */
CHECKED bool partial_open(Partial *partial, const char *path, Error *err);

/* Everything is written: gives the file its name. */
CHECKED bool partial_commit(Partial *partial, Error *err);

/* Removes what was not committed, and closes. */
void partial_destroy(Partial *partial);

#endif

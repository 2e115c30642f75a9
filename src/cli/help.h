/* Help, made from the tables of verbs and options. */
#ifndef HYPURA_CLI_HELP_H
#define HYPURA_CLI_HELP_H

#include <stdio.h>

#include "cli/verb.h"

/* All verbs, one line each. */
void help_write_overview(FILE *stream);

/* One verb: usage, details, options by group. */
void help_write_verb(FILE *stream, Verb verb);

#endif

/* Help, made from the tables of verbs and options. */
#ifndef HYPURA_CLI_HELP_H
#define HYPURA_CLI_HELP_H

#include <stdio.h>

#include "cli/options.h"

/* What MODEL and SIZE are, and the exit statuses; each ends with a line end. */
extern const char help_operands[], help_statuses[];

/* "Model and memory" */
const char *help_group_title(OptionGroup group);

/* All verbs, one line each. */
void help_write_overview(FILE *stream);

/* One verb: usage, details, options by group. */
void help_write_verb(FILE *stream, Verb verb);

#endif

/* What profile measured, for people. */
#ifndef HYPURA_CLI_PROFILE_TABLE_H
#define HYPURA_CLI_PROFILE_TABLE_H

#include <stdio.h>

#include "engine/facts.h"

/* One part for each kind of which there are facts. */
void profile_write_table(FILE *stream, const Facts *facts);

#endif

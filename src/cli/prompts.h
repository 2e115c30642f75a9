/* `hypura run --prompts FILE -o OUT`: many prompts share every pass over the weights. */
#ifndef HYPURA_CLI_PROMPTS_H
#define HYPURA_CLI_PROMPTS_H

#include "cli/options.h"

/* From the command to OUT; the exit status. */
int prompts_run(const Options *options);

#endif

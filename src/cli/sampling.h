/* From the options of the command line to how tokens are drawn. */
#ifndef HYPURA_CLI_SAMPLING_H
#define HYPURA_CLI_SAMPLING_H

#include "cli/options.h"
#include "hypura/hypura.h"

/* The library's defaults where an option is not given. A seed that is not given is drawn and,
 * unless quiet, shown; `seed` says which it is. */
hypura_sampling sampling_choose(const Options *options, OptionSeed *seed);

#endif

/* Metadata changes from the command line: --override-kv KEY=TYPE:VALUE or KEY=none. */
#ifndef HYPURA_ENGINE_OVERRIDES_H
#define HYPURA_ENGINE_OVERRIDES_H

#include "gguf/gguf.h"

/* Reads "KEY=int:V|float:V|bool:V|str:V|none". The views in `out` borrow from `text`. USAGE
 * quotes what is wrong. */
CHECKED bool override_parse(const char *text, GgufOverride *out, Error *err);

#endif

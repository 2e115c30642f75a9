/* Do two models speak of the same tokens? Only then can one guess for the other. */
#ifndef HYPURA_ENGINE_SAME_VOCABULARY_H
#define HYPURA_ENGINE_SAME_VOCABULARY_H

#include "gguf/gguf.h"

/* Tokens, their types, scores, merges, how text is cut, and the special ones; templates and names
 * may differ. DRAFT: names the first key, and the first token, that differ. */
CHECKED bool same_vocabulary(const GgufFile *model, const GgufFile *draft, Error *err);

#endif

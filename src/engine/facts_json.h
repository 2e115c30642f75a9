/* Facts as JSON: what `hypura profile --json` shows, and what is kept in the cache folder. */
#ifndef HYPURA_ENGINE_FACTS_JSON_H
#define HYPURA_ENGINE_FACTS_JSON_H

#include "base/json.h"
#include "engine/facts.h"

/* `path` names what the drive was measured through; NULL: left out. The caller frees it, by
 * json_write's errors NULL where memory ran out. */
Json *facts_to_json(const Facts *facts, const char *path);

/* False: it is not what facts_to_json makes. `out` is unchanged then. */
bool facts_from_json(const Json *json, Facts *out);

#endif

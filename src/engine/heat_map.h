/* The heat map of a model (store/heat.h) as a file of the user's cache folder, named by the
 * model's identity: header and size. A wrong or missing one costs time and never a bit, so
 * nothing that is amiss with it stops a run. */
#ifndef HYPURA_ENGINE_HEAT_MAP_H
#define HYPURA_ENGINE_HEAT_MAP_H

#include "gguf/gguf.h"
#include "store/store.h"

#define HEAT_MAP_NAME_BYTES 32

typedef struct HeatMap {
    bool is_on;
    bool can_save; // there is a folder for it
    char name[HEAT_MAP_NAME_BYTES];
    HeatIdentity identity;
    uint8_t *record; // as found; owned until heat_map_use
    size_t n_bytes;
} HeatMap;

/* Reads the file, if there is one; with will_save it makes the folder, so that saving needs no more
 * than to write beneath it. What fails is said on stderr and else as if there were no file. */
void heat_map_find(HeatMap *heat_map, const GgufFile *gguf, bool will_save);
void heat_map_destroy(HeatMap *heat_map);

/* Warms the store with what was found. False: a read of the model failed. */
CHECKED bool heat_map_use(HeatMap *heat_map, Store *store, Error *err);

/* Writes the store's heat; *n_bytes 0: there is nothing to write, or nowhere. */
CHECKED bool heat_map_save(
    const HeatMap *heat_map, const Store *store, uint64_t *n_bytes, Error *err);

#endif

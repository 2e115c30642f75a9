/* Which file a model's heat map is, and what to make of it. */
#include "engine/heat_map.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "sys/user_cache.h"

#define RECORD_BYTES_MAX (64u << 20)

void heat_map_find(HeatMap *heat_map, const GgufFile *gguf, bool will_save)
{
    Error err = {0};

    *heat_map = (HeatMap){.is_on = true,
        .identity = {.header_hash = gguf_header_hash(gguf), .n_bytes = gguf_file_bytes(gguf)}};
    snprintf(heat_map->name, sizeof heat_map->name, "heat-%016" PRIx64,
        heat_map->identity.header_hash ^ heat_map->identity.n_bytes);
    if (!user_cache_read(
            heat_map->name, RECORD_BYTES_MAX, &heat_map->record, &heat_map->n_bytes, &err))
        log_warn("the heat map cannot be read: %s", err.message);
    heat_map->can_save = will_save && user_cache_make(&err);
    if (will_save && !heat_map->can_save) log_info("no heat map will be saved: %s", err.message);
}

void heat_map_destroy(HeatMap *heat_map)
{
    mem_free(MEM_OTHER, heat_map->record);
    *heat_map = (HeatMap){0};
}

bool heat_map_use(HeatMap *heat_map, Store *store, Error *err)
{
    Error failure = {0};
    bool ok = true;

    if (!heat_map->record) return true;
    if (!store_warm(store, &heat_map->identity, heat_map->record, heat_map->n_bytes, &failure)) {
        ok = failure.id == ERROR_FORMAT_VALUE;
        if (ok)
            log_warn("the heat map %s is not used: %s", heat_map->name, failure.message);
        else
            error_set(err, failure.id, "%s", failure.message);
    }
    mem_free(MEM_OTHER, heat_map->record);
    heat_map->record = NULL;
    return ok;
}

bool heat_map_save(const HeatMap *heat_map, const Store *store, uint64_t *n_bytes, Error *err)
{
    const Heat *heat = store_heat(store);
    const Past *past = store_past(store);

    *n_bytes = 0;
    if (!heat_map->can_save || !heat || store_counters(store).n_passes == 0) return true;
    size_t record_bytes = heat_record_bytes(heat, past);
    uint8_t *record = mem_alloc(MEM_OTHER, record_bytes, err);
    if (!record) return false;
    heat_encode(heat, past, &heat_map->identity, record);
    bool ok = user_cache_write(heat_map->name, record, record_bytes, err);
    mem_free(MEM_OTHER, record);
    if (ok) *n_bytes = record_bytes;
    return ok;
}

/* The heat map: how often tokens use each expert, over all runs of a model, and what its last
 * passes used together. It outlives the process as a record, and tells the next one what to have in
 * memory before anyone asks, and what is going to be used after what.
 *
 *   magic, version, name of the hash                    8 + 4 + 12 bytes
 *   identity of the model, layers, experts, sections    8 + 8 + 4 + 4 + 4 bytes
 *   per section: id, bytes, data                        4 + 4 + n bytes
 *   hash of all before                                  8 bytes
 *
 * Numbers are little-endian. Sections of an unknown id are passed over. */
#ifndef HYPURA_STORE_HEAT_H
#define HYPURA_STORE_HEAT_H

#include "store/evict_past.h"

typedef struct Heat {
    float *uses; // [n_layers * n_expert] tokens that used the expert, in units of `unit`
    uint32_t n_layers, n_expert;
    float n_tokens; // all of them, in the same units
    float unit;     // what a token counts now: it grows instead of all uses decaying
} Heat;

/* Which model a record is about. */
typedef struct HeatIdentity {
    uint64_t header_hash;
    uint64_t n_bytes; // of all its files
} HeatIdentity;

CHECKED bool heat_init(Heat *heat, uint32_t n_layers, uint32_t n_expert, Error *err);
void heat_destroy(Heat *heat);

/* n_rows tokens go through the layers; then, layer by layer, n_rows of them use a block. */
void heat_begin_rows(Heat *heat, uint32_t n_rows);
void heat_use(Heat *heat, uint32_t block, uint32_t n_rows);

/* The share of tokens that use the block, 0 to 1; older tokens count less. */
float heat_share(const Heat *heat, uint32_t block);

size_t heat_record_bytes(const Heat *heat, const Past *past);

/* Writes heat_record_bytes at `out`. */
void heat_encode(const Heat *heat, const Past *past, const HeatIdentity *identity, uint8_t *out);

/* Takes over what the record says. FORMAT_VALUE: it is damaged, of another version or of another
 * model; the heat is then as before. */
CHECKED bool heat_decode(
    Heat *heat, const HeatIdentity *identity, const uint8_t *data, size_t n_bytes, Error *err);

/* Adds the passes of a record that heat_decode has taken, in their order, to what the past knows.
 * False: it holds none that make sense; the past is then as before. */
bool heat_decode_past(Past *past, const uint8_t *data, size_t n_bytes);

#endif

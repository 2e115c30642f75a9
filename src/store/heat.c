/* Uses decay over about a thousand tokens: long enough to outlast one answer's topic, short
 * enough to follow a user. The cache's own value (evict.h) forgets much sooner. */
#include "store/heat.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"

#define TOKENS_KEPT    1000.0f // a token counts 1/e after so many
#define UNIT_MAX       1e15f   // float32 keeps sums of units exact enough far beyond
#define VERSION        1
#define SECTION_USES   1
#define SECTION_PASSES 2
#define HASH_BYTES     8
#define HASH_NAME_SIZE 12
#define SECTION_BYTES  8 // before its data

static const char magic[8] = "hyheat\n";

static size_t n_blocks(const Heat *heat)
{
    return (size_t)heat->n_layers * heat->n_expert;
}

bool heat_init(Heat *heat, uint32_t n_layers, uint32_t n_expert, Error *err)
{
    *heat = (Heat){.n_layers = n_layers, .n_expert = n_expert, .unit = 1};
    heat->uses = mem_alloc_array(MEM_OTHER, n_blocks(heat), sizeof(float), err);
    return heat->uses != NULL;
}

void heat_destroy(Heat *heat)
{
    mem_free(MEM_OTHER, heat->uses);
    *heat = (Heat){0};
}

void heat_begin_rows(Heat *heat, uint32_t n_rows)
{
    heat->unit *= expf((float)n_rows / TOKENS_KEPT);
    heat->n_tokens += heat->unit * (float)n_rows;
    if (heat->unit < UNIT_MAX) return;
    for (size_t i = 0; i < n_blocks(heat); i++) heat->uses[i] /= heat->unit;
    heat->n_tokens /= heat->unit;
    heat->unit = 1;
}

void heat_use(Heat *heat, uint32_t block, uint32_t n_rows)
{
    assert(block < n_blocks(heat));
    heat->uses[block] += heat->unit * (float)n_rows;
}

float heat_share(const Heat *heat, uint32_t block)
{
    return heat->n_tokens > 0 ? heat->uses[block] / heat->n_tokens : 0;
}

/* ---- the record ---- */

static uint8_t *put(uint8_t *at, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
    return at + n_bytes;
}

static uint64_t get(const uint8_t **at, size_t n_bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n_bytes; i++) value |= (uint64_t)(*at)[i] << (8 * i);
    *at += n_bytes;
    return value;
}

static uint8_t *put_float(uint8_t *at, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return put(at, bits, sizeof bits);
}

static float get_float(const uint8_t **at)
{
    uint32_t bits = (uint32_t)get(at, sizeof bits);
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The part before the number of sections: what a record of this model must begin with. */
#define FIXED_BYTES (sizeof magic + 4 + HASH_NAME_SIZE + 8 + 8 + 4 + 4)

static void put_fixed(const Heat *heat, const HeatIdentity *identity, uint8_t out[FIXED_BYTES])
{
    char name[HASH_NAME_SIZE] = {0};

    for (size_t i = 0; i < sizeof name && hash_name()[i]; i++) name[i] = hash_name()[i];
    memcpy(out, magic, sizeof magic);
    uint8_t *at = put(out + sizeof magic, VERSION, 4);
    memcpy(at, name, sizeof name);
    at = put(at + sizeof name, identity->header_hash, 8);
    at = put(at, identity->n_bytes, 8);
    at = put(at, heat->n_layers, 4);
    put(at, heat->n_expert, 4);
}

/* Tokens, then each block's uses, in tokens. */
static size_t uses_bytes(const Heat *heat)
{
    return (1 + n_blocks(heat)) * sizeof(float);
}

/* Lags of passes that are written: the last PAST_PASSES, so that they have room again. */
static uint32_t n_lags(const Past *past)
{
    uint32_t n = past_n_passes(past);
    return n < PAST_PASSES ? n : PAST_PASSES;
}

static bool used_anything(const Past *past, uint32_t lag)
{
    for (uint32_t layer = 0; layer < past->n_layers; layer++)
        for (uint32_t i = 0; i < past->n_words; i++)
            if (past_set(past, lag, layer)[i] != 0) return true;
    return false;
}

static size_t pass_bytes(const Past *past)
{
    return (size_t)past->n_layers * past->n_words * sizeof(uint64_t);
}

/* Passes, oldest first, each with the words of its layers' sets. */
static size_t passes_bytes(const Past *past)
{
    size_t n_bytes = 0;

    for (uint32_t lag = 0; lag < n_lags(past); lag++)
        if (used_anything(past, lag)) n_bytes += pass_bytes(past);
    return n_bytes;
}

static uint8_t *put_passes(const Past *past, uint8_t *at)
{
    for (uint32_t lag = n_lags(past); lag-- > 0;) {
        if (!used_anything(past, lag)) continue;
        for (uint32_t layer = 0; layer < past->n_layers; layer++)
            for (uint32_t i = 0; i < past->n_words; i++)
                at = put(at, past_set(past, lag, layer)[i], sizeof(uint64_t));
    }
    return at;
}

size_t heat_record_bytes(const Heat *heat, const Past *past)
{
    return FIXED_BYTES + 4 + 2 * SECTION_BYTES + uses_bytes(heat) + passes_bytes(past) + HASH_BYTES;
}

void heat_encode(const Heat *heat, const Past *past, const HeatIdentity *identity, uint8_t *out)
{
    put_fixed(heat, identity, out);
    uint8_t *at = put(out + FIXED_BYTES, 2, 4);
    at = put(at, SECTION_USES, 4);
    at = put(at, uses_bytes(heat), 4);
    at = put_float(at, heat->n_tokens / heat->unit);
    for (size_t i = 0; i < n_blocks(heat); i++) at = put_float(at, heat->uses[i] / heat->unit);
    at = put(at, SECTION_PASSES, 4);
    at = put(at, passes_bytes(past), 4);
    at = put_passes(past, at);
    put(at, hash_bytes(out, (size_t)(at - out), 0), HASH_BYTES);
    assert(at + HASH_BYTES == out + heat_record_bytes(heat, past));
}

/* More uses than tokens there are none; rounding aside. */
static bool check_uses(const Heat *heat, const uint8_t *data)
{
    float n_tokens = get_float(&data);
    bool ok = isfinite(n_tokens) && n_tokens >= 0;

    for (size_t i = 0; i < n_blocks(heat); i++) {
        float uses = get_float(&data);
        ok = ok && uses >= 0 && uses <= 1.01f * n_tokens;
    }
    return ok;
}

static void take_uses(Heat *heat, const uint8_t *data)
{
    heat->unit = 1;
    heat->n_tokens = get_float(&data);
    for (size_t i = 0; i < n_blocks(heat); i++) heat->uses[i] = get_float(&data);
}

/* A section's data; NULL: there is none, or the sections do not fill the record. */
static const uint8_t *find_section(
    const uint8_t *at, const uint8_t *end, uint32_t wanted, size_t *n_found)
{
    uint64_t n_sections = get(&at, 4);
    const uint8_t *found = NULL;

    for (uint64_t i = 0; i < n_sections; i++) {
        if (end - at < SECTION_BYTES) return NULL;
        uint64_t id = get(&at, 4), n_bytes = get(&at, 4);
        if (n_bytes > (uint64_t)(end - at)) return NULL;
        if (id == wanted) {
            found = at;
            *n_found = n_bytes;
        }
        at += n_bytes;
    }
    return at == end ? found : NULL;
}

bool heat_decode(
    Heat *heat, const HeatIdentity *identity, const uint8_t *data, size_t n_bytes, Error *err)
{
    uint8_t wanted[FIXED_BYTES];

    if (n_bytes < FIXED_BYTES + 4 + HASH_BYTES)
        return error_set(err, ERROR_FORMAT_VALUE, "it is cut short");
    put_fixed(heat, identity, wanted);
    if (memcmp(data, wanted, sizeof magic + 4 + HASH_NAME_SIZE) != 0)
        return error_set(err, ERROR_FORMAT_VALUE, "it is none, or of another version");
    const uint8_t *end = data + n_bytes - HASH_BYTES, *at = end;
    if (get(&at, HASH_BYTES) != hash_bytes(data, (size_t)(end - data), 0))
        return error_set(err, ERROR_FORMAT_VALUE, "it is damaged");
    if (memcmp(data, wanted, FIXED_BYTES) != 0)
        return error_set(err, ERROR_FORMAT_VALUE, "it belongs to another model");
    size_t n_uses = 0;
    const uint8_t *uses = find_section(data + FIXED_BYTES, end, SECTION_USES, &n_uses);
    if (!uses || n_uses != uses_bytes(heat) || !check_uses(heat, uses))
        return error_set(err, ERROR_FORMAT_VALUE, "it says what no model does");
    take_uses(heat, uses);
    return true;
}

/* Are there whole passes, not too many, and experts of the model in them alone? */
static bool check_passes(const Past *past, const uint8_t *data, size_t n_bytes)
{
    uint32_t n_last = past->n_expert % 64; // bits of a set's last word that mean something
    uint64_t foreign = n_last > 0 ? ~UINT64_C(0) << n_last : 0;
    bool ok = n_bytes % pass_bytes(past) == 0 && n_bytes / pass_bytes(past) <= PAST_PASSES;

    for (size_t word = 1; ok && word <= n_bytes / sizeof(uint64_t); word++)
        if ((get(&data, sizeof(uint64_t)) & foreign) != 0 && word % past->n_words == 0) ok = false;
    return ok;
}

bool heat_decode_past(Past *past, const uint8_t *data, size_t n_bytes)
{
    const uint8_t *end = data + n_bytes - HASH_BYTES;
    size_t n_passes_bytes = 0;
    const uint8_t *at = find_section(data + FIXED_BYTES, end, SECTION_PASSES, &n_passes_bytes);

    if (!at || n_passes_bytes == 0 || !check_passes(past, at, n_passes_bytes)) return false;
    for (const uint8_t *last = at + n_passes_bytes; at < last;) {
        past_begin_pass(past);
        for (uint32_t layer = 0; layer < past->n_layers; layer++)
            for (uint32_t i = 0; i < past->n_words; i++)
                past_take_word(past, layer, i, get(&at, sizeof(uint64_t)));
    }
    return true;
}

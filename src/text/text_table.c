/* A hash table with open addressing over one buffer of texts. */
#include "text/text_table.h"

#include <assert.h>

#include "base/hash.h"
#include "base/mem.h"

#define TEXTS_MAX (1u << 30)

static uint32_t text_hash(StringView text)
{
    return (uint32_t)hash_bytes(text.data, text.n_bytes, 0);
}

StringView text_table_get(const TextTable *table, uint32_t number)
{
    assert(number < table->n);
    uint64_t begin = number == 0 ? 0 : table->ends[number - 1];

    return (StringView){table->data + begin, (size_t)(table->ends[number] - begin)};
}

/* The slot that holds `text`, or the free one where it belongs. n_slots is not 0. */
static TextSlot *find_slot(const TextTable *table, StringView text, uint32_t hash)
{
    for (uint32_t i = hash & (table->n_slots - 1);; i = (i + 1) & (table->n_slots - 1)) {
        TextSlot *slot = &table->slots[i];
        if (slot->number == 0) return slot;
        if (slot->hash == hash && view_equal(text_table_get(table, slot->number - 1), text))
            return slot;
    }
}

static bool grow_slots(TextTable *table, Error *err)
{
    uint32_t n_slots = table->n_slots == 0 ? 1024 : table->n_slots * 2;
    TextSlot *slots = mem_alloc_array(MEM_TEXT, n_slots, sizeof(*slots), err);

    if (!slots) return false;
    for (uint32_t i = 0; i < table->n_slots; i++) {
        if (table->slots[i].number == 0) continue;
        uint32_t at = table->slots[i].hash & (n_slots - 1);
        while (slots[at].number != 0) at = (at + 1) & (n_slots - 1);
        slots[at] = table->slots[i];
    }
    mem_free(MEM_TEXT, table->slots);
    table->slots = slots;
    table->n_slots = n_slots;
    return true;
}

/* Room for one text of n_bytes more. */
static bool reserve(TextTable *table, size_t n_bytes, Error *err)
{
    if (table->n >= TEXTS_MAX || n_bytes >= UINT32_MAX)
        return error_set(err, ERROR_TOO_LARGE, "more than %u texts, or one of 4 GiB", TEXTS_MAX);
    if (table->n_bytes + n_bytes > table->bytes_capacity) {
        uint64_t capacity = (table->n_bytes + n_bytes) * 3 / 2 + 4096;
        char *data = mem_resize(MEM_TEXT, table->data, capacity, err);
        if (!data) return false;
        table->data = data;
        table->bytes_capacity = capacity;
    }
    if (table->n == table->ends_capacity) {
        uint32_t capacity = table->n + table->n / 2 + 1024;
        uint64_t *ends = mem_resize(MEM_TEXT, table->ends, capacity * sizeof(*ends), err);
        if (!ends) return false;
        table->ends = ends;
        table->ends_capacity = capacity;
    }
    return table->n < table->n_slots / 2 || grow_slots(table, err);
}

bool text_table_add(TextTable *table, StringView text, uint32_t *number, bool *is_new, Error *err)
{
    if (!reserve(table, text.n_bytes, err)) return false;

    uint32_t hash = text_hash(text);
    TextSlot *slot = find_slot(table, text, hash);
    if (is_new) *is_new = slot->number == 0;
    if (slot->number == 0) {
        if (text.n_bytes > 0) memcpy(table->data + table->n_bytes, text.data, text.n_bytes);
        table->n_bytes += text.n_bytes;
        table->ends[table->n++] = table->n_bytes;
        *slot = (TextSlot){.hash = hash, .number = table->n};
        if (text.n_bytes > table->bytes_max) table->bytes_max = (uint32_t)text.n_bytes;
    }
    *number = slot->number - 1;
    return true;
}

uint32_t text_table_find(const TextTable *table, StringView text)
{
    if (table->n_slots == 0 || text.n_bytes > table->bytes_max) return TEXT_NONE;

    const TextSlot *slot = find_slot(table, text, text_hash(text));
    return slot->number - 1; // a free slot holds 0: TEXT_NONE
}

void text_table_destroy(TextTable *table)
{
    mem_free(MEM_TEXT, table->data);
    mem_free(MEM_TEXT, table->ends);
    mem_free(MEM_TEXT, table->slots);
    *table = (TextTable){0};
}

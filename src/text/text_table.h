/*
 * Texts by number and numbers by text: the tokens of a vocabulary. Numbers rise from 0 in
 * the order of adding; equal texts have one number. Not changed after the vocabulary is
 * made, so any number of threads may look.
 */
#ifndef HYPURA_TEXT_TEXT_TABLE_H
#define HYPURA_TEXT_TEXT_TABLE_H

#include "base/error.h"
#include "base/view.h"

#define TEXT_NONE UINT32_MAX

typedef struct TextSlot {
    uint32_t hash;
    uint32_t number; // plus one; 0: the slot is free
} TextSlot;

/* Zeroed is an empty table. Memory is of kind MEM_TEXT. */
typedef struct TextTable {
    char *data; // all texts, one behind the other
    uint64_t n_bytes, bytes_capacity;
    uint64_t *ends; // [n] where each text ends in `data`
    uint32_t n, ends_capacity;
    TextSlot *slots;    // open addressing, at most half full
    uint32_t n_slots;   // power of two, or 0
    uint32_t bytes_max; // of the longest text
} TextTable;

/* The number of `text`, added where it is new (`is_new` may be NULL). False: no memory,
 * or more than 2^30 texts; the table is as it was. */
CHECKED bool text_table_add(
    TextTable *table, StringView text, uint32_t *number, bool *is_new, Error *err);

/* The number of `text`, or TEXT_NONE. */
uint32_t text_table_find(const TextTable *table, StringView text);

/* Borrowed while the table lives and does not grow. number < n (asserted). */
StringView text_table_get(const TextTable *table, uint32_t number);

void text_table_destroy(TextTable *table);

#endif

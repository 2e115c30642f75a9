/*
 * The merging that byte-level BPE and SentencePiece share: a line of symbols in which,
 * again and again, the neighbouring pair of the lowest rank becomes one symbol, the
 * leftmost of equals first. A linked list and a heap make it n log n in time, linear in
 * memory, without recursion, whatever the text.
 */
#ifndef HYPURA_TEXT_MERGE_H
#define HYPURA_TEXT_MERGE_H

#include "base/error.h"

#define MERGE_NONE UINT32_MAX

typedef struct MergeSymbol {
    uint32_t id;         // the caller's
    uint32_t rank;       // of the pair this and next; MERGE_NONE: they do not merge
    uint32_t prev, next; // indices; MERGE_NONE at the ends
} MergeSymbol;

/* What merges. `rank` is asked for the pair (left, symbols[left].next), once each time
 * that a pair comes to be; ranks are below MERGE_NONE. */
typedef struct MergeRules {
    uint32_t (*rank)(const void *context, const MergeSymbol *symbols, uint32_t left);
    const void *context;
    const uint32_t *results; // [ranks] the id of a merged symbol; NULL: the left one's id
} MergeRules;

/* Scratch that is used again from piece to piece; zeroed is valid. */
typedef struct Merger {
    MergeSymbol *symbols;
    uint32_t n, capacity;
    uint64_t *heap; // rank << 32 | left; the least on top. May hold pairs that are no more
    uint32_t n_heap, heap_capacity;
} Merger;

/* Makes room for n symbols and sets the number; ids are the caller's to fill in. */
CHECKED bool merger_begin(Merger *merger, uint32_t n, Error *err);

/* Merges until no pair has a rank. What is left is a list from symbol 0 (n > 0). */
CHECKED bool merger_run(Merger *merger, const MergeRules *rules, Error *err);

void merger_destroy(Merger *merger);

#endif

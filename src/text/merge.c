/* The merging loop; merge.h says what it computes. */
#include "text/merge.h"

#include "base/mem.h"

bool merger_begin(Merger *merger, uint32_t n, Error *err)
{
    if (n > merger->capacity) {
        uint32_t capacity = n < 256 ? 256 : n;
        MergeSymbol *symbols =
            mem_resize(MEM_TEXT, merger->symbols, capacity * sizeof(*symbols), err);
        if (!symbols) return false;
        merger->symbols = symbols;
        merger->capacity = capacity;
    }
    merger->n = n;
    merger->n_heap = 0;
    return true;
}

static void sift_down(uint64_t *heap, uint32_t n, uint32_t at)
{
    uint64_t key = heap[at];

    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (key <= heap[child]) break;
        heap[at] = heap[child];
    }
    heap[at] = key;
}

static void sift_up(uint64_t *heap, uint32_t at)
{
    uint64_t key = heap[at];

    for (; at > 0 && heap[(at - 1) / 2] > key; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = key;
}

static uint64_t heap_pop(Merger *merger)
{
    uint64_t top = merger->heap[0];

    merger->heap[0] = merger->heap[--merger->n_heap];
    if (merger->n_heap > 0) sift_down(merger->heap, merger->n_heap, 0);
    return top;
}

static bool heap_reserve(Merger *merger, uint32_t n_more, Error *err)
{
    uint64_t wanted = (uint64_t)merger->n_heap + n_more;

    if (wanted <= merger->heap_capacity) return true;
    if (merger->heap_capacity > 0) wanted += wanted / 2;
    if (wanted > UINT32_MAX / 2)
        return error_set(err, ERROR_TOO_LARGE, "a piece of %u symbols", merger->n);
    uint64_t *heap = mem_resize(MEM_TEXT, merger->heap, wanted * sizeof(*heap), err);
    if (!heap) return false;
    merger->heap = heap;
    merger->heap_capacity = (uint32_t)wanted;
    return true;
}

/* Asks for the rank of the pair that begins at `left` and queues it; there is room. */
static void queue_pair(Merger *merger, const MergeRules *rules, uint32_t left)
{
    MergeSymbol *symbol = &merger->symbols[left];

    symbol->rank = symbol->next == MERGE_NONE ? MERGE_NONE
                                              : rules->rank(rules->context, merger->symbols, left);
    if (symbol->rank != MERGE_NONE)
        merger->heap[merger->n_heap++] = (uint64_t)symbol->rank << 32 | left;
}

/* The right neighbour of `left` leaves the list and takes its bytes into `left`. */
static void join(Merger *merger, const MergeRules *rules, uint32_t left)
{
    MergeSymbol *symbols = merger->symbols;
    uint32_t right = symbols[left].next;

    if (rules->results) symbols[left].id = rules->results[symbols[left].rank];
    symbols[left].next = symbols[right].next;
    if (symbols[left].next != MERGE_NONE) symbols[symbols[left].next].prev = left;
    symbols[right].rank = MERGE_NONE;
}

static void queue_and_sift(Merger *merger, const MergeRules *rules, uint32_t left)
{
    uint32_t n_heap = merger->n_heap;

    queue_pair(merger, rules, left);
    if (merger->n_heap > n_heap) sift_up(merger->heap, n_heap);
}

bool merger_run(Merger *merger, const MergeRules *rules, Error *err)
{
    MergeSymbol *symbols = merger->symbols;
    uint32_t n = merger->n;

    if (!heap_reserve(merger, n, err)) return false;
    for (uint32_t i = 0; i < n; i++) {
        symbols[i].prev = i == 0 ? MERGE_NONE : i - 1;
        symbols[i].next = i + 1 == n ? MERGE_NONE : i + 1;
    }
    for (uint32_t i = 0; i < n; i++) queue_pair(merger, rules, i);
    for (uint32_t i = merger->n_heap / 2; i-- > 0;) sift_down(merger->heap, merger->n_heap, i);

    while (merger->n_heap > 0) {
        uint64_t key = heap_pop(merger);
        uint32_t left = (uint32_t)key;
        if (symbols[left].rank != key >> 32) continue; // an earlier merge took part of it
        if (!heap_reserve(merger, 2, err)) return false;
        join(merger, rules, left);
        queue_and_sift(merger, rules, left);
        if (symbols[left].prev != MERGE_NONE) queue_and_sift(merger, rules, symbols[left].prev);
    }
    return true;
}

void merger_destroy(Merger *merger)
{
    mem_free(MEM_TEXT, merger->symbols);
    mem_free(MEM_TEXT, merger->heap);
    *merger = (Merger){0};
}

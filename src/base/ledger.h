/* The memory budget: who holds how much, and who may have more. One per process,
 * any thread. Booking happens before memory is taken, so the ledger refuses first. */
#ifndef HYPURA_BASE_LEDGER_H
#define HYPURA_BASE_LEDGER_H

#include "base/error.h"

typedef enum MemKind {
    MEM_TRUNK,   // small tensors, always resident
    MEM_CACHE,   // resident dense blocks and expert slots
    MEM_RING,    // streaming slots
    MEM_STATE,   // keys and values, other sequence state
    MEM_SCRATCH, // activations of a pass
    MEM_TEXT,    // vocabulary, templates
    MEM_SERVER,
    MEM_OTHER,
    MEM_KINDS
} MemKind;

const char *mem_kind_name(MemKind kind);

/* The most that all kinds together may hold; 0: no limit. */
void ledger_set_limit(uint64_t n_bytes);
uint64_t ledger_limit(void);

/* Books n_bytes or refuses with BUDGET, naming kind, wanted, held and limit. */
CHECKED bool ledger_book(MemKind kind, uint64_t n_bytes, Error *err);
void ledger_release(MemKind kind, uint64_t n_bytes);

uint64_t ledger_held(MemKind kind);
uint64_t ledger_total(void);
uint64_t ledger_peak(void);

#endif

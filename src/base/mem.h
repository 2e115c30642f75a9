/* Allocation by kinds: every byte is booked in the ledger first, and any allocation
 * can be made to fail by number (base/fault.h). */
#ifndef HYPURA_BASE_MEM_H
#define HYPURA_BASE_MEM_H

#include "base/error.h"
#include "base/ledger.h"
#include "base/view.h"

/* Zeroed memory, 16-byte aligned; never NULL for n_bytes 0. NULL: failed, `err` says why. */
CHECKED void *mem_alloc(MemKind kind, size_t n_bytes, Error *err);

/* Room for n elements of a size, the product checked. Zeroed. */
CHECKED void *mem_alloc_array(MemKind kind, size_t n, size_t element_bytes, Error *err);

/* Grows or shrinks; new bytes are zeroed. On failure NULL, and `data` stays valid. */
CHECKED void *mem_resize(MemKind kind, void *data, size_t n_bytes, Error *err);

/* NULL is fine. The kind must be the one it was allocated with (asserted). */
void mem_free(MemKind kind, void *data);

/* A NUL-terminated copy; the caller frees it with mem_free(kind, …). */
CHECKED char *mem_copy_text(MemKind kind, StringView text, Error *err);

#endif

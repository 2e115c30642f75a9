/*
 * Sixteen bytes before each allocation hold its size and kind, so that freeing needs
 * neither and a wrong kind is found at once. They are booked with the rest: the ledger
 * shows what was asked of the system, less the system's own overhead.
 */
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/size.h"

#define HEADER_MARK 0x4d656d31u // changed when freed

typedef struct MemHeader {
    uint64_t booked_bytes; // with this header
    uint32_t kind;
    uint32_t mark;
} MemHeader;

_Static_assert(sizeof(MemHeader) == 16, "the header keeps the alignment of what follows");

static MemHeader *header_of(MemKind kind, void *data)
{
    MemHeader *header = (MemHeader *)data - 1;

    assert(header->mark == HEADER_MARK);
    assert(header->kind == (uint32_t)kind);
    return header;
}

static void set_out_of_memory(MemKind kind, size_t n_bytes, Error *err)
{
    error_set(err, ERROR_OUT_OF_MEMORY, "the system has no %zu bytes for %s", n_bytes,
        mem_kind_name(kind));
}

void *mem_alloc(MemKind kind, size_t n_bytes, Error *err)
{
    uint64_t booked_bytes;

    if (!size_add(n_bytes, sizeof(MemHeader), &booked_bytes)) {
        error_set(err, ERROR_TOO_LARGE, "%zu bytes for %s", n_bytes, mem_kind_name(kind));
        return NULL;
    }
    if (!ledger_book(kind, booked_bytes, err)) return NULL;

    MemHeader *header = fault_hits(FAULT_ALLOC) ? NULL : calloc(1, booked_bytes);
    if (!header) {
        ledger_release(kind, booked_bytes);
        set_out_of_memory(kind, n_bytes, err);
        return NULL;
    }
    *header = (MemHeader){booked_bytes, (uint32_t)kind, HEADER_MARK};
    return header + 1;
}

void *mem_alloc_array(MemKind kind, size_t n, size_t element_bytes, Error *err)
{
    uint64_t n_bytes;

    if (!size_mul(n, element_bytes, &n_bytes)) {
        error_set(err, ERROR_TOO_LARGE, "%zu elements of %zu bytes for %s", n, element_bytes,
            mem_kind_name(kind));
        return NULL;
    }
    return mem_alloc(kind, n_bytes, err);
}

/* Grows by booking first; shrinks by releasing last: the ledger is never below the truth. */
void *mem_resize(MemKind kind, void *data, size_t n_bytes, Error *err)
{
    uint64_t new_bytes;

    if (!data) return mem_alloc(kind, n_bytes, err);
    MemHeader *header = header_of(kind, data);
    uint64_t old_bytes = header->booked_bytes;

    if (!size_add(n_bytes, sizeof(MemHeader), &new_bytes)) {
        error_set(err, ERROR_TOO_LARGE, "%zu bytes for %s", n_bytes, mem_kind_name(kind));
        return NULL;
    }
    if (new_bytes > old_bytes && !ledger_book(kind, new_bytes - old_bytes, err)) return NULL;

    MemHeader *moved = fault_hits(FAULT_ALLOC) ? NULL : realloc(header, new_bytes);
    if (!moved) {
        if (new_bytes > old_bytes) ledger_release(kind, new_bytes - old_bytes);
        set_out_of_memory(kind, n_bytes, err);
        return NULL;
    }
    moved->booked_bytes = new_bytes;
    if (new_bytes > old_bytes)
        memset((char *)moved + old_bytes, 0, new_bytes - old_bytes);
    else
        ledger_release(kind, old_bytes - new_bytes);
    return moved + 1;
}

void mem_free(MemKind kind, void *data)
{
    if (!data) return;
    MemHeader *header = header_of(kind, data);

    ledger_release(kind, header->booked_bytes);
    header->mark = 0;
    free(header);
}

char *mem_copy_text(MemKind kind, StringView text, Error *err)
{
    uint64_t n_bytes;

    if (!size_add(text.n_bytes, 1, &n_bytes)) {
        error_set(err, ERROR_TOO_LARGE, "%zu bytes of text", text.n_bytes);
        return NULL;
    }
    char *copy = mem_alloc(kind, n_bytes, err);
    if (copy && text.n_bytes > 0) memcpy(copy, text.data, text.n_bytes);
    return copy;
}

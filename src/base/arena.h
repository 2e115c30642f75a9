/* Memory that dies together: many small allocations, one release. */
#ifndef HYPURA_BASE_ARENA_H
#define HYPURA_BASE_ARENA_H

#include "base/mem.h"

typedef struct ArenaChunk ArenaChunk;

/* Zeroed is a valid empty arena of kind MEM_TRUNK; use arena_init for another. */
typedef struct Arena {
    MemKind kind;
    ArenaChunk *chunks; // newest first
} Arena;

void arena_init(Arena *arena, MemKind kind);
/* Zeroed, 16-byte aligned, alive until arena_destroy. NULL: failed. */
CHECKED void *arena_alloc(Arena *arena, size_t n_bytes, Error *err);
CHECKED void *arena_alloc_array(Arena *arena, size_t n, size_t element_bytes, Error *err);
/* A NUL-terminated copy. */
CHECKED char *arena_copy_text(Arena *arena, StringView text, Error *err);
void arena_destroy(Arena *arena);

#endif

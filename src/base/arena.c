/*
 * A list of chunks, newest first; allocations fill the newest. Chunks double from 4 KiB
 * to 256 KiB, so that a small arena is small and a vocabulary takes few calls. What
 * would waste most of a chunk gets one of its own, put behind the newest, which stays in
 * use. Nothing is ever moved: pointers are good until arena_destroy().
 */
#include "base/arena.h"

#include <assert.h>
#include <string.h>

#include "base/size.h"

#define CHUNK_BYTES_MIN 4096u
#define CHUNK_BYTES_MAX 262144u

struct ArenaChunk {
    ArenaChunk *next;
    size_t data_bytes, used_bytes;
    size_t reserved; // keeps the data behind it aligned
};

_Static_assert(sizeof(ArenaChunk) % 16 == 0, "data follows at a multiple of 16");

void arena_init(Arena *arena, MemKind kind)
{
    *arena = (Arena){.kind = kind};
}

static ArenaChunk *create_chunk(MemKind kind, uint64_t data_bytes, Error *err)
{
    uint64_t chunk_bytes;

    if (!size_add(data_bytes, sizeof(ArenaChunk), &chunk_bytes)) {
        error_set(err, ERROR_TOO_LARGE, "%zu bytes in an arena", (size_t)data_bytes);
        return NULL;
    }
    ArenaChunk *chunk = mem_alloc(kind, chunk_bytes, err);
    if (chunk) chunk->data_bytes = data_bytes;
    return chunk;
}

static void *take_from(ArenaChunk *chunk, size_t n_bytes)
{
    assert(n_bytes <= chunk->data_bytes - chunk->used_bytes);
    char *data = (char *)(chunk + 1) + chunk->used_bytes;

    chunk->used_bytes += n_bytes;
    return data;
}

static size_t next_chunk_bytes(const Arena *arena)
{
    size_t n_bytes = CHUNK_BYTES_MIN;

    for (const ArenaChunk *chunk = arena->chunks; chunk; chunk = chunk->next)
        if (n_bytes <= chunk->data_bytes && n_bytes < CHUNK_BYTES_MAX) n_bytes *= 2;
    return n_bytes;
}

void *arena_alloc(Arena *arena, size_t n_bytes, Error *err)
{
    ArenaChunk *newest = arena->chunks;

    if (n_bytes > SIZE_MAX - 15) {
        error_set(err, ERROR_TOO_LARGE, "%zu bytes in an arena", n_bytes);
        return NULL;
    }
    n_bytes = size_align_up(n_bytes, 16);
    if (newest && n_bytes <= newest->data_bytes - newest->used_bytes)
        return take_from(newest, n_bytes);

    size_t chunk_bytes = next_chunk_bytes(arena);
    bool is_large = n_bytes > chunk_bytes / 4;
    ArenaChunk *chunk = create_chunk(arena->kind, is_large ? n_bytes : chunk_bytes, err);
    if (!chunk) return NULL;
    if (is_large && newest) {
        chunk->next = newest->next;
        newest->next = chunk;
    } else {
        chunk->next = newest;
        arena->chunks = chunk;
    }
    return take_from(chunk, n_bytes);
}

void *arena_alloc_array(Arena *arena, size_t n, size_t element_bytes, Error *err)
{
    uint64_t n_bytes;

    if (!size_mul(n, element_bytes, &n_bytes)) {
        error_set(err, ERROR_TOO_LARGE, "%zu elements of %zu bytes", n, element_bytes);
        return NULL;
    }
    return arena_alloc(arena, n_bytes, err);
}

char *arena_copy_text(Arena *arena, StringView text, Error *err)
{
    if (text.n_bytes == SIZE_MAX) {
        error_set(err, ERROR_TOO_LARGE, "%zu bytes of text", text.n_bytes);
        return NULL;
    }
    char *copy = arena_alloc(arena, text.n_bytes + 1, err);
    if (copy && text.n_bytes > 0) memcpy(copy, text.data, text.n_bytes);
    return copy;
}

void arena_destroy(Arena *arena)
{
    while (arena->chunks) {
        ArenaChunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        mem_free(arena->kind, chunk);
    }
    *arena = (Arena){0};
}

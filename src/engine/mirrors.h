/* Further copies of a model (--mirror), each with all its parts: opened, and held against the
 * model by size and header before a byte of their weights is believed. */
#ifndef HYPURA_ENGINE_MIRRORS_H
#define HYPURA_ENGINE_MIRRORS_H

#include "gguf/gguf.h"
#include "store/sources.h"

#define MIRRORS_MAX (SOURCES_MAX - 1)

typedef struct Mirrors {
    GgufFile *copies[MIRRORS_MAX]; // owned
    uint32_t n;
    File *files; // [1 + n][shards] the model's and theirs, as the store wants them; owned, but for
                 // what the elements hold
} Mirrors;

/* USAGE: too many, or a file is named twice. MIRROR: one is not a copy of the model. Else as
 * gguf_open. `gguf` is borrowed. Afterwards mirrors_close, whatever came of it. */
CHECKED bool mirrors_open(
    Mirrors *out, const GgufFile *gguf, const char *const *paths, size_t n, Error *err);
void mirrors_close(Mirrors *mirrors);

#endif

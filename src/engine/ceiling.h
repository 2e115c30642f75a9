/* The drive's ceiling on a model's own bytes: windows of reads that a run is compared with, of its
 * read size and depth, on its extents, in turn with it. */
#ifndef HYPURA_ENGINE_CEILING_H
#define HYPURA_ENGINE_CEILING_H

#include "base/error.h"

typedef struct Ceiling Ceiling;

/* By any shard of the model. NULL: failed. */
CHECKED Ceiling *ceiling_open(const char *path, Error *err);
void ceiling_close(Ceiling *ceiling);

/* Direct reads at random places for about `seconds`. The size is rounded to what direct reads of a
 * window take (64 KiB); *bytes_per_s is 0 where the file system has none. */
CHECKED bool ceiling_measure(Ceiling *ceiling, uint32_t read_bytes, uint32_t depth, double seconds,
    double *bytes_per_s, Error *err);

#endif

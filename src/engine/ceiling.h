/* The drive's ceiling on a model's own bytes: windows of reads that a run is compared with, of its
 * read size and depth, in turn with it. Of a dense model they are the run's own reads. */
#ifndef HYPURA_ENGINE_CEILING_H
#define HYPURA_ENGINE_CEILING_H

#include "base/error.h"

typedef struct Ceiling Ceiling;

/* By any shard of the model. NULL: failed. */
CHECKED Ceiling *ceiling_open(const char *path, Error *err);
/* From now on the windows make the reads of a run whose weights may take weights_bytes, in its
 * order, where these are known (streamed.h); else reads at random places, as before. */
CHECKED bool ceiling_follow(Ceiling *ceiling, uint64_t weights_bytes, Error *err);
void ceiling_close(Ceiling *ceiling);

/* Direct reads for about `seconds`. At random places the size is rounded to what a window takes
 * (4 KiB), a run's own reads have theirs; *bytes_per_s is 0 where the file system has none. */
CHECKED bool ceiling_measure(Ceiling *ceiling, uint32_t read_bytes, uint32_t depth, double seconds,
    double *bytes_per_s, Error *err);

#endif

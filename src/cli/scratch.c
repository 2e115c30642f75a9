/* Bytes that no drive or file system can pack, written past the page cache and flushed: reads of
 * them afterwards go to the drive. It is a partial result that is never committed. */
#include "cli/scratch.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/size.h"
#include "cli/interrupt.h"
#include "cli/synth_file.h"
#include "sys/pages.h"

#define CHUNK_BYTES ((uint64_t)4 << 20)
#define FILE_NAME   "hypura-profile" // with .partial behind it

static bool write_chunks(int fd, uint64_t n_bytes, Error *err)
{
    Rng rng = rng_seeded(n_bytes);
    Pages chunk = {0};
    bool ok = pages_map(&chunk, MEM_OTHER, CHUNK_BYTES, PAGES_NOW, err);

    for (uint64_t done = 0; ok && done < n_bytes; done += CHUNK_BYTES) {
        if (interrupt_signal()) {
            ok = error_set(err, ERROR_INTERRUPTED, "interrupted");
            break;
        }
        rng_fill(&rng, chunk.data, CHUNK_BYTES);
        ok = synth_file_write(fd, done, chunk.data, CHUNK_BYTES, err);
    }
    pages_unmap(&chunk, MEM_OTHER);
    return ok;
}

bool scratch_write(Partial *scratch, const char *folder, uint64_t n_bytes, Error *err)
{
    size_t path_bytes = strlen(folder) + sizeof("/" FILE_NAME);
    char *path = mem_alloc(MEM_OTHER, path_bytes, err);

    if (!path) return false;
    snprintf(path, path_bytes, "%s/%s", folder, FILE_NAME);
    bool ok = partial_open(scratch, path, err);
    mem_free(MEM_OTHER, path);
    if (!ok) return false;
    n_bytes = size_align_up(n_bytes, CHUNK_BYTES);
    if (synth_file_begin(scratch->fd, n_bytes, err) && write_chunks(scratch->fd, n_bytes, err)
        && synth_file_end(scratch->fd, n_bytes, err))
        return true;
    error_at(err, "%s", scratch->partial_path);
    partial_destroy(scratch);
    return false;
}

void scratch_remove(Partial *scratch)
{
    partial_destroy(scratch);
}

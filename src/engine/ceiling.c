/* The files are the model's, opened by its header; the window is profile's. */
#include "engine/ceiling.h"

#include "base/mem.h"
#include "base/size.h"
#include "engine/measure_window.h"
#include "engine/streamed.h"
#include "gguf/gguf.h"

#define GRAIN_BYTES      (4u << 10) // a window's reads at random places are multiples of it
#define RING_GRAIN_BYTES (1u << 20) // places of a run's reads, as in its ring

struct Ceiling {
    GgufFile *gguf;
    DriveField field;
    ReadRequest *listed;   // owned; NULL: none are known
    uint32_t listed_bytes; // of the largest
};

Ceiling *ceiling_open(const char *path, Error *err)
{
    Ceiling *ceiling = mem_alloc(MEM_OTHER, sizeof *ceiling, err);

    if (!ceiling) return NULL;
    ceiling->gguf = gguf_open(path, GGUF_METADATA_ONLY, NULL, 0, err);
    if (ceiling->gguf
        && drive_field_init(
            &ceiling->field, gguf_shards(ceiling->gguf), gguf_n_shards(ceiling->gguf), err))
        return ceiling;
    ceiling_close(ceiling);
    return NULL;
}

void ceiling_close(Ceiling *ceiling)
{
    if (!ceiling) return;
    drive_field_destroy(&ceiling->field);
    mem_free(MEM_OTHER, ceiling->listed);
    gguf_close(ceiling->gguf);
    mem_free(MEM_OTHER, ceiling);
}

bool ceiling_follow(Ceiling *ceiling, uint64_t weights_bytes, Error *err)
{
    ReadRequest *reads = NULL;
    uint32_t n = 0;

    if (!streamed_reads(ceiling->gguf, weights_bytes, &reads, &n, err)) return false;
    mem_free(MEM_OTHER, ceiling->listed);
    ceiling->listed = reads;
    ceiling->listed_bytes = 0;
    ceiling->field.listed = reads;
    ceiling->field.n_listed = n;
    for (uint32_t i = 0; i < n; i++)
        if (reads[i].n_bytes > ceiling->listed_bytes) ceiling->listed_bytes = reads[i].n_bytes;
    return true;
}

bool ceiling_measure(Ceiling *ceiling, uint32_t read_bytes, uint32_t depth, double seconds,
    double *bytes_per_s, Error *err)
{
    uint32_t n_grains = (read_bytes + GRAIN_BYTES / 2) / GRAIN_BYTES;
    DriveShape shape = {.read_bytes = (n_grains > 0 ? n_grains : 1) * GRAIN_BYTES,
        .depth = depth < 1                 ? 1
                 : depth < DRIVE_DEPTH_MAX ? depth
                                           : DRIVE_DEPTH_MAX,
        .backend = READ_AUTO};
    if (ceiling->listed_bytes > 0) {
        shape.is_listed = true;
        shape.read_bytes = (uint32_t)size_align_up(ceiling->listed_bytes, RING_GRAIN_BYTES);
    }
    uint64_t depth_max = DRIVE_IN_FLIGHT_MAX / shape.read_bytes;

    if (shape.depth > depth_max) shape.depth = (uint32_t)depth_max;
    return measure_drive_window(
        &ceiling->field, &shape, (uint64_t)(seconds * 1e9), bytes_per_s, err);
}

/* The files are the model's, opened by its header; the window is profile's. */
#include "engine/ceiling.h"

#include "base/mem.h"
#include "engine/measure_window.h"
#include "gguf/gguf.h"

#define GRAIN_BYTES (64u << 10) // a window's reads are multiples of it

struct Ceiling {
    GgufFile *gguf;
    DriveField field;
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
    gguf_close(ceiling->gguf);
    mem_free(MEM_OTHER, ceiling);
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
    uint64_t depth_max = DRIVE_IN_FLIGHT_MAX / shape.read_bytes;

    if (shape.depth > depth_max) shape.depth = (uint32_t)depth_max;
    return measure_drive_window(
        &ceiling->field, &shape, (uint64_t)(seconds * 1e9), bytes_per_s, err);
}

/* One mover and a few slots that take turns: piece i is read into slot i modulo their number, and
 * waited for in this order, so all others are in flight meanwhile. */
#include "store/scan.h"

#include "store/mover.h"
#include "store/places.h"
#include "sys/read_sim.h"

#define N_SLOTS 16u

typedef struct Scan {
    const ScanOptions *options;
    Mover mover;
    Places places;
    Slot slots[N_SLOTS];
    Extent extents[N_SLOTS];
    uint32_t next_file; // of the next piece to ask for
    uint64_t next_offset_bytes;
} Scan;

static bool start(Scan *scan, Error *err)
{
    const ScanOptions *options = scan->options;
    ReaderOptions reader = {.backend = options->backend,
        .direct = options->direct,
        .files = options->files,
        .n_files = options->n_files,
        .buffers = &scan->places.pages,
        .n_buffers = 1,
        .sim = options->sim};
    uint32_t alignment = reader_probe_alignment(options->files, options->n_files, options->direct);

    if (options->backend == READ_SIM && options->sim->alignment > 0)
        alignment = options->sim->alignment;
    if (!places_init(&scan->places, MEM_OTHER, (uint64_t)N_SLOTS * SCAN_PIECE_BYTES, alignment,
            PAGES_NOW, err))
        return false;
    for (uint32_t i = 0; i < N_SLOTS; i++)
        scan->slots[i].data = places_take(&scan->places, SCAN_PIECE_BYTES);
    return mover_init(&scan->mover, &reader, alignment, err);
}

/* Begins to read the next piece; false: there is none. */
static bool ask(Scan *scan, uint32_t index)
{
    const ScanOptions *options = scan->options;

    while (scan->next_file < options->n_files
           && scan->next_offset_bytes == options->files[scan->next_file].n_bytes) {
        scan->next_file++;
        scan->next_offset_bytes = 0;
    }
    if (scan->next_file == options->n_files) return false;

    uint64_t n_left = options->files[scan->next_file].n_bytes - scan->next_offset_bytes;
    uint64_t n_bytes = n_left < SCAN_PIECE_BYTES ? n_left : SCAN_PIECE_BYTES;
    scan->extents[index] = (Extent){.file = scan->next_file,
        .n_bytes = (uint32_t)n_bytes,
        .offset_bytes = scan->next_offset_bytes};
    mover_read(&scan->mover, &scan->slots[index], &scan->extents[index], 1, MOVE_DEMAND);
    scan->next_offset_bytes += n_bytes;
    return true;
}

static bool take(Scan *scan, uint32_t index, Error *err)
{
    const Extent *extent = &scan->extents[index];
    Slot *slot = &scan->slots[index];
    ScanPiece piece = {.file = extent->file,
        .offset_bytes = extent->offset_bytes,
        .data = slot->data,
        .n_bytes = extent->n_bytes};

    if (!mover_await(&scan->mover, slot, err)) return false;
    if (!scan->options->take(scan->options->context, &piece, err)) return false;
    slot_move(slot, SLOT_FREE);
    return true;
}

static bool run(Scan *scan, Error *err)
{
    uint64_t n_asked = 0, n_taken = 0;

    while (n_asked < N_SLOTS && ask(scan, (uint32_t)n_asked)) n_asked++;
    if (!mover_submit(&scan->mover, err)) return false;
    for (; n_taken < n_asked; n_taken++) {
        uint32_t index = (uint32_t)(n_taken % N_SLOTS);
        if (!take(scan, index, err)) return false;
        n_asked += ask(scan, index);
        if (!mover_poll(&scan->mover, err) || !mover_submit(&scan->mover, err)) return false;
    }
    return mover_check_files(&scan->mover, err);
}

bool scan_files(const ScanOptions *options, Error *err)
{
    Scan *scan = mem_alloc(MEM_OTHER, sizeof *scan, err);

    if (!scan) return false;
    scan->options = options;
    bool ok = start(scan, err) && run(scan, err);
    mover_destroy(&scan->mover); // first: until it returns, memory belongs to reads
    places_destroy(&scan->places);
    mem_free(MEM_OTHER, scan);
    return ok;
}

/* A window goes through sys/read, as the store reads. It measures a full queue: the time before
 * the first `depth` reads are back belongs to filling it, that after the end to draining it. */
#include "engine/measure_window.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/size.h"
#include "sys/read_sim.h"

#define SIM_TICK_NS     1000000u
#define HUGE_PAGE_BYTES ((uint64_t)2 << 20)
#define TIMES_LATE_MAX  3 // a window ends after so many times its length

bool drive_field_init_extents(DriveField *field, const File *files, uint32_t n_files,
    const FileExtent *extents, uint32_t n_extents, Error *err)
{
    FileExtent *copy = mem_alloc_array(MEM_OTHER, n_extents, sizeof(*copy), err);

    if (!copy) return false;
    *field =
        (DriveField){.files = files, .n_files = n_files, .extents = copy, .n_extents = n_extents};
    if (n_extents > 0) memcpy(copy, extents, n_extents * sizeof(*copy));
    for (uint32_t i = 0; i < n_extents; i++) field->n_bytes += extents[i].n_bytes;
    return true;
}

bool drive_field_init(DriveField *field, const File *files, uint32_t n_files, Error *err)
{
    FileExtent *extents = mem_alloc_array(MEM_OTHER, DRIVE_EXTENTS_MAX, sizeof(*extents), err);
    uint32_t n_extents = 0;
    bool ok = extents;

    for (uint32_t i = 0; ok && i < n_files; i++) {
        uint32_t n = 0;
        ok =
            extents_find(&files[i], i, extents + n_extents, DRIVE_EXTENTS_MAX - n_extents, &n, err);
        n_extents += n;
    }
    ok = ok && drive_field_init_extents(field, files, n_files, extents, n_extents, err);
    mem_free(MEM_OTHER, extents);
    return ok;
}

void drive_field_destroy(DriveField *field)
{
    pages_unmap(&field->pages, MEM_OTHER);
    mem_free(MEM_OTHER, field->extents);
    *field = (DriveField){0};
}

typedef struct Window {
    DriveField *field;
    const DriveShape *shape;
    Reader *reader;
    uint64_t n_places; // of reads in the extents
    uint64_t stride;   // between two random places, in reads; has no divisor with n_places
    uint64_t offsets[DRIVE_DEPTH_MAX]; // of the reads in flight, for messages
    uint32_t files[DRIVE_DEPTH_MAX];
    uint32_t n_bytes[DRIVE_DEPTH_MAX];
    uint64_t n_back; // reads that came back
    uint64_t back_bytes;
    uint64_t start_ns, full_ns, last_ns;
    uint64_t full_bytes; // of back_bytes, those up to full_ns
} Window;

static uint64_t window_now_ns(const Window *window)
{
    const ReadSim *sim = window->field->sim;

    return sim ? sim->counts.ticks * SIM_TICK_NS : clock_now_ns();
}

/* Whole aligned reads in an extent, and where the first begins. */
static uint64_t places_in(
    const FileExtent *extent, uint32_t read_bytes, uint32_t alignment, uint64_t *first_offset)
{
    uint64_t begin = size_align_up(extent->offset_bytes, alignment);
    uint64_t end = extent->offset_bytes + extent->n_bytes;

    *first_offset = begin;
    return end > begin ? (end - begin) / read_bytes : 0;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b > 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Steps near the golden section of all places spread evenly whatever their number, and visit each
 * place before any of them twice. */
static uint64_t stride_for(uint64_t n_places)
{
    uint64_t stride = (uint64_t)((double)n_places * 0.6180339887498949);

    if (stride == 0) stride = 1;
    while (greatest_divisor(stride, n_places) != 1) stride++;
    return stride;
}

static uint64_t next_place(Window *window)
{
    DriveField *field = window->field;

    if (window->shape->is_sequential) {
        uint64_t place = field->next_bytes / window->shape->read_bytes % window->n_places;
        field->next_bytes += window->shape->read_bytes;
        return place;
    }
    // No overflow: both factors are below n_places, which 256 TiB of files keep below 2^32.
    return field->n_drawn++ % window->n_places * window->stride % window->n_places;
}

/* The read whose turn it is. */
static ReadRequest next_read(Window *window)
{
    DriveField *field = window->field;
    uint32_t read_bytes = window->shape->read_bytes, alignment = reader_alignment(window->reader);
    uint64_t first_offset = 0;
    uint32_t e = 0;

    if (window->shape->is_listed) return field->listed[field->n_drawn++ % field->n_listed];
    for (uint64_t place = next_place(window);; e++) {
        assert(e < field->n_extents);
        uint64_t n = places_in(&field->extents[e], read_bytes, alignment, &first_offset);
        if (place >= n) {
            place -= n;
            continue;
        }
        return (ReadRequest){.offset_bytes = first_offset + place * read_bytes,
            .n_bytes = read_bytes,
            .file = field->extents[e].file};
    }
}

/* All that are free again go out at once, as a store's do. */
static bool submit(Window *window, const uint32_t *slots, uint32_t n, Error *err)
{
    ReadRequest requests[DRIVE_DEPTH_MAX];

    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = slots[i];
        requests[i] = next_read(window);
        assert(requests[i].n_bytes <= window->shape->read_bytes);
        requests[i].tag = slot;
        requests[i].data = window->field->pages.data + (uint64_t)slot * window->shape->read_bytes;
        window->offsets[slot] = requests[i].offset_bytes;
        window->files[slot] = requests[i].file;
        window->n_bytes[slot] = requests[i].n_bytes;
    }
    return reader_submit(window->reader, requests, n, err);
}

static bool take(Window *window, const ReadCompletion *completion, Error *err)
{
    uint32_t slot = (uint32_t)completion->tag; // below the depth
    const char *path = window->field->files[window->files[slot]].path;

    if (completion->result < 0)
        return error_set(err, ERROR_READ, "%s: cannot read at byte %" PRIu64 ": %s", path,
            window->offsets[slot], strerror((int)-completion->result));
    if (completion->result != window->n_bytes[slot])
        return error_set(err, ERROR_FILE_CHANGED,
            "%s: a read at byte %" PRIu64 " gave %" PRId64 " bytes of %u", path,
            window->offsets[slot], completion->result, window->n_bytes[slot]);
    window->n_back++;
    window->back_bytes += window->n_bytes[slot];
    return true;
}

static bool window_is_over(const Window *window, uint64_t window_ns)
{
    uint64_t elapsed_ns = window->last_ns - window->start_ns;

    if (elapsed_ns >= TIMES_LATE_MAX * window_ns && window_ns > 0) return true;
    return elapsed_ns >= window_ns && window->n_back >= 2 * (uint64_t)window->shape->depth;
}

/* Keeps the queue full until the time is over. */
static bool run_window(Window *window, uint64_t window_ns, Error *err)
{
    ReadCompletion completions[DRIVE_DEPTH_MAX];
    uint32_t slots[DRIVE_DEPTH_MAX];

    window->start_ns = window->last_ns = window_now_ns(window);
    for (uint32_t slot = 0; slot < window->shape->depth; slot++) slots[slot] = slot;
    if (!submit(window, slots, window->shape->depth, err)) return false;
    while (!window_is_over(window, window_ns)) {
        uint32_t n;
        if (!reader_reap(window->reader, READ_WAIT, completions, DRIVE_DEPTH_MAX, &n, err))
            return false;
        window->last_ns = window_now_ns(window);
        for (uint32_t i = 0; i < n; i++) {
            if (!take(window, &completions[i], err)) return false;
            slots[i] = (uint32_t)completions[i].tag; // below the depth
        }
        if (!submit(window, slots, n, err)) return false;
        if (window->full_ns > 0 || window->n_back < window->shape->depth) continue;
        window->full_ns = window->last_ns;
        window->full_bytes = window->back_bytes;
    }
    return true;
}

/* Of the full queue; a drive too slow for that gives what came at all. */
static double window_rate(const Window *window)
{
    uint64_t n_bytes = window->full_ns > 0 ? window->back_bytes - window->full_bytes : 0;
    uint64_t elapsed_ns = window->last_ns - window->full_ns;

    if (n_bytes == 0) {
        n_bytes = window->back_bytes;
        elapsed_ns = window->last_ns - window->start_ns;
    }
    if (elapsed_ns == 0) return 0;
    double rate = (double)n_bytes * 1e9 / (double)elapsed_ns;
    return rate > DRIVE_BELIEVED_MAX ? 0 : rate;
}

static Reader *open_reader(DriveField *field, const DriveShape *shape, Error *err)
{
    // Whole huge pages: a read into the small ones of a rest takes longer, as it does in a ring.
    uint64_t in_flight_bytes =
        size_align_up((uint64_t)shape->read_bytes * shape->depth, HUGE_PAGE_BYTES);

    if (field->pages.n_bytes < in_flight_bytes) {
        pages_unmap(&field->pages, MEM_OTHER);
        if (!pages_map(&field->pages, MEM_OTHER, in_flight_bytes, PAGES_NOW, err)) return NULL;
    }
    ReaderOptions options = {.backend = field->sim ? READ_SIM : shape->backend,
        .direct = DIRECT_ON,
        .depth = shape->depth,
        .files = field->files,
        .n_files = field->n_files,
        .buffers = &field->pages,
        .n_buffers = 1,
        .sim = field->sim};
    if (field->sim) field->sim->counts.ticks = 0; // each reader of it begins there
    return reader_create(&options, err);
}

/* How many different reads there are. */
static uint64_t count_places(const Window *window)
{
    const DriveField *field = window->field;
    uint32_t alignment = reader_alignment(window->reader);
    uint64_t first_offset, n = 0;

    if (window->shape->is_listed) return field->n_listed;
    for (uint32_t i = 0; i < field->n_extents; i++)
        n += places_in(&field->extents[i], window->shape->read_bytes, alignment, &first_offset);
    return n;
}

bool measure_drive_window(
    DriveField *field, const DriveShape *shape, uint64_t window_ns, double *bytes_per_s, Error *err)
{
    Window window = {.field = field, .shape = shape};
    bool ok = true;

    assert(shape->depth >= 1 && shape->depth <= DRIVE_DEPTH_MAX);
    assert((uint64_t)shape->read_bytes * shape->depth <= DRIVE_IN_FLIGHT_MAX);
    window.reader = open_reader(field, shape, err);
    if (!window.reader) return false;
    bool is_direct = field->sim || reader_is_direct(window.reader);
    window.n_places = count_places(&window);
    if (is_direct && window.n_places > 0) {
        window.stride = stride_for(window.n_places);
        ok = run_window(&window, window_ns, err);
    }
    reader_free(window.reader); // waits for what is in flight
    if (ok) *bytes_per_s = is_direct && window.n_places > 0 ? window_rate(&window) : 0;
    return ok;
}

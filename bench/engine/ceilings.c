/* Ceilings of drive and memory. The drive's is taken through sys/read, as the store reads; the
 * memory's by summing words of four far-apart streams a thread, which a single stream does not
 * reach. */
#include "engine/ceilings.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"
#include "sys/pool.h"

#define MEMORY_BYTES   (512ull << 20)
#define MEMORY_STREAMS 4
#define MEMORY_PASSES  5
#define DEPTH_MAX      64

typedef struct DriveRun {
    Reader *reader;
    Pages pages;
    Rng rng;
    uint64_t n_places; // ranges in the file
    uint32_t read_bytes;
    uint64_t done_bytes;
} DriveRun;

static bool submit_one(DriveRun *run, uint64_t place, Error *err)
{
    ReadRequest request = {.tag = place,
        .offset_bytes = rng_below(&run->rng, run->n_places) * run->read_bytes,
        .data = run->pages.data + place * run->read_bytes,
        .n_bytes = run->read_bytes};
    return reader_submit(run->reader, &request, 1, err);
}

static bool drive_window(DriveRun *run, uint32_t depth, uint64_t end_ns, Error *err)
{
    ReadCompletion completions[DEPTH_MAX];
    uint32_t n_in_flight = 0;

    for (; n_in_flight < depth; n_in_flight++)
        if (!submit_one(run, n_in_flight, err)) return false;
    while (n_in_flight > 0) {
        uint32_t n;
        if (!reader_reap(run->reader, READ_WAIT, completions, DEPTH_MAX, &n, err)) return false;
        bool goes_on = clock_now_ns() < end_ns;
        for (uint32_t i = 0; i < n; i++) {
            if (completions[i].result != run->read_bytes)
                return error_set(
                    err, ERROR_READ, "a read gave %lld", (long long)completions[i].result);
            run->done_bytes += run->read_bytes;
            n_in_flight--;
            if (!goes_on) continue;
            if (!submit_one(run, completions[i].tag, err)) return false;
            n_in_flight++;
        }
    }
    return true;
}

double ceiling_drive(
    const char *path, uint32_t read_bytes, uint32_t depth, double seconds, uint64_t seed)
{
    Error err = {0};
    File file = {0};
    DriveRun run = {.read_bytes = read_bytes, .rng = rng_seeded(seed)};
    double result = 0;

    if (depth > DEPTH_MAX) depth = DEPTH_MAX;
    if (!file_open(&file, path, &err)) goto out;
    run.n_places = file.n_bytes / read_bytes;
    if (!pages_map(&run.pages, MEM_OTHER, (uint64_t)depth * read_bytes, PAGES_NOW, &err)) goto out;
    ReaderOptions options = {.backend = READ_AUTO,
        .direct = DIRECT_ON,
        .depth = depth,
        .files = &file,
        .n_files = 1,
        .buffers = &run.pages,
        .n_buffers = 1};
    run.reader = reader_create(&options, &err);
    if (!run.reader) goto out;
    uint64_t start_ns = clock_now_ns();
    if (!drive_window(&run, depth, start_ns + (uint64_t)(seconds * 1e9), &err)) goto out;
    result = (double)run.done_bytes / ((double)(clock_now_ns() - start_ns) / 1e9);

out:
    if (err.id) fprintf(stderr, "drive ceiling: %s\n", err.message);
    reader_free(run.reader);
    pages_unmap(&run.pages, MEM_OTHER);
    file_close(&file);
    return result;
}

typedef struct MemoryRun {
    const uint64_t *words;
    uint64_t words_per_worker;
    uint64_t sums[POOL_WORKERS_MAX];
} MemoryRun;

static void sum_words(void *context, uint32_t worker)
{
    MemoryRun *run = context;
    uint64_t n = run->words_per_worker / MEMORY_STREAMS, sums[MEMORY_STREAMS] = {0};
    const uint64_t *w = run->words + worker * run->words_per_worker;

    for (uint64_t i = 0; i + 8 <= n; i += 8)
        for (uint64_t s = 0; s < MEMORY_STREAMS; s++) {
            __builtin_prefetch(w + s * n + i + 128);
            for (uint64_t k = 0; k < 8; k++) sums[s] += w[s * n + i + k];
        }
    run->sums[worker] = sums[0] + sums[1] + sums[2] + sums[3];
}

double ceiling_memory(uint32_t n_threads)
{
    Error err = {0};
    Pages pages = {0};
    double best = 0;
    Pool *pool = pool_create(n_threads, &err);

    if (pool && pages_map(&pages, MEM_OTHER, MEMORY_BYTES, PAGES_NOW, &err)) {
        MemoryRun run = {.words = (const uint64_t *)(const void *)pages.data,
            .words_per_worker = MEMORY_BYTES / 8 / n_threads};
        for (int pass = 0; pass < MEMORY_PASSES; pass++) {
            uint64_t start_ns = clock_now_ns();
            pool_run(pool, sum_words, &run);
            double per_s = (double)MEMORY_BYTES / ((double)(clock_now_ns() - start_ns) / 1e9);
            if (per_s > best) best = per_s;
        }
    }
    if (err.id) fprintf(stderr, "memory ceiling: %s\n", err.message);
    pages_unmap(&pages, MEM_OTHER);
    pool_free(pool);
    return best;
}

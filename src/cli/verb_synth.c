/* `hypura synth`: a model file of a published shape with random weights.
 *
 * The file is cut into chunks; any chunk's bytes follow from the seed and its place, so
 * several threads make and write chunks side by side, and the drive always has something
 * to do. Until the file is whole it is FILE.partial, which goes away when anything fails. */
#include "cli/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "cli/interrupt.h"
#include "cli/partial.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/synth_file.h"
#include "cli/synth_fill.h"
#include "sys/pages.h"
#include "sys/pool.h"

#define CHUNK_BYTES  (4u << 20)
#define N_WRITERS    4u  // enough to keep a drive busy while one of them computes
#define BATCH_CHUNKS 32u // between looks at errors, signals and progress
#define LAYERS_MAX   10000u
#define SEED_DEFAULT 1

typedef struct Synth {
    const Options *options;
    const char *path, *type_name;
    Arena arena;
    SynthModel model;
    SynthFill fill;
    GgufWriter *writer;
    const uint8_t *header; // borrowed from the writer
    size_t header_bytes;
    uint64_t file_bytes;
    Partial partial;
    Pages buffers; // CHUNK_BYTES for each writer
    Pool *pool;
    uint64_t first_chunk;    // of the batch
    Error errors[N_WRITERS]; // each writer's first
} Synth;

static void synth_destroy(Synth *synth)
{
    pool_free(synth->pool);
    pages_unmap(&synth->buffers, MEM_OTHER);
    partial_destroy(&synth->partial);
    gguf_writer_free(synth->writer);
    arena_destroy(&synth->arena);
}

/* The last tensor that begins at or before an offset behind the header. */
static size_t find_tensor(const Synth *synth, uint64_t offset_bytes)
{
    size_t low = 0, high = synth->model.n_tensors;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (gguf_writer_tensor_offset(synth->writer, middle) <= offset_bytes)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Bytes of the file from `offset_bytes` on; what lies behind its end is zeros. */
static void fill_chunk(const Synth *synth, uint64_t offset_bytes, uint8_t *out)
{
    uint64_t done = 0;

    if (offset_bytes < synth->header_bytes) {
        uint64_t n = synth->header_bytes - offset_bytes;
        done = n < CHUNK_BYTES ? n : CHUNK_BYTES;
        memcpy(out, synth->header + offset_bytes, done);
    }
    while (done < CHUNK_BYTES && offset_bytes + done < synth->file_bytes) {
        uint64_t at = offset_bytes + done - synth->header_bytes, n_left = CHUNK_BYTES - done;
        size_t index = find_tensor(synth, at);
        uint64_t within = at - gguf_writer_tensor_offset(synth->writer, index);
        uint64_t tensor_bytes = synth->model.tensors[index].n_bytes;
        if (within >= tensor_bytes) { // padding in front of the next one
            out[done++] = 0;
            continue;
        }
        uint64_t n = tensor_bytes - within < n_left ? tensor_bytes - within : n_left;
        synth_fill_bytes(&synth->fill, &synth->model, index, within, out + done, n);
        done += n;
    }
    memset(out + done, 0, CHUNK_BYTES - done);
}

static void write_chunk(void *context, uint32_t worker, uint32_t unit)
{
    Synth *synth = context;
    Error *err = &synth->errors[worker];
    uint8_t *buffer = synth->buffers.data + (size_t)worker * CHUNK_BYTES;
    uint64_t offset_bytes = (synth->first_chunk + unit) * CHUNK_BYTES;

    if (err->id != ERROR_NONE) return;
    uint64_t whole_bytes = size_align_up(synth->file_bytes, SYNTH_FILE_ALIGNMENT);
    uint64_t n_left = whole_bytes - offset_bytes;
    fill_chunk(synth, offset_bytes, buffer);
    if (!synth_file_write(synth->partial.fd, offset_bytes, buffer,
            n_left < CHUNK_BYTES ? n_left : CHUNK_BYTES, err))
        error_at(err, "%s", synth->partial.partial_path);
}

static bool check_batch(const Synth *synth, Error *err)
{
    if (interrupt_signal()) return error_set(err, ERROR_INTERRUPTED, "interrupted");
    for (size_t i = 0; i < N_WRITERS; i++) {
        if (synth->errors[i].id == ERROR_NONE) continue;
        *err = synth->errors[i];
        return false;
    }
    return true;
}

static bool write_file(Synth *synth, Error *err)
{
    uint64_t n_chunks = (synth->file_bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
    Progress progress;
    bool ok = true;

    progress_begin(&progress, "synth", NULL, synth->file_bytes, synth->options->quiet);
    for (uint64_t i = 0; ok && i < n_chunks; i += BATCH_CHUNKS) {
        uint64_t n = n_chunks - i < BATCH_CHUNKS ? n_chunks - i : BATCH_CHUNKS;
        synth->first_chunk = i;
        pool_for(synth->pool, (uint32_t)n, write_chunk, synth);
        ok = check_batch(synth, err);
        uint64_t done_bytes = (i + n) * CHUNK_BYTES;
        progress_show(&progress, done_bytes < synth->file_bytes ? done_bytes : synth->file_bytes);
    }
    progress_end(&progress);
    return ok && synth_file_end(synth->partial.fd, synth->file_bytes, err)
           && partial_commit(&synth->partial, err);
}

static bool plan(const SynthShape *shape, uint32_t n_layer, Synth *synth, Error *err)
{
    SynthShape wanted = *shape;

    if (n_layer > 0) wanted.n_layer = n_layer;
    if (!synth_plan(&wanted, synth->type_name, &synth->arena, &synth->model, err)) return false;
    if (!synth->options->router) return true;
    if (!synth->model.routing)
        return error_set(err, ERROR_USAGE, "--router: %s has no router", shape->name);
    synth->model.routing = synth_find_routing(synth->options->router);
    return true;
}

/* As many layers as come nearest to --size; at least one. */
static bool choose_layers(const SynthShape *shape, Synth *synth, uint32_t *n_layer, Error *err)
{
    uint64_t wanted_bytes;

    if (!size_parse(synth->options->size, &wanted_bytes, err)) return false;
    if (!plan(shape, 8, synth, err)) return false; // 8, 16: the mixture of types repeats
    uint64_t bytes_8 = synth->model.data_bytes;
    if (!plan(shape, 16, synth, err)) return false;
    uint64_t eighth_bytes = synth->model.data_bytes - bytes_8, fixed_bytes = bytes_8 - eighth_bytes;
    uint64_t left_bytes = wanted_bytes > fixed_bytes ? wanted_bytes - fixed_bytes : 0;
    uint64_t n = (left_bytes * 8 + eighth_bytes / 2) / eighth_bytes;
    if (left_bytes > UINT64_MAX / 16 || n > LAYERS_MAX)
        return error_set(err, ERROR_USAGE, "--size: more than %u layers", LAYERS_MAX);
    *n_layer = n > 0 ? (uint32_t)n : 1;
    return true;
}

static bool prepare(Synth *synth, const SynthShape *shape, Error *err)
{
    const Options *options = synth->options;
    uint64_t seed = options->seed.is_given ? options->seed.value : SEED_DEFAULT;
    uint32_t n_layer = 0;

    arena_init(&synth->arena, MEM_OTHER);
    if (options->size && !choose_layers(shape, synth, &n_layer, err)) return false;
    if (!plan(shape, n_layer, synth, err)) return false;
    synth->writer = gguf_writer_create(err);
    if (!synth->writer) return false;
    if (!synth_describe(&synth->model, synth->type_name, &synth->arena, synth->writer, err))
        return false;
    if (!gguf_writer_header(synth->writer, &synth->header, &synth->header_bytes, err)) return false;
    synth->file_bytes = synth->header_bytes + gguf_writer_data_bytes(synth->writer);
    return synth_fill_init(&synth->fill, &synth->model, seed, &synth->arena, err);
}

static bool write_model(Synth *synth, Error *err)
{
    uint64_t buffer_bytes = (uint64_t)N_WRITERS * CHUNK_BYTES;

    if (!pages_map(&synth->buffers, MEM_OTHER, buffer_bytes, PAGES_NOW, err)) return false;
    synth->pool = pool_create(N_WRITERS, err);
    if (!synth->pool) return false;
    if (!partial_open(&synth->partial, synth->path, err)) return false;
    if (!synth_file_begin(synth->partial.fd, synth->file_bytes, err))
        return error_at(err, "%s", synth->path);
    return write_file(synth, err);
}

static int list_shapes(const char *type_name)
{
    Arena arena;
    SynthModel model;
    Error err = {0};
    char size[24];
    bool ok = true;

    arena_init(&arena, MEM_OTHER);
    printf("%-15s %-10s %6s %9s %12s\n", "shape", "arch", "layers", "experts", type_name);
    for (size_t i = 0; ok && i < synth_n_shapes(); i++) {
        const SynthShape *shape = synth_shape(i);
        ok = synth_plan(shape, type_name, &arena, &model, &err);
        if (!ok) break;
        printf("%-15s %-10s %6u ", shape->name, shape->arch, shape->n_layer);
        if (shape->n_expert > 0)
            printf("%3u of %3u", shape->n_expert_used, shape->n_expert);
        else
            printf("%9s", "-");
        printf(" %12s\n", size_format(model.data_bytes, size));
    }
    arena_destroy(&arena);
    return ok ? STATUS_OK : report_error("synth", &err);
}

int verb_synth(const Options *options)
{
    Synth synth = {.options = options, .partial = {.fd = -1}};
    Error err = {0};
    int status = STATUS_OK;

    synth.type_name = options->type ? options->type : "Q4_K_M";
    if (options->list) return list_shapes(synth.type_name);
    if (options->n_arguments < 2)
        return report_usage("synth", "hypura synth --list", "SHAPE and FILE are needed");
    const SynthShape *shape = synth_find_shape(options->arguments[0]);
    if (!shape)
        return report_usage(
            "synth", "hypura synth --list", "unknown shape '%s'", options->arguments[0]);
    synth.path = options->arguments[1];
    if (access(synth.path, F_OK) == 0 && !options->force)
        return report_usage("synth", "--force, which replaces it", "%s exists", synth.path);

    if (!prepare(&synth, shape, &err) || !write_model(&synth, &err))
        status = report_error("synth", &err);
    else
        printf("%s\n", synth.path);
    synth_destroy(&synth);
    return status;
}

/* Opening a model, in order: header, shape, roles of the tensors, blocks; then budget and store;
 * then rights that are no longer needed are given up; then workers, state, scratch. */
#include "engine/loaded.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/pace.h"
#include "engine/same_vocabulary.h"
#include "engine/vocab_source.h"
#include "store/evict.h"
#include "sys/cpu.h"
#include "sys/user_cache.h"

#define CTX_DEFAULT_MAX       4096
#define UBATCH_DEFAULT        512
#define UBATCH_MAX            8192u
#define TABLE_BYTES_PER_BLOCK 192 // what the store keeps about a block beside evict_table_bytes
#define WRITE_PATHS_MAX       16
#define ROWS_WITH_GUESSES     (PACE_GUESSES_MAX + 1)

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value > 0 ? value : fallback;
}

static bool settle_sizes(Loaded *loaded, const LoadOptions *options, Error *err)
{
    uint32_t n_train = loaded->shape.n_ctx_train;

    loaded->n_ctx =
        or_default(options->n_ctx, n_train < CTX_DEFAULT_MAX ? n_train : CTX_DEFAULT_MAX);
    loaded->n_sequences = or_default(options->n_sequences, 1);
    loaded->n_logit_rows = or_default(options->n_logit_rows, loaded->n_sequences);
    if (options->speculates && loaded->n_logit_rows < ROWS_WITH_GUESSES)
        loaded->n_logit_rows = ROWS_WITH_GUESSES;
    uint32_t n_ubatch = or_default(options->n_ubatch, UBATCH_DEFAULT);
    if (n_ubatch > UBATCH_MAX)
        return error_set(err, ERROR_USAGE, "--ubatch %u: at most %u", n_ubatch, UBATCH_MAX);
    if (loaded->n_ctx > 1u << 24)
        return error_set(err, ERROR_USAGE, "--ctx %u: at most %u", loaded->n_ctx, 1u << 24);
    if (n_ubatch > (uint64_t)loaded->n_ctx * loaded->n_sequences)
        n_ubatch = loaded->n_ctx * loaded->n_sequences;
    if (n_ubatch < loaded->n_sequences) n_ubatch = loaded->n_sequences;
    loaded->n_ubatch = n_ubatch;
    if (loaded->n_logit_rows > n_ubatch) loaded->n_logit_rows = n_ubatch;
    if (loaded->n_ctx > n_train)
        log_warn("a context of %u is longer than the %u that the model was trained for",
            loaded->n_ctx, n_train);
    return true;
}

static MemoryNeeds needs_of(
    const Loaded *loaded, const LoadOptions *options, const Compute *compute, const KvShape *kv)
{
    const BlockMap *map = &loaded->map;
    uint64_t n_blocks = map->n_dense + (uint64_t)map->n_expert_layers * map->n_expert;
    SidecarSubject subject = checksums_subject(loaded->gguf);

    return (MemoryNeeds){.shape = &loaded->shape,
        .store_tables = n_blocks * TABLE_BYTES_PER_BLOCK
                        + evict_table_bytes(map->n_expert_layers, map->n_expert)
                        + (loaded->checksums.are_there ? sidecar_bytes(&subject) : 0),
        .state = state_pool_bytes(kv, loaded->shape.n_layer, loaded->n_ctx, loaded->n_sequences),
        .weights_min = options->is_draft ? store_all_bytes(map, loaded->alignment)
                                         : store_minimum_bytes(map, loaded->alignment),
        .n_sequences = loaded->n_sequences,
        .beside = options->beside_bytes,
        .unbooked_min = loaded->draft ? loaded->draft->memory.unbooked : 0,
        .scratch = forward_scratch_sizes(
            &loaded->shape, &loaded->weights, compute, loaded->n_ubatch, loaded->n_logit_rows)};
}

/* Opens the draft before the model's own memory is divided: it is in memory whole, and leaves the
 * model at least the least that runs. */
static bool open_draft(
    Loaded *loaded, const LoadOptions *options, const MemoryNeeds *needs, Error *err)
{
    ScratchSizes least = needs->scratch;
    least.n_rows = least.n_logits = 1;
    LoadOptions draft = {.is_draft = true,
        .memory = options->memory,
        .weights = {.unit = BUDGET_ALL},
        .reserve = options->reserve,
        .backend = options->backend,
        .direct = options->direct,
        .kv = options->kv,
        .n_threads = options->n_threads,
        .n_ctx = loaded->n_ctx,
        .n_ubatch = options->n_ubatch,
        .n_sequences = loaded->n_sequences,
        .isa = options->isa,
        .f32_activations = options->f32_activations,
        .beside_bytes = needs->store_tables + needs->state + needs->weights_min
                        + scratch_bytes(needs->shape, &least)};

    Loaded *made = mem_alloc(MEM_OTHER, sizeof *made, err);
    if (!made) return false;
    if (loaded_open(made, options->draft_path, &draft, err)) {
        loaded->draft = made;
        if (same_vocabulary(loaded->gguf, made->gguf, err)) return true;
        error_at(err, "%s", options->draft_path);
    } else {
        mem_free(MEM_OTHER, made);
    }
    return error_at(err, "the draft");
}

static bool plan_memory(Loaded *loaded, const LoadOptions *options, const Compute *compute,
    const KvShape *kv, Error *err)
{
    const Sidecar *sidecar = loaded->checksums.are_there ? &loaded->checksums.sidecar : NULL;
    SidecarSubject subject = checksums_subject(loaded->gguf);

    loaded->alignment =
        sidecar_alignment(sidecar, reader_probe_alignment(loaded->mirrors.files,
                                       subject.n_files * (1 + loaded->mirrors.n), options->direct));
    MemoryNeeds needs = needs_of(loaded, options, compute, kv);

    if (options->draft_path) {
        if (!open_draft(loaded, options, &needs, err)) return false;
        needs = needs_of(loaded, options, compute, kv);
    }
    if (!memory_plan(&loaded->memory, &options->memory, &options->reserve, &needs, err))
        return false;
    if (loaded->memory.n_rows < loaded->n_ubatch) {
        log_info("prompt chunks of %u rows instead of %u fit the memory", loaded->memory.n_rows,
            loaded->n_ubatch);
        loaded->n_ubatch = loaded->memory.n_rows;
        if (loaded->n_logit_rows > loaded->n_ubatch) loaded->n_logit_rows = loaded->n_ubatch;
    }
    // The ledger sees bookings, not the program itself.
    const MemoryPlan *plan = &loaded->memory;
    if (plan->is_stated)
        ledger_set_limit(plan->limit > plan->unbooked ? plan->limit - plan->unbooked : 1);
    return true;
}

static bool choose_compute(const LoadOptions *options, Compute *compute, Error *err)
{
    const char *isa = options->isa ? options->isa : getenv("HYPURA_ISA");

    *compute = (Compute){.decodes_weights = options->f32_activations};
    compute->n_workers = or_default(options->n_threads, cpu_usable_cores());
    compute->kernels = kernels_select(cpu_features(), isa, err);
    return compute->kernels != NULL;
}

/* All but reading, and writing beneath the paths that are named and, where a heat map is to be
 * saved, the user's cache folder. */
static bool give_up_rights(Loaded *loaded, const LoadOptions *options, Error *err)
{
    const char *paths[WRITE_PATHS_MAX + 1];
    char folder[USER_CACHE_PATH_BYTES];
    uint32_t n = options->n_write_paths;

    if (n > WRITE_PATHS_MAX)
        return error_set(err, ERROR_USAGE, "%u paths to write to: at most %d", n, WRITE_PATHS_MAX);
    for (uint32_t i = 0; i < n; i++) paths[i] = options->write_paths[i];
    // A file in the cache folder is not worth the right to write anywhere.
    if (loaded->heat_map.can_save && !sandbox_tells_paths()) {
        log_info("no heat map will be saved: the kernel lacks Landlock");
        loaded->heat_map.can_save = false;
    }
    if (loaded->heat_map.can_save && user_cache_folder(folder)) paths[n++] = folder;
    loaded->is_sandboxed = true;
    return sandbox_enter(paths, n, &loaded->sandbox, err);
}

/* Rights go before the workers come: what they are born with, they have. Files and rings are
 * open, and what can be locked in memory is. */
static bool start_workers(Loaded *loaded, const LoadOptions *options, Compute *compute, Error *err)
{
    if (options->sandbox && !give_up_rights(loaded, options, err)) return false;
    loaded->pool = pool_create(compute->n_workers, err);
    compute->pool = loaded->pool;
    return loaded->pool != NULL;
}

static bool open_store(Loaded *loaded, const LoadOptions *options, Error *err)
{
    StoreOptions store = {.weights = options->weights,
        .memory_room = loaded->memory.room,
        .files = loaded->mirrors.files,
        .n_files = gguf_n_shards(loaded->gguf),
        .n_copies = 1 + loaded->mirrors.n,
        .backend = options->backend,
        .direct = options->direct,
        .sidecar = loaded->checksums.are_there ? &loaded->checksums.sidecar : NULL,
        .trace_path = options->trace_path};

    loaded->store = store_create(&loaded->map, &store, err);
    return loaded->store && heat_map_use(&loaded->heat_map, loaded->store, err);
}

/* A copy of what the heat map says, for plans; one that does not do is as none, and the store says
 * what is wrong with it. */
static void remember_heat(Loaded *loaded)
{
    const HeatMap *found = &loaded->heat_map;
    Heat *heat = &loaded->heat_found;

    if (!found->record) return;
    if (heat_init(heat, loaded->map.n_expert_layers, loaded->map.n_expert, NULL)
        && heat_decode(heat, &found->identity, found->record, found->n_bytes, NULL))
        return;
    heat_destroy(heat);
}

/* Workers are there; what a pass works with is made. */
static bool start_computing(Loaded *loaded, const Compute *compute, Error *err)
{
    ScratchSizes sizes = forward_scratch_sizes(
        &loaded->shape, &loaded->weights, compute, loaded->n_ubatch, loaded->n_logit_rows);

    loaded->pool = compute->pool;
    if (!forward_init(&loaded->forward, &loaded->shape, &loaded->weights, loaded->store, compute,
            &sizes, err))
        return false;
    loaded->rows = mem_alloc_array(MEM_SCRATCH, loaded->n_ubatch, sizeof(Row), err);
    loaded->has_weights = true;
    return loaded->rows != NULL;
}

static bool load_weights(Loaded *loaded, const LoadOptions *options, Error *err)
{
    KvShape kv = {.type = options->kv,
        .n_head_kv = loaded->shape.n_head_kv,
        .d_k = loaded->shape.d_k,
        .d_v = loaded->shape.d_v};
    Compute compute;

    if (!weights_bind(&loaded->weights, loaded->gguf, &loaded->shape, err)) return false;
    if (!layout_make(&loaded->map, &loaded->weights, &loaded->shape, err)) return false;
    if (!settle_sizes(loaded, options, err)) return false;
    if (!choose_compute(options, &compute, err)) return false;
    if (!plan_memory(loaded, options, &compute, &kv, err)) return false;
    remember_heat(loaded);
    loaded->weights_budget = options->weights;
    loaded->kv_type = options->kv;
    loaded->n_threads = compute.n_workers;
    loaded->has_plan = true;
    if (options->plan_only) return true;
    if (!open_store(loaded, options, err)) return false;
    // A draft's cache is its weights: they are not given back.
    if (!loaded->is_draft)
        governor_init(&loaded->governor, loaded->store, loaded->memory.unbooked, "");
    if (!state_pool_init(
            &loaded->states, &kv, loaded->shape.n_layer, loaded->n_ctx, loaded->n_sequences, err))
        return false;
    if (!pages_lock(&loaded->states.pages)) log_info("keys and values are not locked in memory");
    if (loaded->is_draft) return true; // the other model's workers compute, once it has them
    if (!start_workers(loaded, options, &compute, err)) return false;
    if (!start_computing(loaded, &compute, err)) return false;
    return !loaded->draft || start_computing(loaded->draft, &compute, err);
}

/* What cannot be used is said, and the run is as without: none of it is believed. */
static void find_checksums(Loaded *loaded)
{
    Error err = {0};

    if (!checksums_find(&loaded->checksums, loaded->gguf, &err))
        log_warn("nothing is held against checksums: %s", err.message);
}

/* What the kernel fetched for this process since then; 0: unknown, or it was cached. */
static uint64_t read_since(const ProcessIo *start)
{
    ProcessIo now = process_io();
    return now.known && start->known ? now.read_bytes - start->read_bytes : 0;
}

bool loaded_open(Loaded *out, const char *path, const LoadOptions *options, Error *err)
{
    *out = (Loaded){.io_at_start = process_io(), .is_draft = options->is_draft};
    bool needs_data = !options->text_only && !options->plan_only;
    out->gguf = gguf_open(path, needs_data ? GGUF_TENSOR_DATA : GGUF_METADATA_ONLY,
        options->overrides, options->n_overrides, err);
    if (!out->gguf) goto fail;
    if (!vocab_load(out->gguf, &out->vocab, err)) goto fail_at;
    if (options->text_only) return true;
    if (!shape_read(out->gguf, &out->shape, err)) goto fail_at;
    if (!mirrors_open(&out->mirrors, out->gguf, options->mirrors, options->n_mirrors, err))
        goto fail;
    if (!options->plan_only) find_checksums(out);
    out->header_read_bytes = read_since(&out->io_at_start);
    if (options->heat_map && out->shape.n_expert > 0) {
        heat_map_find(&out->heat_map, out->gguf, !options->plan_only);
        out->header_read_bytes = read_since(&out->io_at_start);
        // A folder that had to be made belongs to what will be saved in it.
        out->io_at_start.written_bytes = process_io().written_bytes;
    }
    if (vocab_n_tokens(out->vocab) > out->shape.n_vocab) {
        error_set(err, ERROR_MODEL_SHAPE, "%u tokens, but an embedding table of %u rows",
            vocab_n_tokens(out->vocab), out->shape.n_vocab);
        goto fail_at;
    }
    if (!load_weights(out, options, err)) goto fail_at;
    return true;

fail_at:
    error_at(err, "%s", path);
fail:
    loaded_close(out);
    return false;
}

bool loaded_save_heat_map(Loaded *loaded, uint64_t *n_bytes, Error *err)
{
    *n_bytes = 0;
    if (!loaded->has_weights) return true;
    bool ok = heat_map_save(&loaded->heat_map, loaded->store, n_bytes, err);
    // Whatever came of it: this was the last that is written to a file by its name.
    bool writes = loaded->heat_map.can_save;
    loaded->heat_map.can_save = false;
    if (!loaded->is_sandboxed || !writes) return ok;
    return sandbox_end_writing(&loaded->sandbox, ok ? err : NULL) && ok;
}

void loaded_close(Loaded *loaded)
{
    if (loaded->draft) loaded_close(loaded->draft);
    mem_free(MEM_OTHER, loaded->draft);
    mem_free(MEM_SCRATCH, loaded->rows);
    forward_destroy(&loaded->forward);
    governor_close(&loaded->governor);
    state_pool_destroy(&loaded->states);
    store_free(loaded->store);
    checksums_destroy(&loaded->checksums);
    mirrors_close(&loaded->mirrors);
    if (!loaded->is_draft) pool_free(loaded->pool);
    layout_destroy(&loaded->map);
    weights_destroy(&loaded->weights);
    vocab_free(loaded->vocab);
    heat_map_destroy(&loaded->heat_map);
    heat_destroy(&loaded->heat_found);
    gguf_close(loaded->gguf);
    ledger_set_limit(0);
    *loaded = (Loaded){0};
}

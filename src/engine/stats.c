/* Counters of the store, of the process and of guessing, under their public names. A draft's reads
 * are the process's, too; what passes demanded is the model's alone. */
#include "engine/stats.h"

#include "sys/process.h"

/* A draft is in memory: all that it reads is loading. */
static void add_draft_stats(const Loaded *draft, hypura_stats *stats)
{
    StoreCounters counters = store_counters(draft->store);

    stats->budget.trunk += store_budget(draft->store).trunk;
    stats->budget.cache += store_budget(draft->store).cache;
    stats->read_bytes += counters.read_bytes + draft->header_read_bytes;
    stats->read_missed_bytes += counters.read_missed_bytes;
    stats->read_load_bytes += counters.read_load_bytes + draft->header_read_bytes;
    stats->read_padding_bytes += counters.read_padding_bytes;
    stats->read_prefetch_wasted_bytes += counters.read_wasted_bytes;
    stats->read_again_bytes += counters.read_again_bytes;
}

static void fill_store_stats(const Loaded *loaded, hypura_stats *stats)
{
    StoreBudget budget = store_budget(loaded->store);
    StoreCounters counters = store_counters(loaded->store);

    stats->io_backend = store_backend_name(loaded->store);
    stats->direct = store_is_direct(loaded->store);
    stats->budget.weights = budget.weights;
    stats->budget.trunk = budget.trunk;
    stats->budget.cache = budget.cache;
    stats->budget.ring = budget.ring;
    stats->read_bytes = counters.read_bytes + loaded->header_read_bytes;
    stats->read_missed_bytes = counters.read_missed_bytes;
    stats->read_load_bytes = counters.read_load_bytes + loaded->header_read_bytes;
    stats->read_padding_bytes = counters.read_padding_bytes;
    stats->read_prefetch_wasted_bytes = counters.read_wasted_bytes;
    stats->read_again_bytes = counters.read_again_bytes;
    stats->checked_bytes = counters.checked_bytes;
    stats->demanded_bytes = counters.demanded_bytes;
    stats->demanded_expert_bytes = counters.demanded_expert_bytes;
    stats->n_passes = counters.n_passes;
    stats->expert_hits = counters.expert_hits;
    stats->expert_misses = counters.expert_misses;
    stats->stall_ns = counters.stall_ns;
    stats->read_demand_bytes = counters.read_demand_bytes;
    stats->pass_ns = counters.pass_ns;
    stats->experts_ns = counters.experts_ns;
    stats->experts_stall_ns = counters.experts_stall_ns;
    stats->drive_busy_ns = counters.busy_ns;
    stats->drive_busy_bytes = counters.busy_bytes;
    stats->n_reads = counters.n_requests;
    stats->read_depth_sum = counters.depth_sum;
    stats->given_back_bytes = loaded->governor.given_back_bytes;
    stats->taken_again_bytes = loaded->governor.taken_again_bytes;
}

void stats_fill(const Loaded *loaded, hypura_stats *stats)
{
    ProcessIo io = process_io();

    *stats =
        (hypura_stats){.size_bytes = sizeof *stats, .peak_memory_bytes = process_peak_memory()};
    stats->read_bytes = stats->read_load_bytes = loaded->header_read_bytes;
    if (loaded->has_plan) stats->arch = loaded->shape.arch->name;
    if (!loaded->has_weights) return;
    stats->isa = loaded->forward.compute.kernels->isa;
    stats->n_threads = pool_n_workers(loaded->pool);
    stats->budget.memory = loaded->memory.limit;
    stats->budget.state = ledger_held(MEM_STATE);
    stats->budget.scratch = ledger_held(MEM_SCRATCH);
    stats->weight_bytes = loaded->map.weight_bytes;
    stats->n_expert_used = loaded->map.n_expert_used;
    stats->written_bytes = io.known ? io.written_bytes - loaded->io_at_start.written_bytes : 0;
    fill_store_stats(loaded, stats);
    if (loaded->draft) add_draft_stats(loaded->draft, stats);
    stats->drafted = loaded->speculated.n_drafted;
    stats->accepted = loaded->speculated.n_accepted;
    stats->draft_passes = loaded->speculated.n_passes;
}

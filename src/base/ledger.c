/*
 * The sums are atomic, because any thread may book. One exchange on the total decides: a
 * booking that would pass the limit never shows, not even for a moment, so two threads
 * cannot refuse each other over memory that neither gets.
 *
 * Invariant: the sum over kinds equals the total whenever no call is under way, and the
 * total is at most the limit that was set when it last grew. Relaxed order is enough: the
 * numbers guard no other memory.
 */
#include "base/ledger.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/size.h"

static _Atomic uint64_t limit_bytes; // 0: none
static _Atomic uint64_t total_bytes;
static _Atomic uint64_t peak_bytes;
static _Atomic uint64_t held_bytes[MEM_KINDS];

static const char *const kind_names[MEM_KINDS] = {
    [MEM_TRUNK] = "trunk",
    [MEM_CACHE] = "cache",
    [MEM_RING] = "ring",
    [MEM_STATE] = "state",
    [MEM_SCRATCH] = "scratch",
    [MEM_TEXT] = "text",
    [MEM_SERVER] = "server",
    [MEM_OTHER] = "other",
};

const char *mem_kind_name(MemKind kind)
{
    assert(kind < MEM_KINDS);
    return kind_names[kind];
}

void ledger_set_limit(uint64_t n_bytes)
{
    atomic_store_explicit(&limit_bytes, n_bytes, memory_order_relaxed);
}

uint64_t ledger_limit(void)
{
    return atomic_load_explicit(&limit_bytes, memory_order_relaxed);
}

static bool refuse(MemKind kind, uint64_t n_bytes, uint64_t total, uint64_t limit, Error *err)
{
    char wanted[24], held[24], all[24];

    return error_set(err, ERROR_BUDGET,
        "%s needs %s more (%llu bytes), with %s held of a memory budget of %s", kind_names[kind],
        size_format(n_bytes, wanted), (unsigned long long)n_bytes, size_format(total, held),
        limit > 0 ? size_format(limit, all) : "2^64 bytes");
}

static void raise_peak(uint64_t total)
{
    uint64_t peak = atomic_load_explicit(&peak_bytes, memory_order_relaxed);

    while (peak < total
           && !atomic_compare_exchange_weak_explicit(
               &peak_bytes, &peak, total, memory_order_relaxed, memory_order_relaxed)) {
    }
}

bool ledger_book(MemKind kind, uint64_t n_bytes, Error *err)
{
    uint64_t limit = ledger_limit();
    uint64_t total = ledger_total();
    uint64_t next;

    assert(kind < MEM_KINDS);
    do {
        if (!size_add(total, n_bytes, &next) || (limit > 0 && next > limit))
            return refuse(kind, n_bytes, total, limit, err);
    } while (!atomic_compare_exchange_weak_explicit(
        &total_bytes, &total, next, memory_order_relaxed, memory_order_relaxed));
    atomic_fetch_add_explicit(&held_bytes[kind], n_bytes, memory_order_relaxed);
    raise_peak(next);
    return true;
}

void ledger_release(MemKind kind, uint64_t n_bytes)
{
    assert(kind < MEM_KINDS);
    uint64_t held = atomic_fetch_sub_explicit(&held_bytes[kind], n_bytes, memory_order_relaxed);
    assert(held >= n_bytes);
    atomic_fetch_sub_explicit(&total_bytes, n_bytes, memory_order_relaxed);
}

uint64_t ledger_held(MemKind kind)
{
    assert(kind < MEM_KINDS);
    return atomic_load_explicit(&held_bytes[kind], memory_order_relaxed);
}

uint64_t ledger_total(void)
{
    return atomic_load_explicit(&total_bytes, memory_order_relaxed);
}

uint64_t ledger_peak(void)
{
    return atomic_load_explicit(&peak_bytes, memory_order_relaxed);
}

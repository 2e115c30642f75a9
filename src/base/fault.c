/*
 * A counter and a threshold per point, atomic because readers run on threads. Tests arm
 * and disarm while nothing else runs; in production the cost is one increment a call,
 * beside an allocation or a read.
 */
#include "base/fault.h"

#include <assert.h>
#include <stdatomic.h>

typedef struct FaultCounter {
    _Atomic uint64_t n_calls;
    _Atomic uint64_t nth; // 0: disarmed
    _Atomic bool for_good;
} FaultCounter;

static FaultCounter counters[FAULT_POINTS];

void fault_arm(FaultPoint point, uint64_t nth, bool for_good)
{
    assert(point < FAULT_POINTS);
    FaultCounter *counter = &counters[point];

    atomic_store(&counter->nth, 0);
    atomic_store(&counter->n_calls, 0);
    atomic_store(&counter->for_good, for_good);
    atomic_store(&counter->nth, nth);
}

bool fault_hits(FaultPoint point)
{
    assert(point < FAULT_POINTS);
    FaultCounter *counter = &counters[point];
    uint64_t call = atomic_fetch_add_explicit(&counter->n_calls, 1, memory_order_relaxed) + 1;
    uint64_t nth = atomic_load_explicit(&counter->nth, memory_order_relaxed);

    if (nth == 0 || call < nth) return false;
    return call == nth || atomic_load_explicit(&counter->for_good, memory_order_relaxed);
}

uint64_t fault_count(FaultPoint point)
{
    assert(point < FAULT_POINTS);
    return atomic_load_explicit(&counters[point].n_calls, memory_order_relaxed);
}

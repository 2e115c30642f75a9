/* Budgets, stores on simulated drives, and what must hold after a pass: for tests of whole
 * passes. */
#ifndef HYPURA_TESTS_STORE_PASSES_H
#define HYPURA_TESTS_STORE_PASSES_H

#include "store/store.h"
#include "store/synthetic.h"

static const Budget budget_min = {.unit = BUDGET_MIN};
static const Budget budget_all = {.unit = BUDGET_ALL};

static inline Budget percent(double share)
{
    return (Budget){.unit = BUDGET_PERCENT, .percent = share};
}

static inline StoreOptions sim_options(const Synthetic *model, Budget weights, ReadSim *sim)
{
    return (StoreOptions){
        .weights = weights, .files = &model->file, .n_files = 1, .backend = READ_SIM, .sim = sim};
}

static inline Store *create(const Synthetic *model, Budget weights, ReadSim *sim)
{
    StoreOptions options = sim_options(model, weights, sim);
    Error err = {0};
    Store *store = store_create(&model->map, &options, &err);

    if (!CHECK_CASE(err.message, store)) exit(1);
    return store;
}

static inline bool identity_holds(const Store *store)
{
    StoreCounters counters = store_counters(store);

    return synthetic_identity_holds(&counters);
}

static inline bool trunk_matches(const Synthetic *model, const Store *store)
{
    for (uint32_t i = 0; i < model->map.n_trunk; i++)
        if (!synthetic_matches(model, &model->map.trunk[i], store_trunk(store, i))) return false;
    return true;
}

#endif

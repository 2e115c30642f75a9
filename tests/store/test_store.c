/* The whole store on made-up models and a simulated drive: right bytes or the right error. */
#include "base/fault.h"
#include "store/synthetic.h"

static StoreOptions options_of(const Synthetic *model, Budget weights, ReadSim *sim)
{
    return (StoreOptions){
        .weights = weights, .files = &model->file, .n_files = 1, .backend = READ_SIM, .sim = sim};
}

TEST(passes_see_the_file_at_every_budget)
{
    Synthetic model;
    synthetic_init(&model, shape_small, 1);
    const Budget budgets[] = {{.unit = BUDGET_MIN}, {.unit = BUDGET_PERCENT, .percent = 50},
        {.unit = BUDGET_PERCENT, .percent = 75}, {.unit = BUDGET_ALL}};

    for (size_t i = 0; i < COUNT(budgets); i++) {
        Error err = {0};
        ReadSim sim = {.seed = 1};
        Rng rng = rng_seeded(harness_seed());
        StoreOptions options = options_of(&model, budgets[i], &sim);
        Store *store = store_create(&model.map, &options, &err);
        CHECK(store);
        if (!store) {
            printf("%s\n", err.message);
            continue;
        }
        for (uint32_t pass = 0; pass < 20; pass++)
            CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
        StoreCounters c = store_counters(store);
        StoreBudget b = store_budget(store);
        printf(
            "w %lu t %lu c %lu r %lu min %lu: read %lu missed %lu load %lu pad %lu wasted %lu hits %lu misses %lu\n",
            b.weights, b.trunk, b.cache, b.ring, b.minimum, c.read_bytes, c.read_missed_bytes,
            c.read_load_bytes, c.read_padding_bytes, c.read_wasted_bytes, c.expert_hits,
            c.expert_misses);
        CHECK(synthetic_identity_holds(&c));
        store_free(store);
    }
    synthetic_destroy(&model);
}

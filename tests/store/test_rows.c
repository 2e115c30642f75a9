/* tests/store/test_rows.c - rows of the embedding table, wherever they are */
#include "store/rows.h"

#include "store/synthetic.h"

/* A store of which only rows are used. */
static Store *create(const Synthetic *model, Budget weights, ReadSim *sim)
{
    StoreOptions options = {
        .weights = weights, .files = &model->file, .n_files = 1, .backend = READ_SIM, .sim = sim};
    Error err = {0};
    Store *store = store_create(&model->map, &options, &err);

    if (!CHECK_CASE(err.message, store)) exit(1);
    return store;
}

/* Waits until all first filling is done. */
static void finish_load(Store *store)
{
    Error err = {0};
    uint64_t before;

    do {
        before = store_counters(store).read_bytes;
        for (uint32_t i = 0; i < 200; i++) CHECK(store_advance(store, &err));
    } while (store_counters(store).read_bytes != before);
}

static bool rows_match(const Synthetic *model, Store *store, const uint32_t *rows, uint32_t n)
{
    uint32_t row_bytes = model->shape.row_bytes;
    uint64_t begin = model->map.rows.first_row.offset_bytes;
    uint8_t *out = malloc((size_t)n * row_bytes);
    Error err = {0};
    bool ok = store_rows_read(store, rows, n, out, &err);

    for (uint32_t i = 0; ok && i < n; i++)
        ok = memcmp(out + (size_t)i * row_bytes,
                 model->data + begin + (uint64_t)rows[i] * row_bytes, row_bytes)
             == 0;
    free(out);
    return ok;
}

TEST(rows_come_in_the_order_of_the_question)
{
    Synthetic model;
    ReadSim sim = {.seed = harness_seed(), .latency_ticks_max = 9};
    sim.per_mille[SIM_REORDER] = 500;
    synthetic_init(&model, shape_small, 4);
    Store *store = create(&model, (Budget){.unit = BUDGET_MIN}, &sim);
    uint32_t last = (uint32_t)model.map.rows.n_rows - 1;

    CHECK(rows_match(&model, store, (uint32_t[]){last, 0, 7, 7, 6, last}, 6));
    CHECK(rows_match(&model, store, NULL, 0));
    store_free(store);
    synthetic_destroy(&model);
}

TEST(more_rows_than_slots_are_read_in_turns)
{
    Synthetic model;
    ReadSim sim = {.latency_ticks_max = 3};
    uint32_t rows[100];
    synthetic_init(&model, shape_small, 4);
    Store *store = create(&model, (Budget){.unit = BUDGET_MIN}, &sim);

    for (uint32_t i = 0; i < 100; i++) rows[i] = i * 37 % 100;
    CHECK(rows_match(&model, store, rows, 100));
    CHECK(store_counters(store).demanded_bytes == 100ull * shape_small.row_bytes);
    CHECK(store_counters(store).read_missed_bytes == 100ull * shape_small.row_bytes);
    store_free(store);
    synthetic_destroy(&model);
}

TEST(resident_rows_are_not_read_again)
{
    static const bool ties[] = {false, true};

    for (size_t i = 0; i < COUNT(ties); i++) {
        Shape shape = shape_small;
        Synthetic model;
        ReadSim sim = {0};
        shape.is_tied = ties[i];
        shape.head_rows = 3000; // a table of more than one piece: 1.8 MB
        synthetic_init(&model, shape, 4);
        Store *store = create(&model, (Budget){.unit = BUDGET_ALL}, &sim);
        const uint32_t rows[] = {0, 1, 2999, 3000, 3001, 3494, 3495, 3496, 5999};

        CHECK(rows_match(&model, store, rows, COUNT(rows))); // before they are there
        finish_load(store);
        uint64_t read_bytes = store_counters(store).read_bytes;
        CHECK(rows_match(&model, store, rows, COUNT(rows)));
        for (uint32_t row = 0; row < 6000; row += 7) CHECK(rows_match(&model, store, &row, 1));
        CHECK(store_counters(store).read_bytes == read_bytes);
        store_free(store);
        synthetic_destroy(&model);
    }
}

TEST(a_failed_row_leaves_its_slots_usable)
{
    Synthetic model;
    ReadSim sim = {.latency_ticks_max = 5, .n_damage = 1};
    uint8_t out[8 * 300];
    Error err = {0};
    synthetic_init(&model, shape_small, 4);
    uint64_t begin = model.map.rows.first_row.offset_bytes;
    sim.damage[0] = (SimDamage){.offset_bytes = begin, .n_bytes = 1, .n_failures = UINT32_MAX};
    Store *store = create(&model, (Budget){.unit = BUDGET_MIN}, &sim);

    CHECK(!store_rows_read(store, (uint32_t[]){50, 99, 0, 60}, 4, out, &err));
    CHECK_ERROR(err, ERROR_READ);
    CHECK(rows_match(&model, store, (uint32_t[]){50, 99, 60, 70, 80}, 5));
    sim.damage[0].n_failures = 0;
    CHECK(rows_match(&model, store, (uint32_t[]){50, 99, 0, 60}, 4));
    store_free(store);
    synthetic_destroy(&model);
}

TEST(rows_larger_than_all_slots_have_one_slot)
{
    Shape shape = shape_small;
    Synthetic model;
    ReadSim sim = {0};
    shape.row_bytes = 300000;
    shape.head_rows = 3;
    synthetic_init(&model, shape, 4);
    Store *store = create(&model, (Budget){.unit = BUDGET_MIN}, &sim);

    CHECK(rows_match(&model, store, (uint32_t[]){5, 0, 3}, 3));
    store_free(store);
    synthetic_destroy(&model);
}

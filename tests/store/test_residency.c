/* tests/store/test_residency.c - how budgets become memory */
#include "store/residency.h"

#include "store/places.h"
#include "store/ring.h"
#include "store/synthetic.h"

#define A 4096u

static uint64_t held_bytes(const Residency *plan)
{
    return plan->trunk_bytes + residency_cache_bytes(plan)
           + plan->n_ring_slots * plan->ring_slot_bytes;
}

static uint32_t count_resident(const Residency *plan, const BlockMap *map)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < map->n_dense; i++) n += plan->dense_is_resident[i];
    return n;
}

static uint32_t count_expert_slots(const Residency *plan)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < plan->n_classes; i++) n += plan->classes[i].n_slots;
    return n;
}

static bool plan_bytes(Residency *plan, const BlockMap *map, uint64_t n_bytes, Error *err)
{
    Budget budget = {.unit = BUDGET_BYTES, .n_bytes = n_bytes};

    return residency_plan(plan, map, A, &budget, 0, err);
}

TEST(every_budget_from_the_minimum_on_is_kept_and_used)
{
    Synthetic model;
    Residency plan;
    Error err = {0};
    synthetic_init(&model, shape_mixture, 3);
    const BlockMap *map = &model.map;
    uint64_t minimum = store_minimum_bytes(map, A);
    CHECK(plan_bytes(&plan, map, UINT64_MAX / 2, &err));
    uint64_t all = plan.all_bytes;
    residency_destroy(&plan);

    for (uint64_t n_bytes = minimum; n_bytes < all + 100000; n_bytes += 37777) {
        if (!CHECK(plan_bytes(&plan, map, n_bytes, &err))) break;
        CHECK(held_bytes(&plan) <= n_bytes);
        CHECK(plan.minimum_bytes == minimum);
        CHECK(count_expert_slots(&plan) >= 1);
        bool streams = count_resident(&plan, map) < map->n_dense;
        CHECK(streams == (plan.n_ring_slots > 0));
        CHECK(!streams || plan.n_ring_slots >= 2);
        CHECK(plan.n_ring_slots <= RING_SLOTS_MAX);
        // Little is left over: less than the largest thing that could still have been kept.
        if (n_bytes < all) CHECK(n_bytes - held_bytes(&plan) < 2 * plan.ring_slot_bytes);
        if (n_bytes >= all) CHECK(held_bytes(&plan) == all);
        residency_destroy(&plan);
    }
    synthetic_destroy(&model);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(more_memory_never_keeps_less_of_the_dense_blocks)
{
    Synthetic model;
    Residency plan;
    Error err = {0};
    synthetic_init(&model, shape_mixture, 3);
    uint64_t kept = 0;

    for (uint64_t n_bytes = store_minimum_bytes(&model.map, A); n_bytes < 20u << 20;
         n_bytes += 50000) {
        CHECK(plan_bytes(&plan, &model.map, n_bytes, &err));
        CHECK(plan.dense_bytes + plan.ring_slot_bytes + 50000 >= kept); // of the budget before
        if (plan.dense_bytes > kept) kept = plan.dense_bytes;
        residency_destroy(&plan);
    }
    CHECK(kept == plan.dense_all_bytes || kept > 0);
    synthetic_destroy(&model);
}

TEST(the_minimum_is_trunk_and_one_expert_and_two_ring_slots)
{
    Synthetic model;
    Residency plan;
    Error err = {0};
    synthetic_init(&model, shape_mixture, 3);
    uint64_t minimum = store_minimum_bytes(&model.map, A);

    CHECK(plan_bytes(&plan, &model.map, minimum, &err));
    CHECK(minimum
          == plan.trunk_bytes + 2 * plan.ring_slot_bytes
                 + plan.classes[plan.n_classes - 1].slot_bytes);
    CHECK(plan.n_classes == 1); // both sizes share the one slot
    CHECK(count_expert_slots(&plan) == 1);
    CHECK(plan.n_ring_slots == 2);
    CHECK(count_resident(&plan, &model.map) == 0);
    CHECK(minimum < 4u << 20); // the bundled mixture's shape runs in 4 MiB
    residency_destroy(&plan);

    CHECK(!plan_bytes(&plan, &model.map, minimum - 1, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)minimum);
    CHECK(strstr(err.message, text));
    CHECK(strstr(err.message, size_format(minimum, text)));
    synthetic_destroy(&model);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

/* Blocks of about 1 MiB, as large models have them. */
TEST(a_ring_is_made_of_whole_huge_pages_and_comes_before_residents)
{
    enum { N_BLOCKS = 256 };
    static DenseBlock dense[N_BLOCKS];
    const BlockMap map = {.dense = dense, .n_dense = N_BLOCKS, .weight_bytes = N_BLOCKS * 1000000};
    Residency plan;
    Error err = {0};
    for (uint32_t i = 0; i < N_BLOCKS; i++)
        dense[i].extent = (Extent){.n_bytes = 1000000, .offset_bytes = i * (uint64_t)1000000};
    // clang-format off
    const struct {
        const char *label;
        uint64_t budget_mib;
        uint32_t want_slots;
    } cases[] = {
        {"the least",                  2,   2},
        {"little is all the drive's",  4,   4},
        {"the rest stays resident",    24,  4},
        {"a share",                    64,  8},
        {"slow moments are covered",   200, 12},
        {"no more than what streams",  240, 4},
        {"the least again",            244, 2},
        {"nothing streams",            250, 0},
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK(plan_bytes(&plan, &map, cases[i].budget_mib << 20, &err));
        CHECK(plan.ring_slot_bytes == 1u << 20);
        CHECK_CASE(cases[i].label, plan.n_ring_slots == cases[i].want_slots);
        CHECK(plan.n_ring_slots * plan.ring_slot_bytes % (2u << 20) == 0);
        residency_destroy(&plan);
    }
}

TEST(a_model_smaller_than_a_ring_has_none)
{
    Shape shape = shape_small;
    Synthetic model;
    Residency plan;
    Error err = {0};
    shape.n_layers = shape.dense_per_layer = shape.n_head = 1;
    synthetic_init(&model, shape, 3);

    CHECK(plan_bytes(&plan, &model.map, store_minimum_bytes(&model.map, A), &err));
    CHECK(plan.n_ring_slots == 0);
    CHECK(count_resident(&plan, &model.map) == model.map.n_dense);
    CHECK(count_expert_slots(&plan) >= 1);
    residency_destroy(&plan);
    synthetic_destroy(&model);
}

TEST(budgets_are_resolved_and_capped_by_the_room)
{
    Synthetic model;
    Residency plan;
    Error err = {0};
    synthetic_init(&model, shape_small, 3);
    const BlockMap *map = &model.map;
    CHECK(plan_bytes(&plan, map, UINT64_MAX / 2, &err));
    uint64_t all = plan.all_bytes, minimum = plan.minimum_bytes;
    residency_destroy(&plan);
    // clang-format off
    const struct {
        const char *label;
        Budget budget;
        uint64_t room_bytes, want_bytes; // 0: refused
    } cases[] = {
        {"bytes",                {.unit = BUDGET_BYTES, .n_bytes = minimum + 5},   0,           minimum + 5},
        {"bytes above the room", {.unit = BUDGET_BYTES, .n_bytes = all},           minimum + 9, minimum + 9},
        {"min",                  {.unit = BUDGET_MIN},                             0,           minimum},
        {"min above the room",   {.unit = BUDGET_MIN},                             minimum - 1, 0},
        {"half",                 {.unit = BUDGET_PERCENT, .percent = 50},          0,           map->weight_bytes / 2},
        {"all of it in percent", {.unit = BUDGET_PERCENT, .percent = 100},         0,           all},
        {"all",                  {.unit = BUDGET_ALL},                             all,         all},
        {"all above the room",   {.unit = BUDGET_ALL},                             all - 1,     0},
        {"default",              {.unit = BUDGET_DEFAULT},                         0,           all},
        {"default in a room",    {.unit = BUDGET_DEFAULT},                         all - 1,     all - 1},
        {"default, no room",     {.unit = BUDGET_DEFAULT},                         4096,        0},
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(cases); i++) {
        bool ok = residency_plan(&plan, map, A, &cases[i].budget, cases[i].room_bytes, &err);
        CHECK_CASE(cases[i].label, ok == (cases[i].want_bytes > 0));
        if (!ok) {
            CHECK_CASE(cases[i].label, err.id == ERROR_BUDGET);
            continue;
        }
        CHECK_CASE(cases[i].label, plan.allowed_bytes == cases[i].want_bytes);
        residency_destroy(&plan);
    }
    synthetic_destroy(&model);
}

TEST(resident_blocks_are_spread_evenly_over_the_pass)
{
    Shape shape = {.n_layers = 50,
        .dense_per_layer = 4,
        .dense_bytes = 20000,
        .n_head = 10,
        .head_rows = 50,
        .row_bytes = 300};
    Synthetic model;
    Residency plan;
    Error err = {0};
    synthetic_init(&model, shape, 3);
    CHECK(plan_bytes(&plan, &model.map, 5u << 19, &err));
    double share = (double)plan.dense_bytes / (double)plan.dense_all_bytes;
    uint64_t seen = 0, kept = 0;
    CHECK(share > 0.2 && share < 0.8);

    for (uint32_t i = 0; i < model.map.n_dense; i++) {
        uint64_t place = size_align_up(extent_place_bytes(&model.map.dense[i].extent, A), A);
        seen += place;
        kept += plan.dense_is_resident[i] ? place : 0;
        // Nowhere more than two blocks away from the even share.
        CHECK((double)kept <= share * (double)seen + 2.0 * (double)plan.ring_slot_bytes);
        CHECK((double)kept >= share * (double)seen - 2.0 * (double)plan.ring_slot_bytes);
    }
    residency_destroy(&plan);
    synthetic_destroy(&model);
}

TEST(experts_have_slots_by_size_in_proportion)
{
    Synthetic model;
    Residency plan;
    Error err = {0};
    synthetic_init(&model, shape_mixture, 3);

    CHECK(plan_bytes(&plan, &model.map, 30u << 20, &err));
    CHECK(plan.n_ring_slots == 0);
    CHECK(plan.n_classes == 2);
    CHECK(plan.classes[0].slot_bytes < plan.classes[1].slot_bytes);
    CHECK(plan.classes[0].n_blocks == 96 && plan.classes[1].n_blocks == 96);
    CHECK(plan.classes[0].n_slots >= plan.classes[1].n_slots);
    CHECK(plan.classes[0].n_slots <= plan.classes[1].n_slots + 1);
    residency_destroy(&plan);
    synthetic_destroy(&model);
}

TEST(too_many_sizes_share_one_class)
{
    Shape shape = shape_small;
    Synthetic model;
    Residency plan;
    Error err = {0};
    shape.n_expert = 64;
    synthetic_init(&model, shape, 3);
    for (uint32_t i = 0; i < blocks_n_experts(&model.map); i++)
        model.map.experts[i].extents[0].n_bytes += i % 40 * A;

    CHECK(plan_bytes(&plan, &model.map, UINT64_MAX / 2, &err));
    CHECK(plan.n_classes == 1);
    CHECK(plan.classes[0].n_blocks == 256);
    CHECK(plan.classes[0].n_slots == 256);
    for (uint32_t i = 0; i < blocks_n_experts(&model.map); i++)
        CHECK(expert_place_bytes(&model.map.experts[i], A) <= plan.classes[0].slot_bytes);
    residency_destroy(&plan);
    synthetic_destroy(&model);
}

TEST(the_row_table_stays_only_where_all_else_does)
{
    Synthetic model;
    Residency plan;
    Error err = {0};
    synthetic_init(&model, shape_small, 3);
    CHECK(plan_bytes(&plan, &model.map, UINT64_MAX / 2, &err));
    uint64_t all = plan.all_bytes;
    CHECK(plan.rows_bytes >= model.map.rows.n_rows * model.shape.row_bytes);
    residency_destroy(&plan);

    CHECK(plan_bytes(&plan, &model.map, all - 1, &err));
    CHECK(plan.rows_bytes == 0);
    CHECK(count_resident(&plan, &model.map) == model.map.n_dense);
    CHECK(count_expert_slots(&plan) == blocks_n_experts(&model.map));
    residency_destroy(&plan);
    synthetic_destroy(&model);
}

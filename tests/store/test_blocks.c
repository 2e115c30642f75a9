/* tests/store/test_blocks.c - sizes of blocks at an alignment, and maps that are refused */
#include "store/synthetic.h"

// clang-format off
static const struct {
    const char *label;
    uint64_t offset_bytes;
    uint32_t n_bytes, alignment;
    uint64_t want_span, want_place;
} extents[] = {
    {"aligned, tail in a page of its own",  4096,  8192, 4096,  8192, 12288},
    {"aligned, room for the tail",          4096,  8128, 4096,  8192,  8192},
    {"one byte too many for the tail",      4096,  8129, 4096,  8192, 12288},
    {"across a boundary",                   4095,     2, 4096,  8192,  8192},
    {"one byte",                               0,     1,  512,   512,   512},
    {"one byte before a boundary",           511,     1,  512,   512,  1024},
    {"large alignment",                    70000, 65536, 65536, 131072, 131072},
};
// clang-format on

TEST(extents_are_widened_and_have_a_tail)
{
    for (size_t i = 0; i < COUNT(extents); i++) {
        Extent extent = {.offset_bytes = extents[i].offset_bytes, .n_bytes = extents[i].n_bytes};
        uint64_t span = extent_span_bytes(&extent, extents[i].alignment);
        uint64_t place = extent_place_bytes(&extent, extents[i].alignment);

        CHECK_CASE(extents[i].label, span == extents[i].want_span);
        CHECK_CASE(extents[i].label, place == extents[i].want_place);
    }
}

TEST(an_expert_fits_its_place_wherever_it_lies)
{
    Rng rng = rng_seeded(harness_seed());

    for (uint32_t i = 0; i < 2000; i++) {
        ExpertBlock expert = {.n_extents = 1 + (uint32_t)rng_below(&rng, EXPERT_EXTENTS_MAX)};
        uint64_t needed = 0;
        for (uint32_t k = 0; k < expert.n_extents; k++) {
            expert.extents[k] = (Extent){.n_bytes = 1 + (uint32_t)rng_below(&rng, 20000),
                .offset_bytes = rng_below(&rng, 100000)};
            needed += k + 1 < expert.n_extents ? extent_span_bytes(&expert.extents[k], 4096)
                                               : extent_place_bytes(&expert.extents[k], 4096);
        }
        uint64_t place = expert_place_bytes(&expert, 4096);
        CHECK(needed <= place);
        CHECK(place <= needed + expert.n_extents * 4096ull);
    }
}

/* One thing wrong with a good map each. */
static void break_extent_file(BlockMap *map)
{
    map->dense[3].extent.file = 1;
}
static void break_dense_end(BlockMap *map)
{
    map->dense[map->n_dense - 1].extent.n_bytes++;
}
static void break_expert_offset(BlockMap *map)
{
    map->experts[5].extents[1].offset_bytes = UINT64_MAX - 10;
}
static void break_trunk(BlockMap *map)
{
    map->trunk[0].offset_bytes = 1ull << 60;
}
static void break_empty(BlockMap *map)
{
    map->dense[0].extent.n_bytes = 0;
}
static void break_too_large(BlockMap *map)
{
    map->dense[0].extent.n_bytes = BLOCK_BYTES_MAX + 1;
}
static void break_order(BlockMap *map)
{
    map->dense[0].is_head = true;
}
static void break_no_dense(BlockMap *map)
{
    map->n_dense = 0;
}
static void break_n_extents(BlockMap *map)
{
    map->experts[0].n_extents = EXPERT_EXTENTS_MAX + 1;
}
static void break_n_used(BlockMap *map)
{
    map->n_expert_used = map->n_expert + 1;
}
static void break_n_experts(BlockMap *map)
{
    map->n_expert_layers = 1u << 31;
}
static void break_rows_end(BlockMap *map)
{
    map->rows.n_rows = UINT64_MAX / 2;
}
static void break_rows_blocks(BlockMap *map)
{
    map->rows.first_dense_block++;
}
static void break_rows_per_block(BlockMap *map)
{
    map->rows.rows_per_block++;
}
static void break_rows_zero(BlockMap *map)
{
    map->rows.rows_per_block = 0;
}

// clang-format off
static const struct {
    const char *label;
    void (*break_map)(BlockMap *);
    ErrorId want;
    const char *named;
} refusals[] = {
    {"unknown file",            break_extent_file,    ERROR_INTERNAL,         "dense block 3"},
    {"dense block outside",     break_dense_end,      ERROR_FORMAT_TRUNCATED, "dense block 13"},
    {"offset near 2^64",        break_expert_offset,  ERROR_FORMAT_TRUNCATED, "expert block 5"},
    {"trunk outside",           break_trunk,          ERROR_FORMAT_TRUNCATED, "trunk tensor 0"},
    {"empty block",             break_empty,          ERROR_INTERNAL,         "no bytes"},
    {"block of more than 1 MiB", break_too_large,     ERROR_INTERNAL,         "1048577"},
    {"head before others",      break_order,          ERROR_INTERNAL,         "follows the head"},
    {"nothing dense",           break_no_dense,       ERROR_INTERNAL,         "no dense block"},
    {"too many extents",        break_n_extents,      ERROR_INTERNAL,         "4 extents"},
    {"more used than there are", break_n_used,        ERROR_INTERNAL,         "experts used"},
    {"too many experts",        break_n_experts,      ERROR_TOO_LARGE,        "experts"},
    {"rows outside",            break_rows_end,       ERROR_FORMAT_TRUNCATED, "row table"},
    {"rows past the blocks",    break_rows_blocks,    ERROR_INTERNAL,         "row"},
    {"rows larger than blocks", break_rows_per_block, ERROR_INTERNAL,         "row"},
    {"no rows in a block",      break_rows_zero,      ERROR_INTERNAL,         "row table"},
};
// clang-format on

TEST(maps_that_cannot_be_served_are_refused_by_name)
{
    Shape shape = shape_small;
    shape.is_tied = true;

    for (size_t i = 0; i < COUNT(refusals); i++) {
        Synthetic model;
        Error err = {0};
        synthetic_init(&model, shape, 7);
        CHECK_CASE("good", blocks_check(&model.map, &model.file, 1, &err));
        refusals[i].break_map(&model.map);
        CHECK_CASE(refusals[i].label, !blocks_check(&model.map, &model.file, 1, &err));
        CHECK_CASE(refusals[i].label, err.id == refusals[i].want);
        CHECK_CASE(refusals[i].label, strstr(err.message, refusals[i].named));
        synthetic_destroy(&model);
    }
}

TEST(experts_are_numbered_layer_by_layer)
{
    BlockMap map = {.n_expert_layers = 3, .n_expert = 5};

    CHECK(blocks_n_experts(&map) == 15);
    CHECK(blocks_expert_index(&map, 0, 4) == 4);
    CHECK(blocks_expert_index(&map, 2, 0) == 10);
}

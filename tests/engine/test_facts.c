/* What a plan reads out of measured facts: the points themselves, what lies between them, and what
 * lies beyond. */
#include "engine/facts.h"

#include <math.h>

#include "harness.h"

#define KIB(n) ((uint32_t)(n) << 10)

static bool is_near(double got, double wanted)
{
    if (fabs(got - wanted) <= 1e-9 * fabs(wanted)) return true;
    printf("    wanted %.12g, got %.12g\n", wanted, got);
    return false;
}

static void add_drive(
    Facts *facts, uint32_t read_bytes, uint32_t depth, ReadBackend backend, double rate)
{
    facts->drive[facts->n_drive++] = (DriveFact){
        .read_bytes = read_bytes, .depth = depth, .backend = backend, .bytes_per_s = rate};
}

static Facts drive_facts(void)
{
    Facts facts = {0};

    add_drive(&facts, KIB(64), 1, READ_URING, 100e6);
    add_drive(&facts, KIB(64), 16, READ_URING, 400e6);
    add_drive(&facts, KIB(1024), 1, READ_URING, 800e6);
    add_drive(&facts, KIB(1024), 16, READ_URING, 1600e6);
    add_drive(&facts, KIB(1024), 16, READ_THREADS, 9e9); // not what a reader takes
    add_drive(&facts, KIB(4096), 4, READ_URING, 9e9);
    facts.drive[facts.n_drive - 1].is_sequential = true; // nor is this
    return facts;
}

// clang-format off
static const struct {
    const char *label;
    uint32_t read_bytes, depth;
    double want;
} drive_cases[] = {
    {"a point",                        KIB(64),     1,  100e6},
    {"another",                        KIB(1024),  16, 1600e6},
    {"halfway between depths",         KIB(64),     4,  200e6},
    {"halfway between sizes",          KIB(256),   16,  800e6},
    {"halfway between both",           KIB(256),    4,  475.68284600108841e6}, // sqrt(200 * 1131.37)
    {"deeper than any",                KIB(64),    64,  400e6},
    {"larger than any",                KIB(8192),  16, 1600e6},
    {"smaller costs what small does",  KIB(16),     1,   25e6},
};
// clang-format on

TEST(drive_rates_are_followed_in_the_logarithm)
{
    Facts facts = drive_facts();

    for (size_t i = 0; i < COUNT(drive_cases); i++)
        CHECK_CASE(drive_cases[i].label,
            is_near(facts_drive(&facts, drive_cases[i].read_bytes, drive_cases[i].depth),
                drive_cases[i].want));
}

TEST(threads_count_where_there_is_no_ring)
{
    Facts facts = {0};

    add_drive(&facts, KIB(1024), 16, READ_THREADS, 5e8);
    CHECK(is_near(facts_drive(&facts, KIB(1024), 16), 5e8));
}

/* A profile that was interrupted has holes. */
TEST(a_hole_in_the_facts_is_bridged)
{
    Facts facts = {0};

    add_drive(&facts, KIB(64), 16, READ_URING, 4e8);
    add_drive(&facts, KIB(1024), 1, READ_URING, 8e8);
    CHECK(is_near(facts_drive(&facts, KIB(64), 1), 4e8));
    CHECK(is_near(facts_drive(&facts, KIB(1024), 64), 8e8));
}

TEST(nothing_known_is_zero)
{
    Facts facts = {0};
    uint32_t read_bytes = 7, depth = 9;

    CHECK(is_near(facts_drive(&facts, KIB(1024), 16), 0));
    CHECK(is_near(facts_memory(&facts, 4), 0));
    CHECK(is_near(facts_product_seconds(&facts, QUANT_Q4_K, 1, 1, 1000), 0));
    CHECK(!facts_best_read(&facts, &read_bytes, &depth));
    CHECK(read_bytes == 7 && depth == 9);
}

TEST(the_best_read_has_the_fewest_bytes_in_flight)
{
    Facts facts = drive_facts();
    uint32_t read_bytes, depth;

    add_drive(&facts, KIB(256), 32, READ_URING, 1560e6); // 97.5 % with 8 MiB
    add_drive(&facts, KIB(256), 16, READ_URING, 1540e6); // 96.3 % with 4 MiB
    CHECK(facts_best_read(&facts, &read_bytes, &depth));
    CHECK(read_bytes == KIB(256) && depth == 32);

    add_drive(&facts, KIB(1024), 8, READ_URING, 1570e6); // as many: larger reads cost less
    CHECK(facts_best_read(&facts, &read_bytes, &depth));
    CHECK(read_bytes == KIB(1024) && depth == 8);
}

TEST(memory_grows_with_threads_as_far_as_it_was_measured)
{
    Facts facts = {.n_memory = 2, .memory = {{1, 20e9}, {4, 40e9}}};

    CHECK(is_near(facts_memory(&facts, 1), 20e9));
    CHECK(is_near(facts_memory(&facts, 2), sqrt(2) * 20e9));
    CHECK(is_near(facts_memory(&facts, 4), 40e9));
    CHECK(is_near(facts_memory(&facts, 16), 40e9));
}

static Facts compute_facts(void)
{
    Facts facts = {.n_compute = 4,
        .compute = {
            {.type = QUANT_Q4_K, .n_threads = 1, .n_rows = 1, .bytes_per_s = 10e9},
            {.type = QUANT_Q4_K, .n_threads = 1, .n_rows = 9, .bytes_per_s = 2e9},
            {.type = QUANT_Q4_K, .n_threads = 4, .n_rows = 1, .bytes_per_s = 40e9},
            {.type = QUANT_Q4_K, .n_threads = 4, .n_rows = 9, .bytes_per_s = 8e9},
        }};
    return facts;
}

// clang-format off
static const struct {
    const char *label;
    uint32_t n_threads, n_rows;
    double want; // seconds for 40 GB
} product_cases[] = {
    {"a point",              1,  1,  4},
    {"between rows",         1,  5, 12},
    {"in proportion beyond", 1, 18, 40},
    {"between threads",      2,  1,  2},
    {"between both",         2,  5,  6},
    {"more threads",         8,  9,  5},
};
// clang-format on

TEST(products_take_a_line_over_rows_and_a_rate_over_threads)
{
    Facts facts = compute_facts();

    for (size_t i = 0; i < COUNT(product_cases); i++)
        CHECK_CASE(product_cases[i].label,
            is_near(facts_product_seconds(&facts, QUANT_Q4_K, product_cases[i].n_threads,
                        product_cases[i].n_rows, 40000000000u),
                product_cases[i].want));
    CHECK(is_near(facts_product_seconds(&facts, QUANT_Q6_K, 1, 1, 1000), 0));
}

TEST(no_product_is_faster_than_memory)
{
    Facts facts = compute_facts();

    facts.n_memory = 1;
    facts.memory[0] = (MemoryFact){1, 5e9};
    CHECK(is_near(facts_product_seconds(&facts, QUANT_Q4_K, 4, 1, 40000000000u), 8));
}

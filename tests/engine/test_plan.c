/* tests/engine/test_plan.c - what a plan says of models, budgets and machines made up here: no
 * file, no clock */
#include "engine/plan.h"

#include <math.h>

#include "harness.h"

#define GB 1e9

/* Close to the 8B shape in Q4_K. */
static PlanModel dense_model(void)
{
    PlanModel model = {.row_bytes = 2304, .position_bytes = 131072, .n_layer = 32};

    model.body_bytes[QUANT_Q4_K] = 4 * GB;
    model.head_bytes[QUANT_Q6_K] = 0.4 * GB;
    return model;
}

/* Close to 30B-A3B. */
static PlanModel mixture_model(void)
{
    PlanModel model = {.row_bytes = 1152,
        .position_bytes = 98304,
        .n_layer = 48,
        .n_expert_layers = 48,
        .n_expert = 128,
        .n_expert_used = 8};

    model.body_bytes[QUANT_Q4_K] = 0.6 * GB;
    model.head_bytes[QUANT_Q6_K] = 0.25 * GB;
    model.expert_bytes[QUANT_Q4_K] = 17.4 * GB;
    return model;
}

/* A share of the dense blocks stays, and so many experts. */
static PlanPlaces places_of(double dense_bytes, double share, uint32_t n_slots)
{
    return (PlanPlaces){.resident_bytes = (uint64_t)(dense_bytes * share),
        .streamed_bytes = (uint64_t)(dense_bytes * (1 - share)),
        .stream_read_bytes = 1 << 20,
        .stream_depth = 16,
        .n_expert_slots = n_slots,
        .expert_read_bytes = 900000,
        .n_expert_reads = 3,
        .rows_are_resident = true};
}

static PlanMachine given_machine(double drive, double memory, double compute)
{
    return (PlanMachine){.n_threads = 2,
        .n_ubatch = 512,
        .given = {.drive_bytes_per_s = drive,
            .memory_bytes_per_s = memory,
            .compute_bytes_per_s = compute}};
}

static bool within(double value, double wanted, double share)
{
    return fabs(value - wanted) <= share * wanted;
}

static bool is_ordered(const hypura_range *range)
{
    return range->low > 0 && range->low <= range->expected && range->expected <= range->high;
}

// clang-format off
static const struct {
    const char *label, *name;
    bool is_mixture;
    double share; // of the dense bytes that stay
    uint32_t n_slots;
    double drive, memory, compute;
    double per_s; // expected, within 15 %
} cases[] = {
    {"half of a dense model streams",      "drive",   false, 0.5, 0,        4 * GB, 50 * GB, 30 * GB, 4 / 2.2},
    {"a quarter of it stays",              "drive",   false, 0.25, 0,       4 * GB, 50 * GB, 30 * GB, 4 / 3.3},
    {"all of it stays",                    "compute", false, 1, 0,          4 * GB, 50 * GB, 30 * GB, 30 / 4.4},
    {"all of it stays, in slow memory",    "memory",  false, 1, 0,          4 * GB, 10 * GB, 30 * GB, 10 / 4.4},
    {"a drive faster than the cores",      "compute", false, 0.5, 0,        40 * GB, 90 * GB, 30 * GB, 30 / 4.4},
    {"a mixture, all in memory",           "compute", true,  1, 48 * 128,   4 * GB, 50 * GB, 30 * GB, 1 / 0.0655},
    // Of 1.0875 GB of experts a token, 13 % miss at half of the slots: 0.035 s; the rest is compute.
    {"a mixture, half of its experts",     "layers",  true,  1, 24 * 128,   4 * GB, 50 * GB, 30 * GB, 1 / 0.0735},
    {"a mixture with a slow drive",        "layers",  true,  1, 24 * 128,   1 * GB, 50 * GB, 30 * GB, 1 / 0.170},
};
// clang-format on

TEST(generation_is_what_the_bounds_say)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        PlanModel model = cases[i].is_mixture ? mixture_model() : dense_model();
        PlanPlaces places =
            places_of(cases[i].is_mixture ? 0.85 * GB : 4.4 * GB, cases[i].share, cases[i].n_slots);
        PlanMachine machine = given_machine(cases[i].drive, cases[i].memory, cases[i].compute);
        hypura_plan plan = {0};

        plan_make(&model, &places, &machine, &plan);
        CHECK_CASE(cases[i].label, within(plan.generate_per_s.expected, cases[i].per_s, 0.15));
        CHECK_CASE(cases[i].label, plan.bound.name && strcmp(plan.bound.name, cases[i].name) == 0);
        CHECK_CASE(cases[i].label, is_ordered(&plan.generate_per_s));
        CHECK_CASE(cases[i].label, is_ordered(&plan.prompt_per_s));
        CHECK_CASE(cases[i].label, is_ordered(&plan.first_token_seconds));
        CHECK_CASE(cases[i].label, plan.drive_is_known);
        CHECK_CASE(cases[i].label, plan.compute_is_known);
    }
}

TEST(guessed_threads_compute_no_faster_than_memory_feeds_them)
{
    PlanModel model = dense_model();
    PlanPlaces places = places_of(4.4 * GB, 1, 0);
    PlanMachine machine = {.n_threads = 64, .n_ubatch = 512};
    hypura_plan plan = {0};

    plan_make(&model, &places, &machine, &plan);
    CHECK(plan.bound.name && strcmp(plan.bound.name, "memory") == 0);
    CHECK(plan.generate_per_s.expected <= plan.bound.memory_per_s);
    CHECK(is_ordered(&plan.generate_per_s));
}

TEST(a_dense_models_bytes_are_exact)
{
    PlanModel model = dense_model();
    PlanPlaces places = places_of(4.4 * GB, 0.5, 0);
    PlanMachine machine = given_machine(4 * GB, 50 * GB, 30 * GB);
    hypura_plan plan = {0};

    plan_make(&model, &places, &machine, &plan);
    CHECK(plan.pass_bytes_per_token == 4.4 * GB + 2304);
    CHECK(plan.missing_bytes_per_token.expected == 2.2 * GB);
    CHECK(plan.missing_bytes_per_token.low == plan.missing_bytes_per_token.high);
    CHECK(plan.experts_are_known);

    places.rows_are_resident = false; // then a row is read for each token
    plan_make(&model, &places, &machine, &plan);
    CHECK(plan.missing_bytes_per_token.expected == 2.2 * GB + 2304);
}

TEST(more_memory_is_never_slower)
{
    PlanMachine machine = given_machine(4 * GB, 50 * GB, 30 * GB);
    PlanModel models[] = {dense_model(), mixture_model()};
    double last[2] = {0};

    for (uint32_t step = 0; step <= 32; step++) {
        PlanPlaces places[] = {places_of(4.4 * GB, step / 32.0, 0),
            places_of(0.85 * GB, fmin(step / 4.0, 1), step * 48 * 128 / 32)};
        for (size_t i = 0; i < COUNT(models); i++) {
            hypura_plan plan = {0};
            plan_make(&models[i], &places[i], &machine, &plan);
            CHECK(plan.generate_per_s.expected >= last[i]);
            last[i] = plan.generate_per_s.expected;
        }
    }
}

TEST(what_is_not_known_makes_intervals_wide)
{
    PlanModel model = mixture_model();
    PlanPlaces places = places_of(0.85 * GB, 1, 24 * 128);
    PlanMachine machine = given_machine(4 * GB, 50 * GB, 30 * GB);
    hypura_plan given = {0}, guessed = {0}, heated = {0};

    plan_make(&model, &places, &machine, &given);
    machine.heat_hits = (hypura_range){0.84, 0.86, 0.88};
    plan_make(&model, &places, &machine, &heated);
    machine.given = (hypura_plan_options){0};
    machine.heat_hits = (hypura_range){0};
    plan_make(&model, &places, &machine, &guessed);

    CHECK(!given.experts_are_known);
    CHECK(heated.experts_are_known);
    CHECK(within(heated.hit_rate.expected, 0.86, 1e-9));
    CHECK(!guessed.drive_is_known);
    CHECK(!guessed.compute_is_known);
    double widths[] = {heated.generate_per_s.high / heated.generate_per_s.low,
        given.generate_per_s.high / given.generate_per_s.low,
        guessed.generate_per_s.high / guessed.generate_per_s.low};
    CHECK(widths[0] < widths[1]);
    CHECK(widths[1] < widths[2]);
    CHECK(widths[2] > 8);
}

TEST(hits_that_were_seen_go_before_a_heat_map)
{
    PlanModel model = mixture_model();
    PlanPlaces places = places_of(0.85 * GB, 1, 24 * 128);
    PlanMachine machine = given_machine(1 * GB, 50 * GB, 1e15);
    hypura_plan plan = {0};

    machine.heat_hits = (hypura_range){0.84, 0.86, 0.88};
    machine.given.hit_rate = 0.97;
    plan_make(&model, &places, &machine, &plan);
    CHECK(within(plan.hit_rate.low, 0.97, 1e-9) && within(plan.hit_rate.high, 0.97, 1e-9));
    CHECK(plan.experts_are_known);
    CHECK(within(plan.missing_bytes_per_token.expected, 17.4 * GB / 16 * 0.03, 1e-9));
    places.n_expert_slots = 48 * 128; // all in memory: nothing else can be seen
    plan_make(&model, &places, &machine, &plan);
    CHECK(plan.hit_rate.expected == 1);
}

TEST(facts_go_before_guesses_and_what_is_given_before_facts)
{
    PlanModel model = dense_model();
    PlanPlaces places = places_of(4.4 * GB, 0.5, 0);
    Facts facts = {.n_drive = 1, .n_memory = 1, .n_compute = 2};
    PlanMachine machine = {.facts = &facts, .n_threads = 2, .n_ubatch = 512};
    hypura_plan plan = {0};

    facts.drive[0] = (DriveFact){
        .read_bytes = 1 << 20, .depth = 16, .backend = READ_URING, .bytes_per_s = 2 * GB};
    facts.memory[0] = (MemoryFact){.n_threads = 2, .bytes_per_s = 40 * GB};
    facts.compute[0] = (ComputeFact){
        .type = QUANT_Q4_K, .n_threads = 2, .n_rows = 1, .bytes_per_s = 30 * GB, .ops_per_s = 53e9};
    facts.compute[1] = (ComputeFact){
        .type = QUANT_Q6_K, .n_threads = 2, .n_rows = 1, .bytes_per_s = 30 * GB, .ops_per_s = 36e9};
    plan_make(&model, &places, &machine, &plan);
    CHECK(within(plan.drive_bytes_per_s, 2 * GB, 1e-9));
    CHECK(within(plan.memory_bytes_per_s, 40 * GB, 1e-9));
    CHECK(within(plan.generate_per_s.expected, 2 / 2.2, 0.1));
    CHECK(plan.drive_is_known);
    CHECK(plan.compute_is_known);

    machine.given.drive_bytes_per_s = 1 * GB;
    plan_make(&model, &places, &machine, &plan);
    CHECK(within(plan.drive_bytes_per_s, 1 * GB, 1e-9));
    CHECK(within(plan.generate_per_s.expected, 1 / 2.2, 0.1));

    // Seconds that a run has seen.
    machine.given.other_seconds = 5;
    plan_make(&model, &places, &machine, &plan);
    CHECK(within(plan.generate_per_s.expected, 1 / 5.0, 0.05));
}

TEST(a_prompt_reads_each_byte_once_a_chunk)
{
    PlanModel model = dense_model();
    PlanPlaces places = places_of(4.4 * GB, 0.5, 0);
    PlanMachine machine = given_machine(0.1 * GB, 50 * GB, 1e15); // the drive alone counts
    hypura_plan plan = {0};

    machine.given.n_prompt = 512;
    plan_make(&model, &places, &machine, &plan);
    CHECK(within(plan.first_token_seconds.expected, 44, 0.01)); // all, also what stays
    CHECK(within(plan.prompt_per_s.expected, 512 / 44.0, 0.01));
    machine.given.n_prompt = 513; // one more chunk reads what streams, again
    plan_make(&model, &places, &machine, &plan);
    CHECK(within(plan.first_token_seconds.expected, 44 + 22, 0.01));
    CHECK(plan.n_prompt == 513);
}

TEST(prompts_that_share_passes_share_their_reads)
{
    PlanModel model = dense_model();
    PlanPlaces places = places_of(4.4 * GB, 0.5, 0);
    PlanMachine machine = given_machine(0.1 * GB, 50 * GB, 1e15); // the drive alone counts
    hypura_plan one = {0}, eight = {0};

    plan_make(&model, &places, &machine, &one);
    machine.given.n_parallel = 8;
    plan_make(&model, &places, &machine, &eight);
    CHECK(one.n_parallel == 1 && eight.n_parallel == 8);
    CHECK(within(eight.generate_per_s.expected, 8 * one.generate_per_s.expected, 0.01));
    CHECK(within(eight.bound.least_per_s, 8 * one.bound.least_per_s, 0.01));
    CHECK(within(eight.missing_bytes_per_token.expected, 2.2 * GB / 8, 0.01));
    CHECK(within(eight.pass_bytes_per_token, 4.4 * GB / 8, 0.01));
    CHECK(eight.prompt_per_s.expected == one.prompt_per_s.expected); // one after the other

    // Where cores compute all the time, rows beyond the first cost what a row costs.
    machine = given_machine(100 * GB, 1000 * GB, 10 * GB);
    machine.given.n_parallel = 8;
    plan_make(&model, &places, &machine, &eight);
    CHECK(eight.generate_per_s.expected < 4 * 10 / 4.4);
}

TEST(experts_are_shared_as_far_as_prompts_choose_the_same)
{
    PlanModel model = mixture_model();
    PlanPlaces places = places_of(0.85 * GB, 1, 24 * 128);
    PlanMachine machine = given_machine(0.1 * GB, 50 * GB, 1e15);
    double last_bytes = 0, last_per_s = 0;

    for (uint32_t n = 1; n <= 64; n *= 2) {
        hypura_plan plan = {0};
        machine.given.n_parallel = n;
        plan_make(&model, &places, &machine, &plan);
        double pass_bytes = n * plan.missing_bytes_per_token.expected;
        CHECK(pass_bytes > last_bytes); // a pass reads more,
        if (n > 1) CHECK(pass_bytes < 2 * last_bytes);
        CHECK(pass_bytes <= 17.4 * GB / 2);               // but never more than is not kept,
        CHECK(plan.generate_per_s.expected > last_per_s); // and less for each token
        CHECK(plan.hit_rate.low <= plan.hit_rate.high);
        last_bytes = pass_bytes;
        last_per_s = plan.generate_per_s.expected;
    }

    // All experts in memory: nothing is missing, however many choose.
    places = places_of(0.85 * GB, 1, 48 * 128);
    hypura_plan all = {0};
    plan_make(&model, &places, &machine, &all);
    CHECK(all.missing_bytes_per_token.expected == 0);
}

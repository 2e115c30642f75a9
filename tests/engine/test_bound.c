/* tests/engine/test_bound.c - the bounds of a token; the first four rows are the worked examples
 * of docs/tiers.md */
#include "engine/bound.h"

#include <math.h>

#include "harness.h"

#define GB 1e9

static bool near(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return fabs(a - b) <= 1e-6 * fabs(b);
}

// clang-format off
static const struct {
    const char *label, *name; // of the least
    TokenWork work;
    Ceilings ceilings;
    double drive, memory, compute, layers; // (double)NAN: null
} cases[] = {
    // pass, missing, of experts, other s, experts s, miss rate, used | drive, memory
    {"dense, half of it streams", "drive",
     {4 * GB, 2 * GB, 0, 0.1, 0, 0, 0}, {4 * GB, 50 * GB}, 2, 12.5, 10, (double)NAN},
    {"dense, resident, slow memory", "memory",
     {4 * GB, 0, 0, 0.1, 0, 0, 0}, {4 * GB, 20 * GB}, (double)NAN, 5, 10, (double)NAN},
    {"dense, resident, slow cores", "compute",
     {4 * GB, 0, 0, 0.25, 0, 0, 0}, {4 * GB, 50 * GB}, (double)NAN, 12.5, 4, (double)NAN},
    {"a mixture that misses everything", "layers",
     {2 * GB, 1 * GB, 1 * GB, 0.05, 0.05, 1, 8}, {4 * GB, 50 * GB}, 4, 25, 10, 1 / 0.3},
    {"a mixture with fast reads is bound by its experts' compute", "layers",
     {2 * GB, 0.1 * GB, 0.1 * GB, 0.05, 0.05, 1, 8}, {4 * GB, 50 * GB}, 40, 25, 10, 10},
    {"a mixture with all in memory", "compute",
     {2 * GB, 0, 0, 0.05, 0.05, 0, 8}, {4 * GB, 50 * GB}, (double)NAN, 25, 10, (double)NAN},
    {"nothing is known", NULL,
     {4 * GB, 2 * GB, 0, 0, 0, 0, 0}, {0, 0}, (double)NAN, (double)NAN, (double)NAN, (double)NAN},
    {"nothing was done", NULL,
     {0, 0, 0, 0, 0, 0, 0}, {4 * GB, 50 * GB}, (double)NAN, (double)NAN, (double)NAN, (double)NAN},
};
// clang-format on

TEST(each_bound_is_what_its_ceiling_allows)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        hypura_bound bound = bound_of(&cases[i].work, &cases[i].ceilings);

        CHECK_CASE(cases[i].label, near(bound.drive_per_s, cases[i].drive));
        CHECK_CASE(cases[i].label, near(bound.memory_per_s, cases[i].memory));
        CHECK_CASE(cases[i].label, near(bound.compute_per_s, cases[i].compute));
        CHECK_CASE(cases[i].label, near(bound.layers_per_s, cases[i].layers));
        if (cases[i].name)
            CHECK_CASE(cases[i].label, bound.name && strcmp(bound.name, cases[i].name) == 0);
        else
            CHECK_CASE(cases[i].label, !bound.name && isnan(bound.least_per_s));
    }
}

TEST(misses_that_come_in_clusters_cost_more_than_their_mean)
{
    // Two experts a layer; reading one takes as long as computing both. On average one misses,
    // which would hide behind the compute; but in a quarter of the layers it is two.
    TokenWork work = {2 * GB, 1 * GB, 1 * GB, 0, 0.25, 0.5, 2};
    Ceilings ceilings = {4 * GB, 0};
    double seconds = 0.25 * 0.25 + 0.5 * 0.25 + 0.25 * 0.5; // none, one, two miss

    CHECK(near(bound_of(&work, &ceilings).layers_per_s, 1 / seconds));
}

/* (double)NAN is none. */
static double least_of(double a, double b, double c)
{
    double values[] = {a, b, c}, least = (double)INFINITY;

    for (size_t i = 0; i < COUNT(values); i++)
        if (values[i] < least) least = values[i];
    return least;
}

TEST(what_is_expected_is_never_better_than_the_bound)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        hypura_bound bound = bound_of(&cases[i].work, &cases[i].ceilings);
        double seconds = bound_expected_seconds(&cases[i].work, &cases[i].ceilings);
        double least = least_of(bound.drive_per_s, bound.layers_per_s, bound.compute_per_s);

        if (!isfinite(least)) continue; // nothing is known
        CHECK_CASE(cases[i].label, seconds * (1 + 1e-9) >= 1 / least);
        CHECK_CASE(cases[i].label, seconds <= 1.2 / least);
    }
    CHECK(near(bound_together(1, 0), 1));
    CHECK(bound_together(1, 1) > 1.05);
    CHECK(bound_together(1, 1) < 1.2);
}

TEST(a_runs_counters_become_work_and_a_drives_rate)
{
    hypura_stats before = {.demanded_bytes = 100,
        .read_missed_bytes = 50,
        .read_demand_bytes = 40,
        .expert_hits = 1,
        .expert_misses = 1,
        .pass_ns = 1000,
        .stall_ns = 900,
        .experts_ns = 700,
        .experts_stall_ns = 600,
        .drive_busy_ns = 5,
        .drive_busy_bytes = 10};
    hypura_stats after = {.demanded_bytes = 100 + 8000,
        .read_missed_bytes = 50 + 4000,
        .read_demand_bytes = 40 + 3000,
        .expert_hits = 1 + 30,
        .expert_misses = 1 + 10,
        .pass_ns = 1000 + 4000000000,
        .stall_ns = 900 + 2000000000,
        .experts_ns = 700 + 2500000000,
        .experts_stall_ns = 600 + 1500000000,
        .drive_busy_ns = 5 + 2000000000,
        .drive_busy_bytes = 10 + 6000,
        .n_expert_used = 4};
    TokenWork work = bound_work_between(&before, &after, 2);

    CHECK(near(work.pass_bytes, 4000));
    CHECK(near(work.missing_bytes, 2000));
    CHECK(near(work.missing_expert_bytes, 1500));
    CHECK(near(work.expert_seconds, 0.5)); // 2.5 s with experts, 1.5 of them waiting, two tokens
    CHECK(near(work.other_seconds, 0.5));  // 4 s, less 2 waiting, less 1 for experts
    CHECK(near(work.miss_rate, 0.25));
    CHECK(work.n_expert_used == 4);
    CHECK(near(bound_drive_between(&before, &after), 3000));

    // Nothing between: no figures, and no division by nothing.
    CHECK(bound_drive_between(&after, &after) == 0);
    work = bound_work_between(&after, &after, 0);
    CHECK(work.pass_bytes == 0);
    CHECK(work.miss_rate == 0);
}

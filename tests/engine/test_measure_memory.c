/* The numbers of threads that have a fact, an early end, and what fails. Rates are reported by
 * profile; here they are positive. */
#include "engine/measure_memory.h"

#include "base/fault.h"
#include "base/ledger.h"
#include "harness.h"

#define N_BYTES ((uint64_t)1 << 20)

static bool count_calls(void *context, uint32_t n_done, uint32_t n_total)
{
    uint32_t *n_calls = context;

    CHECK(n_done == ++*n_calls);
    CHECK(n_done <= n_total);
    return true;
}

// clang-format off
static const struct {
    uint32_t n_threads_max, n;
    uint32_t want[FACTS_MEMORY_MAX];
} cases[] = {
    {1, 1, {1}},
    {2, 2, {1, 2}},
    {5, 5, {1, 2, 3, 4, 5}},
    {8, 6, {1, 2, 3, 4, 6, 8}},
};
// clang-format on

TEST(threads_are_measured_up_to_the_most)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t n_calls = 0;
        MeasureOptions options = {
            .budget_ns = 1000000, .progress = count_calls, .context = &n_calls};
        Facts facts = {.n_memory = 3};
        Error err = {0};

        CHECK(measure_memory(cases[i].n_threads_max, N_BYTES, &options, &facts, &err));
        CHECK(facts.n_memory == cases[i].n);
        for (uint32_t k = 0; k < facts.n_memory; k++) {
            CHECK(facts.memory[k].n_threads == cases[i].want[k]);
            CHECK(facts.memory[k].bytes_per_s > 0);
        }
        CHECK(n_calls > 0);
        CHECK(ledger_total() == 0);
    }
}

static bool stop_at(void *context, uint32_t n_done, uint32_t n_total)
{
    (void)n_total;
    return n_done < *(const uint32_t *)context;
}

TEST(an_early_end_drops_what_not_every_loop_saw)
{
    uint32_t at = 1;
    MeasureOptions options = {.budget_ns = 1000000000, .progress = stop_at, .context = &at};
    Facts facts = {0};
    Error err = {0};

    CHECK(measure_memory(2, N_BYTES, &options, &facts, &err));
    CHECK(facts.n_memory == 0);
}

TEST(each_allocation_may_fail)
{
    MeasureOptions options = {.budget_ns = 1000000};

    for (uint64_t k = 1;; k++) {
        Facts facts = {.n_memory = 9};
        Error err = {0};
        fault_arm(FAULT_ALLOC, k, false);
        bool ok = measure_memory(2, N_BYTES, &options, &facts, &err);
        bool is_past = fault_count(FAULT_ALLOC) < k;
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK(ok == is_past);
        CHECK(ok || (facts.n_memory == 0 && err.id == ERROR_OUT_OF_MEMORY));
        CHECK(ledger_total() == 0);
        if (is_past) break;
    }
}

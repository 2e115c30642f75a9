/* Which products have a fact, an early end, and what fails. Rates are reported by profile; here
 * they fit each other. */
#include "engine/measure_compute.h"

#include <math.h>

#include "base/fault.h"
#include "base/ledger.h"
#include "harness.h"
#include "sys/cpu.h"

#define N_ROW_COUNTS 5 // 1, 4, 8, 64, 512

static const Kernels *kernels(void)
{
    Error err = {0};

    return kernels_select(cpu_features(), NULL, &err);
}

/* How many types the table multiplies with. */
static uint32_t count_types(void)
{
    uint32_t n = 0;

    for (uint32_t type = 0; type < QUANT_TYPES_END; type++)
        if (kernels()->matmul[type]) n++;
    return n;
}

typedef struct Stop {
    uint32_t at, n_calls;
} Stop;

static bool stop_at(void *context, uint32_t n_done, uint32_t n_total)
{
    Stop *stop = context;

    CHECK(n_done == ++stop->n_calls && n_done <= n_total);
    return n_done < stop->at;
}

/* The first round only, on one thread: all types once. */
TEST(every_type_has_a_fact_for_each_number_of_rows)
{
    Stop stop = {.at = count_types() * N_ROW_COUNTS};
    MeasureOptions options = {.progress = stop_at, .context = &stop};
    Facts facts = {0};
    Error err = {0};

    CHECK(measure_compute(kernels(), 2, 0, &options, &facts, &err));
    CHECK(strcmp(facts.isa, kernels()->isa) == 0);
    CHECK(facts.n_compute == stop.at && stop.n_calls == stop.at);
    for (uint32_t i = 0; i < facts.n_compute; i++) {
        const ComputeFact *fact = &facts.compute[i];
        const QuantTraits *traits = quant_get(fact->type);
        double weights_per_byte = (double)traits->block_elements / traits->block_bytes;
        double want = fact->bytes_per_s * weights_per_byte * fact->n_rows;
        CHECK_CASE(traits->name, fact->n_threads == 1);
        CHECK_CASE(traits->name, fact->bytes_per_s > 0);
        CHECK_CASE(traits->name, fabs(fact->ops_per_s / want - 1) < 1e-9);
    }
    CHECK(ledger_total() == 0);
}

TEST(an_early_end_keeps_what_had_a_window)
{
    Stop stop = {.at = 3};
    MeasureOptions options = {.progress = stop_at, .context = &stop};
    Facts facts = {.n_compute = 5};
    Error err = {0};

    CHECK(measure_compute(kernels(), 1, 0, &options, &facts, &err));
    CHECK(facts.n_compute == 3);
    CHECK(facts.compute[0].n_rows == 1 && facts.compute[2].n_rows == 1);
    CHECK(facts.compute[1].type != facts.compute[0].type);
}

TEST(each_allocation_may_fail)
{
    for (uint64_t k = 1;; k++) {
        Stop stop = {.at = 1};
        MeasureOptions options = {.progress = stop_at, .context = &stop};
        Facts facts = {.n_compute = 5};
        Error err = {0};
        fault_arm(FAULT_ALLOC, k, false);
        bool ok = measure_compute(kernels(), 2, 0, &options, &facts, &err);
        bool is_past = fault_count(FAULT_ALLOC) < k;
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK(ok == is_past);
        CHECK(ok || (facts.n_compute == 0 && err.id == ERROR_OUT_OF_MEMORY));
        CHECK(ledger_total() == 0);
        if (is_past) break;
    }
}

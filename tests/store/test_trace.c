/* store/trace - a recorded run in memory */
#include "store/trace.h"

#include "base/fault.h"
#include "harness.h"

TEST(calls_and_passes_follow_the_layers)
{
    static const struct {
        uint32_t layer;
        bool is_prompt, begins_pass;
    } cases[] = {
        {0, true, true},
        {1, true, false},
        {0, false, true}, // another phase
        {1, false, false},
        {1, false, true}, // a layer does not come twice in a pass
        {0, false, true},
        {3, false, false},
    };
    Trace trace;
    Error err = {0};
    CHECK(trace_init(&trace, 4, 8, &err));

    for (uint32_t i = 0; i < COUNT(cases); i++) {
        CHECK(trace_add_call(&trace, cases[i].layer, cases[i].is_prompt, &err));
        CHECK(trace_add_expert(&trace, i, &err));
        CHECK(trace_add_expert(&trace, 7, &err));
    }
    CHECK(trace.n_calls == COUNT(cases));
    for (uint32_t i = 0; i < COUNT(cases); i++) {
        const TraceCall *call = &trace.calls[i];
        CHECK(call->begins_pass == cases[i].begins_pass);
        CHECK(call->layer == cases[i].layer && call->is_prompt == cases[i].is_prompt);
        CHECK(
            call->n == 2 && trace.experts[call->first] == i && trace.experts[call->first + 1] == 7);
    }
    trace_destroy(&trace);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(all_bytes_are_of_all_layers)
{
    Trace trace;
    Error err = {0};
    CHECK(trace_init(&trace, 2, 8, &err));
    trace.expert_bytes[0] = 10;
    trace.expert_bytes[1] = 1;
    CHECK(trace_all_bytes(&trace) == 88);
    trace_destroy(&trace);
}

TEST(sizes_have_limits)
{
    static const struct {
        const char *label;
        uint32_t n_layers, n_expert;
    } cases[] = {
        {"no layer", 0, 8},
        {"no expert", 8, 0},
        {"too many layers", TRACE_LAYERS_MAX + 1, 1},
        {"too many experts", 2, TRACE_BLOCKS_MAX / 2 + 1},
        {"a product past 32 bits", 4096, UINT32_MAX},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        Trace trace;
        Error err = {0};
        CHECK_CASE(cases[i].label, !trace_init(&trace, cases[i].n_layers, cases[i].n_expert, &err));
        CHECK_ERROR(err, ERROR_TOO_LARGE);
        trace_destroy(&trace);
    }
}

TEST(a_failed_allocation_leaves_the_calls_before)
{
    Trace trace;
    Error err = {0};
    CHECK(trace_init(&trace, 1, 4, &err));
    CHECK(trace_add_call(&trace, 0, false, &err));

    uint64_t n = 0;
    fault_arm(FAULT_ALLOC, 2, true); // the first gives room for some thousands
    while (n < 100000 && trace_add_expert(&trace, (uint32_t)(n % 4), &err)) n++;
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(n > 0 && trace.n_experts == n && trace.calls[0].n == n);
    CHECK(trace_add_expert(&trace, 3, &err));
    CHECK(trace.experts[n] == 3);
    trace_destroy(&trace);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

/* store/trace_route - routing as text */
#include "store/trace.h"

#include "base/fault.h"
#include "harness.h"

#define HEAD "# model=a b n_expert=8\n# columns: phase, token\n# expert_bytes=100,200\n"

TEST(a_prompt_s_rows_of_a_layer_are_one_call)
{
    Trace trace;
    Error err = {0};
    static const char text[] = HEAD "0,0,0,0,3\n0,0,0,1,4\n0,1,0,0,4\n0,1,0,1,5\n0,0,1,0,7\r\n"
                                    "1,2,0,0,1\n1,2,0,1,2\n1,2,1,0,3\n\n1,3,0,0,1\n1,3,0,1,6";

    CHECK(trace_read_route(&trace, view_of(text), &err));
    CHECK(trace.n_layers == 2 && trace.n_expert == 8);
    CHECK(trace.expert_bytes[0] == 100 && trace.expert_bytes[1] == 200);
    static const struct {
        uint32_t layer, n, experts[3];
        bool is_prompt, begins_pass;
    } want[] = {
        {0, 3, {3, 4, 5}, true, true},
        {1, 1, {7}, true, false},
        {0, 2, {1, 2}, false, true},
        {1, 1, {3}, false, false},
        {0, 2, {1, 6}, false, true},
    };
    CHECK(trace.n_calls == COUNT(want));
    for (size_t i = 0; i < COUNT(want) && i < trace.n_calls; i++) {
        const TraceCall *call = &trace.calls[i];
        CHECK(call->layer == want[i].layer && call->n == want[i].n);
        CHECK(call->is_prompt == want[i].is_prompt && call->begins_pass == want[i].begins_pass);
        CHECK_BITS(want[i].experts, trace.experts + call->first, want[i].n * sizeof(uint32_t));
    }
    trace_destroy(&trace);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(a_malformed_line_is_named)
{
    // clang-format off
    static const struct {
        const char *label, *text, *message;
    } cases[] = {
        {"nothing",           "",                                        "no row of routing"},
        {"comments alone",    HEAD,                                      "no row of routing"},
        {"no head",           "1,0,0,0,1\n",                             "line 1: a row comes before"},
        {"no sizes",          "# n_expert=8\n1,0,0,0,1\n",               "line 2: a row comes before"},
        {"a word",            HEAD "phase,token,layer,rank,expert\n",    "line 4: not five numbers"},
        {"a field short",     HEAD "1,0,0,0\n",                          "line 4: not five numbers"},
        {"a field more",      HEAD "1,0,0,0,1,9\n",                      "line 4: more than"},
        {"a sign",            HEAD "1,0,0,0,1\n1,0,-1,0,1\n",            "line 5: not five numbers"},
        {"a blank",           HEAD "1, 0,0,0,1\n",                       "line 4: not five numbers"},
        {"past 32 bits",      HEAD "1,0,0,0,4294967296\n",               "line 4: not five numbers"},
        {"past 64 bits",      HEAD "1,0,0,0,99999999999999999999\n",     "line 4: not five numbers"},
        {"no such phase",     HEAD "2,0,0,0,1\n",                        "line 4: phase 2"},
        {"no such layer",     HEAD "1,0,2,0,1\n",                        "line 4: phase 1, layer 2"},
        {"no such expert",    HEAD "1,0,0,0,8\n",                        "expert 8: not below 2, 2, 8"},
        {"twice in a row",    HEAD "1,0,0,0,1\n1,0,0,1,1\n",             "line 5: expert 1 is there twice"},
        {"n_expert a word",   "# n_expert=many\n",                       "line 1: n_expert"},
        {"n_expert of 2^23",  "# n_expert=8388608\n",                    "line 1: n_expert"},
        {"no expert",         "# n_expert=0\n# expert_bytes=1\n1,0,0,0,0\n", "line 3: a row comes before"},
        {"a size of 0",       "# n_expert=8\n# expert_bytes=1,0\n1,0,0,0,1\n", "line 3: expert_bytes: of layer 1"},
        {"a size too large",  "# n_expert=8\n# expert_bytes=9999999999999\n1,0,0,0,1\n", "expert_bytes: of layer 0"},
        {"a list cut short",  "# n_expert=8\n# expert_bytes=1,\n1,0,0,0,1\n", "expert_bytes: of layer 1"},
        {"a list of words",   "# n_expert=8\n# expert_bytes=1x\n1,0,0,0,1\n", "expert_bytes: not a list"},
        {"too many in all",   "# n_expert=4194304\n# expert_bytes=1,1\n1,0,0,0,1\n", "line 3: 2 layers of 4194304"},
        {"a NUL",             "", ""}, // below
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(cases); i++) {
        Trace trace;
        Error err = {0};
        bool is_nul = strcmp(cases[i].label, "a NUL") == 0;
        StringView text =
            is_nul ? (StringView){HEAD "1,0\0,0,0,1\n", sizeof(HEAD) + 10} : view_of(cases[i].text);
        CHECK_CASE(cases[i].label, !trace_read_route(&trace, text, &err));
        CHECK_CASE(cases[i].label, strstr(err.message, cases[i].message));
        if (!strstr(err.message, cases[i].message)) printf("    got '%s'\n", err.message);
        CHECK_CASE(cases[i].label, !trace.calls && !trace.experts && !trace.expert_bytes);
    }
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(any_failed_allocation_leaves_nothing)
{
    static const char text[] = HEAD "1,2,0,0,1\n1,2,0,1,2\n";
    uint64_t n_failed = 0;

    for (uint64_t nth = 1; nth < 100; nth++) {
        Trace trace;
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        bool ok = trace_read_route(&trace, view_of(text), &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (ok) {
            trace_destroy(&trace);
            break;
        }
        n_failed++;
        CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(ledger_held(MEM_OTHER) == 0);
    }
    CHECK(n_failed == 4); // sizes, marks, calls, experts
}

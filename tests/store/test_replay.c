/* store/replay - what cache policies would have hit; by hand, and on recorded routing of two
 * models beside the figures that another program found for them */
#include "store/replay.h"

#include <math.h>

#include "base/fault.h"
#include "base/rng.h"
#include "store/recorded.h"

/* One layer of 8 experts of 10 bytes, one expert a token. */
static void make_trace(Trace *trace, const char *experts)
{
    Error err = {0};

    CHECK(trace_init(trace, 1, 8, &err));
    trace->expert_bytes[0] = 10;
    for (; *experts; experts++) {
        CHECK(trace_add_call(trace, 0, false, &err));
        CHECK(trace_add_expert(trace, (uint32_t)(*experts - 'a'), &err));
    }
}

TEST(policies_hit_what_a_walk_by_hand_hits)
{
    // clang-format off
    static const struct {
        const char *experts;
        ReplayPolicy policy;
        uint64_t n_slots, n_hits;
    } cases[] = {
        {"abcabcabc",  REPLAY_LRU,    2, 0}, // a cycle longer than the cache
        {"abcabcabc",  REPLAY_BELADY, 2, 3}, // ab, c for b: a hits, b for a: c hits, ...
        {"abcabcabc",  REPLAY_STATIC, 2, 6},
        {"abcabcabc",  REPLAY_LRU,    3, 6},
        {"aaabcdaaa",  REPLAY_LRU,    2, 4},
        {"aaabcdaaa",  REPLAY_LFU,    2, 5}, // b, c, d share a slot
        {"aabbcacac",  REPLAY_LFU,    2, 4}, // of equal counts the first to come goes: a for c
        {"abacadae",   REPLAY_BELADY, 2, 3},
        {"aaaa",       REPLAY_DECAYED, 1, 3},
        {"abababab",   REPLAY_LRU,    1, 0},
        {"abababab",   REPLAY_STATIC, 1, 4},
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(cases); i++) {
        Trace trace;
        ReplayResult result;
        Error err = {0};
        char label[96];
        make_trace(&trace, cases[i].experts);
        CHECK(replay_run(&trace, cases[i].policy, cases[i].n_slots * 10, &result, &err));
        snprintf(label, sizeof label, "%s of %s: %d hits", replay_policy_name(cases[i].policy),
            cases[i].experts, (int)result.n_hits);
        CHECK_CASE(label, result.n_hits == cases[i].n_hits);
        CHECK_CASE(label, result.n_slots == cases[i].n_slots);
        CHECK_CASE(label, result.n_uses == strlen(cases[i].experts));
        CHECK_CASE(label, result.missed_bytes == (result.n_uses - result.n_hits) * 10);
        trace_destroy(&trace);
    }
}

TEST(belady_is_never_beaten)
{
    Rng rng = rng_seeded(harness_seed());

    for (uint32_t round = 0; round < 40; round++) {
        char experts[201] = {0};
        for (size_t i = 0; i < 200; i++)
            experts[i] = (char)('a' + rng_below(&rng, 1 + rng_below(&rng, 8)));
        Trace trace;
        make_trace(&trace, experts);
        for (uint64_t n_slots = 1; n_slots <= 8; n_slots++) {
            ReplayResult best, other;
            Error err = {0};
            CHECK(replay_run(&trace, REPLAY_BELADY, n_slots * 10, &best, &err));
            for (int p = 0; p < REPLAY_STATIC; p++) {
                CHECK(replay_run(&trace, (ReplayPolicy)p, n_slots * 10, &other, &err));
                CHECK_CASE(replay_policy_name((ReplayPolicy)p), other.n_hits <= best.n_hits);
            }
        }
        trace_destroy(&trace);
    }
}

TEST(prompts_are_not_replayed)
{
    Trace trace;
    ReplayResult result;
    Error err = {0};
    make_trace(&trace, "a");
    CHECK(trace_add_call(&trace, 0, true, &err));
    CHECK(trace_add_expert(&trace, 1, &err));
    CHECK(trace_add_call(&trace, 0, false, &err));
    CHECK(trace_add_expert(&trace, 1, &err));

    for (int p = 0; p < REPLAY_STATIC; p++) {
        CHECK(replay_run(&trace, (ReplayPolicy)p, 80, &result, &err));
        CHECK_CASE(replay_policy_name((ReplayPolicy)p), result.n_uses == 2 && result.n_hits == 0);
    }
    trace_destroy(&trace);
}

TEST(a_budget_holds_what_one_layer_needs)
{
    Trace trace;
    ReplayResult result = {.n_hits = 99};
    Error err = {0};
    make_trace(&trace, "ab");
    CHECK(trace_add_expert(&trace, 2, &err)); // the second call needs b and c
    CHECK(replay_minimum_bytes(&trace) == 20);

    CHECK(!replay_run(&trace, REPLAY_LRU, 19, &result, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    CHECK(strstr(err.message, "20 do"));
    CHECK(result.n_hits == 99);
    CHECK(replay_run(&trace, REPLAY_LRU, 20, &result, &err) && result.n_slots == 2);
    CHECK(replay_run(&trace, REPLAY_LRU, UINT64_MAX, &result, &err) && result.n_slots == 8);
    trace_destroy(&trace);
}

TEST(any_failed_allocation_is_said_and_leaks_nothing)
{
    Trace trace;
    make_trace(&trace, "abcab");
    uint64_t held = ledger_held(MEM_OTHER);

    for (int p = 0; p < REPLAY_POLICIES_END; p++) {
        bool ok = false;
        for (uint64_t nth = 1; nth < 100 && !ok; nth++) {
            ReplayResult result = {.n_uses = 77};
            Error err = {0};
            fault_arm(FAULT_ALLOC, nth, false);
            ok = replay_run(&trace, (ReplayPolicy)p, 30, &result, &err);
            fault_arm(FAULT_ALLOC, 0, false);
            if (!ok) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
            CHECK(ok ? nth > 4 : result.n_uses == 77);
            CHECK(ledger_held(MEM_OTHER) == held);
        }
        CHECK_CASE(replay_policy_name((ReplayPolicy)p), ok);
    }
    trace_destroy(&trace);
}

/* ---- recorded routing ---- */

// clang-format off
static const struct {
    const char *trace;
    double percent;
    double lru, lfu, decayed, decayed_distance, belady, fixed; // from the notes beside the traces
    double own;                                                // measured
} rates[] = {
    {QWEN3,    3, 0.000, 0.269, 0.276, 0.283, 0.453, 0.295, 0.3105},
    {QWEN3,    6, 0.377, 0.402, 0.413, 0.420, 0.620, 0.440, 0.4605},
    {QWEN3,   12, 0.567, 0.588, 0.609, 0.612, 0.777, 0.635, 0.6400},
    {QWEN3,   25, 0.816, 0.812, 0.830, 0.832, 0.895, 0.874, 0.8362},
    {GPT_OSS,  3, 0.290, 0.325, 0.340, 0.349, 0.547, 0.410, 0.3570},
    {GPT_OSS,  6, 0.488, 0.470, 0.489, 0.493, 0.652, 0.587, 0.4965},
    {GPT_OSS, 12, 0.609, 0.623, 0.632, 0.635, 0.720, 0.791, 0.6365},
    {GPT_OSS, 25, 0.717, 0.717, 0.717, 0.717, 0.720, 0.970, 0.7179},
};
// clang-format on

static double rate_of(const Trace *trace, ReplayPolicy policy, double percent)
{
    ReplayResult result = {0};
    Error err = {0};
    uint64_t budget_bytes = (uint64_t)((double)trace_all_bytes(trace) * percent / 100);

    CHECK(replay_run(trace, policy, budget_bytes, &result, &err));
    return (double)result.n_hits / (double)result.n_uses;
}

TEST(recorded_routing_hits_what_another_program_found)
{
    for (size_t i = 0; i < COUNT(rates); i++) {
        Trace trace;
        if (!load_trace(rates[i].trace, &trace)) TEST_SKIP("the recorded traces are not here");
        const double want[] = {[REPLAY_LRU] = rates[i].lru,
            [REPLAY_LFU] = rates[i].lfu,
            [REPLAY_DECAYED] = rates[i].decayed,
            [REPLAY_DECAYED_DISTANCE] = rates[i].decayed_distance,
            [REPLAY_BELADY] = rates[i].belady,
            [REPLAY_STATIC] = rates[i].fixed};
        for (int p = REPLAY_LRU; p < REPLAY_POLICIES_END; p++) {
            char label[128];
            double got = rate_of(&trace, (ReplayPolicy)p, rates[i].percent);
            snprintf(label, sizeof label, "%s %.0f %% %s: %.4f", rates[i].trace, rates[i].percent,
                replay_policy_name((ReplayPolicy)p), got);
            CHECK_CASE(label, fabs(got - want[p]) < 0.0010);
        }
        trace_destroy(&trace);
    }
}

/* At or above every policy that does not know what comes, at every budget. */
TEST(our_policy_hits_most_on_recorded_routing)
{
    for (size_t i = 0; i < COUNT(rates); i++) {
        Trace trace;
        if (!load_trace(rates[i].trace, &trace)) TEST_SKIP("the recorded traces are not here");
        double own = rate_of(&trace, REPLAY_HYPURA, rates[i].percent);
        char label[128];
        snprintf(label, sizeof label, "%s %.0f %%: %.4f", rates[i].trace, rates[i].percent, own);
        for (int p = REPLAY_LRU; p < REPLAY_BELADY; p++)
            CHECK_CASE(label, own >= rate_of(&trace, (ReplayPolicy)p, rates[i].percent));
        CHECK_CASE(label, fabs(own - rates[i].own) < 0.002);
        trace_destroy(&trace);
    }
}

/* ---- made-up routing ---- */

/* Draws distinct experts of a layer; the i-th of its order has 1 / (i + 1)^skew of the weight.
 * The orders are drawn again every `topic` tokens. */
static void draw_trace(Trace *trace, double skew, uint32_t topic)
{
    enum { N_LAYERS = 24, N_EXPERT = 64, N_USED = 6, N_TOKENS = 256 };
    static uint32_t order[N_LAYERS][N_EXPERT];
    Rng rng = rng_seeded(7);
    Error err = {0};
    CHECK(trace_init(trace, N_LAYERS, N_EXPERT, &err));

    for (uint32_t token = 0; token < N_TOKENS; token++)
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
            for (uint32_t i = 0; i < N_EXPERT && token % topic == 0; i++) {
                uint32_t k = (uint32_t)rng_below(&rng, i + 1);
                order[layer][i] = order[layer][k];
                order[layer][k] = i;
            }
            trace->expert_bytes[layer] = 1000;
            CHECK(trace_add_call(trace, layer, false, &err));
            bool is_used[N_EXPERT] = {false};
            for (uint32_t n = 0; n < N_USED;) {
                uint32_t i = (uint32_t)rng_below(&rng, N_EXPERT);
                if ((double)rng_unit(&rng) > pow(i + 1, -skew) || is_used[i]) continue;
                is_used[i] = true;
                CHECK(trace_add_expert(trace, order[layer][i], &err));
                n++;
            }
        }
}

TEST(our_policy_keeps_up_where_the_past_says_little)
{
    static const struct {
        const char *label;
        double skew;
        uint32_t topic;
    } cases[] = {
        {"skewed, independent draws", 1, 1000},
        {"skewed, a new topic every 32 tokens", 1, 32},
        {"skewed, a new topic every 100 tokens", 1.3, 100},
        {"uniform", 0, 1000},
    };
    static const double percents[] = {6, 12, 25, 50};

    for (size_t i = 0; i < COUNT(cases); i++) {
        Trace trace;
        draw_trace(&trace, cases[i].skew, cases[i].topic);
        for (size_t k = 0; k < COUNT(percents); k++) {
            double own = rate_of(&trace, REPLAY_HYPURA, percents[k]), best = 0;
            for (int p = REPLAY_LRU; p < REPLAY_BELADY; p++)
                best = fmax(best, rate_of(&trace, (ReplayPolicy)p, percents[k]));
            char label[128];
            snprintf(label, sizeof label, "%s, %.0f %%: %.4f, best other %.4f", cases[i].label,
                percents[k], own, best);
            CHECK_CASE(label, own > best - 0.02);
        }
        trace_destroy(&trace);
    }
}

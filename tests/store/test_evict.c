/* tests/store/test_evict.c - the value of a cached expert; and what it is worth on the
 * recorded routing of real models */
#include "store/evict.h"

#include <math.h>

#include "harness.h"

TEST(more_used_is_worth_more)
{
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, 4, 8, &err));

    evict_begin_pass(&evict);
    evict_use(&evict, 8 + 1);
    CHECK(evict_value(&evict, 8 + 1, 0) > evict_value(&evict, 8 + 2, 0));
    evict_destroy(&evict);
}

TEST(uses_fade_by_a_twentieth_a_pass)
{
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, 4, 8, &err));

    evict_begin_pass(&evict);
    evict_use(&evict, 0);
    // (uses + 0.3) / (0.5 + 1): a block of layer 0 while layer 3 is computed
    CHECK(fabsf(evict_value(&evict, 0, 3) - 1.3f / 0.75f) < 1e-5f);
    evict_begin_pass(&evict);
    CHECK(fabsf(evict_value(&evict, 0, 3) - 1.25f / 0.75f) < 1e-5f);
    for (uint32_t i = 0; i < 2000; i++) evict_begin_pass(&evict); // over a change of the unit
    CHECK(fabsf(evict_value(&evict, 0, 3) - 0.3f / 0.75f) < 1e-5f);
    evict_use(&evict, 0);
    CHECK(fabsf(evict_value(&evict, 0, 3) - 1.3f / 0.75f) < 1e-5f);
    evict_destroy(&evict);
}

TEST(the_order_of_values_survives_a_change_of_the_unit)
{
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, 1, 4, &err));

    for (uint32_t pass = 0; pass < 3000; pass++) {
        evict_begin_pass(&evict);
        for (uint32_t block = 0; block < 3; block++)
            if (pass % (block + 1) == 0) evict_use(&evict, block);
        if (pass < 100) continue; // the first uses are not yet frequencies
        CHECK(evict_value(&evict, 0, 0) >= evict_value(&evict, 1, 0));
        CHECK(evict_value(&evict, 1, 0) >= evict_value(&evict, 2, 0));
        CHECK(evict_value(&evict, 2, 0) > evict_value(&evict, 3, 0));
    }
    CHECK(isfinite(evict_value(&evict, 0, 0)));
    evict_destroy(&evict);
}

TEST(the_nearer_layer_is_worth_more)
{
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, 4, 1, &err));

    // While layer 1 is computed the next to come is 2, then 3, 0, and 1 itself a cycle later.
    CHECK(evict_value(&evict, 2, 1) > evict_value(&evict, 3, 1));
    CHECK(evict_value(&evict, 3, 1) > evict_value(&evict, 0, 1));
    CHECK(evict_value(&evict, 0, 1) > evict_value(&evict, 1, 1));
    evict_destroy(&evict);
}

TEST(failed_tables_hold_nothing)
{
    Evict evict;
    Error err = {0};

    ledger_set_limit(ledger_total() + 200);
    CHECK(!evict_init(&evict, 100, 8, &err)); // 3200 bytes of uses
    CHECK_ERROR(err, ERROR_BUDGET);
    ledger_set_limit(0);
    CHECK(ledger_held(MEM_OTHER) == 0);
    evict_destroy(&evict);
}

/* ---- recorded routing ---- */

typedef struct Access {
    uint32_t token, layer, expert;
} Access;

/* The decode part of a trace: `phase,token,layer,rank,expert`. */
static uint32_t read_trace(const char *path, Access *accesses, uint32_t n_max)
{
    FILE *stream = fopen(path, "r");
    char line[256];
    uint32_t n = 0;

    while (stream && n < n_max && fgets(line, sizeof(line), stream)) {
        unsigned phase, token, layer, rank, expert;
        if (sscanf(line, "%u,%u,%u,%u,%u", &phase, &token, &layer, &rank, &expert) != 5) continue;
        if (phase == 1) accesses[n++] = (Access){token, layer, expert};
    }
    if (stream) fclose(stream);
    return n;
}

/* A cache of n_slots over all layers, as cache.c keeps it: a layer's experts are needed
 * together. */
static double hit_rate(const Access *accesses, uint32_t n, uint32_t n_layers, uint32_t n_slots)
{
    const uint32_t n_expert = 128, none = UINT32_MAX;
    uint32_t *slots = malloc(n_slots * sizeof(uint32_t));
    bool *is_cached = calloc((size_t)n_layers * n_expert, sizeof(bool));
    uint32_t n_used = 0, n_hits = 0;
    Evict evict;
    Error err = {0};
    CHECK(evict_init(&evict, n_layers, n_expert, &err));

    for (uint32_t i = 0, end; i < n; i = end) {
        const Access *call = &accesses[i];
        if (i == 0 || call->token != accesses[i - 1].token) evict_begin_pass(&evict);
        for (end = i; end < n && accesses[end].layer == call->layer; end++)
            evict_use(&evict, call->layer * n_expert + accesses[end].expert);
        bool is_wanted[128] = {false};
        for (uint32_t k = i; k < end; k++) is_wanted[accesses[k].expert] = true;
        for (uint32_t k = i; k < end; k++) {
            uint32_t block = call->layer * n_expert + accesses[k].expert, worst = none;
            if (is_cached[block]) {
                n_hits++;
                continue;
            }
            for (uint32_t s = 0; s < n_used && n_used == n_slots; s++) {
                bool stays = slots[s] / n_expert == call->layer && is_wanted[slots[s] % n_expert];
                if (stays) continue;
                if (worst == none
                    || evict_value(&evict, slots[s], call->layer)
                           < evict_value(&evict, slots[worst], call->layer))
                    worst = s;
            }
            if (n_used < n_slots)
                worst = n_used++;
            else
                is_cached[slots[worst]] = false;
            slots[worst] = block;
            is_cached[block] = true;
        }
    }
    evict_destroy(&evict);
    free(slots);
    free(is_cached);
    return (double)n_hits / n;
}

// clang-format off
static const struct {
    const char *trace;
    uint32_t n_layers;
    double share;     // slots of all experts
    double want_rate; // of decayed counts with distance, from the notes beside the traces
} rates[] = {
    {"traces/qwen3-30b-a3b.route.csv", 48, 0.03, 0.283},
    {"traces/qwen3-30b-a3b.route.csv", 48, 0.06, 0.420},
    {"traces/qwen3-30b-a3b.route.csv", 48, 0.12, 0.612},
    {"traces/qwen3-30b-a3b.route.csv", 48, 0.25, 0.832},
    {"traces/gpt-oss-120b.route.csv",  36, 0.03, 0.349},
    {"traces/gpt-oss-120b.route.csv",  36, 0.06, 0.493},
    {"traces/gpt-oss-120b.route.csv",  36, 0.12, 0.635},
    {"traces/gpt-oss-120b.route.csv",  36, 0.25, 0.717},
};
// clang-format on

TEST(recorded_routing_hits_as_often_as_measured)
{
    const uint32_t n_max = 100000;
    Access *accesses = malloc(n_max * sizeof(Access));

    for (size_t i = 0; i < COUNT(rates); i++) {
        const char *path = harness_shared_path(rates[i].trace);
        if (!path) {
            free(accesses);
            TEST_SKIP("the recorded traces are not here");
        }
        uint32_t n = read_trace(path, accesses, n_max);
        uint32_t n_slots = (uint32_t)(rates[i].share * rates[i].n_layers * 128);
        double rate = hit_rate(accesses, n, rates[i].n_layers, n_slots);
        char label[96];
        snprintf(label, sizeof(label), "%s %.0f %%: %.3f, not about %.3f", rates[i].trace,
            rates[i].share * 100, rate, rates[i].want_rate);
        CHECK_CASE(label, n > 1000);
        CHECK_CASE(label, fabs(rate - rates[i].want_rate) < 0.01);
    }
    free(accesses);
}

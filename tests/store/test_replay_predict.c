/* store/replay_predict - what would have been named before routers spoke; by hand, and on recorded
 * routing beside the figures of simple predictors that another program found for it */
#include "store/replay_predict.h"

#include <math.h>

#include "base/fault.h"
#include "store/predict.h"
#include "store/recorded.h"

/* Passes of three layers of 8 experts; "abc": of layer 0 expert 0, of layer 1 expert 1, .... */
static void make_trace(Trace *trace, const char *experts)
{
    Error err = {0};

    CHECK(trace_init(trace, 3, 8, &err));
    for (uint32_t i = 0; experts[i]; i++) {
        CHECK(trace_add_call(trace, i % 3, false, &err));
        CHECK(trace_add_expert(trace, (uint32_t)(experts[i] - 'a'), &err));
    }
}

static ReplayPrediction predict(const Trace *trace, uint32_t ahead)
{
    ReplayPrediction out = {0};
    Error err = {0};

    CHECK(replay_predict(trace, ahead, &out, &err));
    return out;
}

TEST(guesses_are_judged_by_the_call_they_are_about)
{
    Trace trace;
    make_trace(&trace, "abcabcabcabc");

    for (uint32_t ahead = 1; ahead <= PREDICT_AHEAD_MAX; ahead++) {
        ReplayPrediction got = predict(&trace, ahead);
        CHECK(got.n_uses == 12 - ahead);
        CHECK(got.n_named >= 6);
        if (ahead < 3) CHECK(got.n_named < got.n_uses); // b and c cannot be known at first
        CHECK(got.n_named_twice >= got.n_named);
    }
    trace_destroy(&trace);
}

TEST(what_breaks_off_is_not_judged)
{
    Trace trace;
    Error err = {0};

    make_trace(&trace, "ab"); // given up after two layers
    for (uint32_t layer = 0; layer < 2; layer++) {
        CHECK(trace_add_call(&trace, layer, false, &err));
        CHECK(trace_add_expert(&trace, layer, &err));
    }
    CHECK(predict(&trace, 1).n_uses == 2);
    CHECK(predict(&trace, 2).n_uses == 0);
    trace_destroy(&trace);
}

TEST(prompts_and_layers_that_do_not_exist_are_not_guessed)
{
    Trace trace;
    Error err = {0};

    CHECK(trace_init(&trace, 1, 8, &err));
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(trace_add_call(&trace, 0, i < 2, &err));
        CHECK(trace_add_expert(&trace, 5, &err));
    }
    CHECK(predict(&trace, 1).n_uses == 1);
    CHECK(predict(&trace, 2).n_uses == 0);
    trace_destroy(&trace);
}

TEST(any_failed_allocation_is_said_and_leaks_nothing)
{
    Trace trace;
    make_trace(&trace, "abcabc");
    uint64_t held = ledger_held(MEM_OTHER);
    bool ok = false;

    for (uint64_t nth = 1; nth < 100 && !ok; nth++) {
        ReplayPrediction result = {.n_uses = 77};
        Error err = {0};
        fault_arm(FAULT_ALLOC, nth, false);
        ok = replay_predict(&trace, 1, &result, &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (!ok) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        CHECK(ok ? nth > 4 : result.n_uses == 77);
        CHECK(ledger_held(MEM_OTHER) == held);
    }
    CHECK(ok);
    trace_destroy(&trace);
}

// clang-format off
static const struct {
    const char *trace;
    double simple, simple_twice; // transitions from the layer before, as the notes have it
    double own[PREDICT_AHEAD_MAX], own_twice[PREDICT_AHEAD_MAX]; // measured
} recalls[] = {
    {QWEN3,   0.55, 0.74, {0.615, 0.602, 0.594}, {0.785, 0.777, 0.768}},
    {GPT_OSS, 0.35, 0.49, {0.411, 0.394, 0.383}, {0.535, 0.522, 0.510}},
};
// clang-format on

/* The simple ones had learned from the prompt; ours begins with the first decoded token. */
TEST(recorded_routing_is_named_more_often_than_by_transitions)
{
    for (size_t i = 0; i < COUNT(recalls); i++) {
        Trace trace;
        if (!load_trace(recalls[i].trace, &trace)) TEST_SKIP("the recorded traces are not here");
        for (uint32_t ahead = 1; ahead <= PREDICT_AHEAD_MAX; ahead++) {
            ReplayPrediction got = predict(&trace, ahead);
            double recall = (double)got.n_named / (double)got.n_uses;
            double twice = (double)got.n_named_twice / (double)got.n_uses;
            double expected = got.n_expected / (double)got.n_uses;
            char label[128];
            snprintf(label, sizeof label, "%s, %u ahead: %.4f, %.4f, expected %.4f",
                recalls[i].trace, ahead, recall, twice, expected);
            CHECK_CASE(label, recall > recalls[i].simple && twice > recalls[i].simple_twice);
            CHECK_CASE(label, fabs(recall - recalls[i].own[ahead - 1]) < 0.002);
            CHECK_CASE(label, fabs(twice - recalls[i].own_twice[ahead - 1]) < 0.002);
            CHECK_CASE(label, expected < recall + 0.01 && expected > recall - 0.08); // cautious
        }
        trace_destroy(&trace);
    }
}

/* tests/cli/test_outcome.c - what bounded a run, from its counters and in words */
#include "cli/outcome.h"

#include <math.h>

#include "harness.h"

#define MODEL HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf"

// clang-format off
static const struct {
    Outcome outcome;
    const char *lines[2];
} cases[] = {
    {{.bound = {.name = "drive"}, .drive_ceiling = 4.1e9, .drive_share = 0.97, .stall_share = 0.87,
      .more_bytes = 2ull << 30, .more_factor = 1.4},
     {"87 % of the time waiting for the drive at 97 % of its 4.1 GB/s",
      "bound by drive; +2.0 GiB of memory would give 1.4x"}},
    {{.bound = {.name = "compute"}},
     {"0 % of the time waiting for the drive", "bound by compute; more memory would change nothing"}},
    {{.bound = {.name = "layers"}, .more_bytes = 1 << 20, .more_factor = 1.01},
     {"0 % of the time waiting for the drive", "bound by layers; more memory would change nothing"}},
    {{.stall_share = 0.5},
     {"50 % of the time waiting for the drive", "bound by unknown; more memory would change nothing"}},
};
// clang-format on

TEST(two_lines_say_why)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        char lines[2][OUTCOME_LINE_BYTES];

        outcome_explain(&cases[i].outcome, lines);
        for (size_t k = 0; k < 2; k++)
            CHECK_CASE(lines[k], strcmp(lines[k], cases[i].lines[k]) == 0);
    }
}

static hypura_stats stats_now(const hypura_model *model)
{
    hypura_stats stats = {.size_bytes = sizeof stats};

    hypura_model_stats(model, &stats);
    return stats;
}

/* 24 tokens of the bundled mixture; the counters of its span, as if they had taken 2 s. */
static OutcomeSpan run_span(hypura_model *model)
{
    OutcomeSpan span = {.n_early_tokens = 8, .n_tokens = 24, .early_seconds = 0.5, .seconds = 2};
    hypura_error err = {0};
    hypura_sequence *sequence = hypura_sequence_create(model, &err);

    for (int32_t i = 0; i < 25 && sequence; i++) {
        int32_t token = 100 + i;
        if (i == 1) span.begin = stats_now(model);
        CHECK(hypura_sequence_eval(sequence, &token, 1, &err));
        if (i == 8) span.early = stats_now(model);
    }
    span.end = stats_now(model);
    hypura_sequence_free(sequence);
    return span;
}

TEST(a_run_knows_its_bound_and_is_held_to_a_prediction)
{
    static const struct {
        const char *weights;
        bool streams;
    } budgets[] = {{"25%", true}, {"all", false}};

    for (size_t i = 0; i < COUNT(budgets); i++) {
        hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
        hypura_error err = {0};
        options.weights = budgets[i].weights;
        hypura_model *model = hypura_model_open(MODEL, &options, &err);
        if (!CHECK_CASE(err.message, model)) continue;
        OutcomeSpan span = run_span(model);
        Outcome outcome = outcome_of(model, &span);

        CHECK_CASE(budgets[i].weights, outcome.predicted_per_s > 0);
        CHECK_CASE(budgets[i].weights, outcome.bound.name != NULL);
        CHECK_CASE(budgets[i].weights, outcome.bound.compute_per_s > 0);
        CHECK_CASE(budgets[i].weights, isnan(outcome.bound.layers_per_s) != budgets[i].streams);
        CHECK_CASE(budgets[i].weights, (outcome.more_bytes > 0) == budgets[i].streams);
        if (!budgets[i].streams) CHECK(fabs(outcome.predicted_per_s - 16) < 1); // 8 in 0.5 s

        span.n_tokens = span.n_early_tokens = 0;
        outcome = outcome_of(model, &span);
        CHECK(isnan(outcome.predicted_per_s));
        CHECK(outcome.bound.name == NULL);
        hypura_model_close(model);
    }
}

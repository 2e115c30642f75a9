/* Every allocation and every read of a small run fails in turn: a clean error or the right
 * result, and nothing is kept. */
#include "base/fault.h"
#include "base/ledger.h"
#include "engine/reference.h"

#define MODEL_PATH HYPURA_SOURCE_ROOT "/tests/data/arch/mixtral.f16.gguf"
#define N_STEPS    2

typedef struct SmallRun {
    const char *weights;
    const char *io;
    int32_t tokens[N_STEPS];
    size_t n_text;
} SmallRun;

static const int32_t prompt[] = {124, 25, 269, 268, 218, 253, 80, 142, 230, 233, 12, 246};

static bool generate(hypura_model *model, SmallRun *run, hypura_error *err)
{
    hypura_sampling sampling = hypura_sampling_default();
    hypura_sequence *sequence = hypura_sequence_create(model, err);
    bool ok = sequence && hypura_sequence_eval(sequence, prompt, COUNT(prompt), err);
    char *text = NULL;

    for (size_t i = 0; ok && i < N_STEPS; i++)
        ok = hypura_sequence_sample(sequence, &sampling, &run->tokens[i], err)
             && hypura_sequence_eval(sequence, &run->tokens[i], 1, err);
    ok = ok && hypura_detokenize(model, run->tokens, N_STEPS, true, &text, &run->n_text, err);
    if (ok) hypura_free(text);
    hypura_sequence_free(sequence);
    return ok;
}

static bool run_small(SmallRun *run, hypura_error *err)
{
    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    options.weights = run->weights;
    options.io = run->io;
    options.n_threads = 2;
    options.n_ctx = 256;
    hypura_model *model = hypura_model_open(MODEL_PATH, &options, err);
    bool ok = model && generate(model, run, err);
    hypura_model_close(model);
    return ok;
}

typedef struct Outcome {
    uint64_t n_failed, n_right;
} Outcome;

/* Fails call k = 1, 2, … until a run has fewer calls. */
static Outcome fail_each(FaultPoint point, bool for_good, SmallRun *run, const SmallRun *wanted)
{
    Outcome outcome = {0};

    for (uint64_t k = 1;; k++) {
        hypura_error err = {0};
        fault_arm(point, k, for_good);
        bool ok = run_small(run, &err);
        uint64_t n_calls = fault_count(point);
        fault_arm(point, 0, false);

        CHECK(n_calls > 0);
        CHECK(ledger_total() == 0);
        if (ok)
            CHECK_BITS(wanted->tokens, run->tokens, sizeof run->tokens);
        else
            CHECK_CASE(err.message, err.number != 0 && err.message[0] != '\0');
        outcome.n_right += ok;
        outcome.n_failed += !ok;
        if (n_calls < k) return outcome;
    }
}

static void check_faults(const char *weights, const char *io)
{
    hypura_error err = {0};
    SmallRun wanted = {.weights = weights, .io = io}, run = wanted;
    if (!CHECK(must(run_small(&wanted, &err), &err))) return;

    Outcome outcome = fail_each(FAULT_ALLOC, false, &run, &wanted);
    printf("  %s: %llu allocations\n", weights, (unsigned long long)outcome.n_failed);
    CHECK(outcome.n_failed > 20);
    outcome = fail_each(FAULT_READ, false, &run, &wanted); // the mover reads again
    printf("  %s: %llu reads, %llu runs failed\n", weights, (unsigned long long)outcome.n_right,
        (unsigned long long)outcome.n_failed);
    CHECK(outcome.n_right > 20);
    outcome = fail_each(FAULT_READ, true, &run, &wanted);
    CHECK(outcome.n_failed > 20 && outcome.n_right >= 1);
}

TEST(a_streaming_run_survives_each_fault)
{
    check_faults("min", "threads");
    check_faults("min", "uring");
}

TEST(a_resident_run_survives_each_fault)
{
    check_faults("all", "auto");
}

/* The promise: whatever the budget, threads, backend, instruction set and chunk size, the same
 * tokens and logits. Here each single change from the baseline and a pairwise covering array;
 * the whole product is soak_same_bits.c. */
#include "engine/same_bits.h"

enum { WEIGHTS, THREADS, IO, DIRECT, ISA, UBATCH, FACTORS };

static const char *const weights[] = {"all", "50%", "25%", "min"};
static const uint32_t threads[] = {2, 1, 3};
static const char *const ios[] = {"uring", "threads"};
static const char *const directs[] = {"on", "off"};
static const uint32_t ubatches[] = {512, 7, 1};
static const char *isas[4];

/* How many values a factor has. */
static size_t n_values(int factor)
{
    switch (factor) {
    case WEIGHTS: return COUNT(weights);
    case THREADS: return COUNT(threads);
    case IO: return COUNT(ios);
    case DIRECT: return COUNT(directs);
    case ISA: {
        size_t n = 0;
        while (n < COUNT(isas) && isas[n]) n++;
        return n;
    }
    default: return COUNT(ubatches);
    }
}

static RunConfig config_of(const size_t value[FACTORS])
{
    size_t best = n_values(ISA) - 1;
    return (RunConfig){.weights = weights[value[WEIGHTS]],
        .n_threads = threads[value[THREADS]],
        .io = ios[value[IO]],
        .direct = directs[value[DIRECT]],
        .isa = isas[best - value[ISA]],
        .n_ubatch = ubatches[value[UBATCH]]};
}

/* pairs[f][a][g][b]: value a of factor f was seen with value b of factor g. */
typedef struct PairTable {
    bool seen[FACTORS][4][FACTORS][4];
} PairTable;

static size_t count_new_pairs(const PairTable *pairs, const size_t value[FACTORS])
{
    size_t n = 0;
    for (int f = 0; f < FACTORS; f++)
        for (int g = f + 1; g < FACTORS; g++) n += !pairs->seen[f][value[f]][g][value[g]];
    return n;
}

static void mark_pairs(PairTable *pairs, const size_t value[FACTORS])
{
    for (int f = 0; f < FACTORS; f++)
        for (int g = f + 1; g < FACTORS; g++) pairs->seen[f][value[f]][g][value[g]] = true;
}

/* The combination that covers most new pairs (a greedy covering array); false: all are covered. */
static bool next_row(const PairTable *pairs, size_t best[FACTORS])
{
    size_t value[FACTORS] = {0}, most = 0;

    for (;;) {
        size_t n = count_new_pairs(pairs, value);
        if (n > most) {
            most = n;
            memcpy(best, value, sizeof value);
        }
        int f = 0;
        while (f < FACTORS && ++value[f] == n_values(f)) value[f++] = 0;
        if (f == FACTORS) return most > 0;
    }
}

static void check_model(const char *path)
{
    static RunPrompts prompts;
    PairTable pairs = {0};
    size_t value[FACTORS] = {0};
    hypura_error err = {0};
    RunResult baseline = {0};
    RunConfig config = config_of(value);

    if (!CHECK(run_read_prompts(&prompts))) return;
    if (CHECK_CASE(
            run_label(&config), must(run_all(path, &config, &prompts, &baseline, &err), &err))) {
        mark_pairs(&pairs, value);
        for (int f = 0; f < FACTORS; f++)
            for (size_t v = 1; v < n_values(f); v++) {
                size_t changed[FACTORS] = {0};
                changed[f] = v;
                config = config_of(changed);
                run_and_compare(path, &config, &prompts, &baseline);
                mark_pairs(&pairs, changed);
            }
        while (next_row(&pairs, value)) {
            config = config_of(value);
            run_and_compare(path, &config, &prompts, &baseline);
            mark_pairs(&pairs, value);
        }
    }
    free(baseline.logits);
}

TEST(the_mixture_says_the_same_bits_in_every_way)
{
    CHECK(run_isas(isas) >= 1);
    check_model(run_models[0]);
}

TEST(the_dense_model_says_the_same_bits_in_every_way)
{
    check_model(run_models[1]);
}

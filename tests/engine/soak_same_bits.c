/* The whole product of test_same_bits.c. HYPURA_SHARD=I/N takes every N-th combination from the
 * I-th on, so that N processes share the work. A model's last line says how many combinations
 * were the same, and the hash of the baseline: where the first sum up and the hashes agree, the
 * shards together prove the product. Each shard computes the baseline anew, so it is one of the
 * fastest instruction set; equality is transitive. */
#include <inttypes.h>

#include "base/hash.h"
#include "engine/same_bits.h"

static const char *const weights[] = {"min", "25%", "50%", "all"};
static const char *const ios[] = {"uring", "threads"};
static const char *const directs[] = {"on", "off"};
static const uint32_t ubatches[] = {1, 7, 512};

enum { THREADS_MAX = 3 };

/* Is the next combination this process's? */
static bool is_ours(void)
{
    static unsigned shard, n_shards, next;
    const char *text = getenv("HYPURA_SHARD");

    if (n_shards == 0 && (!text || sscanf(text, "%u/%u", &shard, &n_shards) != 2 || n_shards == 0))
        n_shards = 1;
    return next++ % n_shards == shard % n_shards;
}

/* Combination `at` of the product; the instruction set and the chunk size change fastest. */
static RunConfig config_of(size_t at, const char *const *isas, size_t n_isas)
{
    RunConfig config = {.n_ubatch = ubatches[at % COUNT(ubatches)]};

    at /= COUNT(ubatches);
    config.isa = isas[at % n_isas];
    at /= n_isas;
    config.direct = directs[at % COUNT(directs)];
    at /= COUNT(directs);
    config.io = ios[at % COUNT(ios)];
    at /= COUNT(ios);
    config.n_threads = 1 + (uint32_t)(at % THREADS_MAX);
    at /= THREADS_MAX;
    config.weights = weights[at];
    return config;
}

static void check_product(const char *path)
{
    static RunPrompts prompts;
    const char *isas[4] = {0};
    size_t n_isas = run_isas(isas), n_same = 0;
    size_t n =
        n_isas * COUNT(ubatches) * COUNT(directs) * COUNT(ios) * THREADS_MAX * COUNT(weights);
    hypura_error err = {0};
    RunResult baseline = {0};
    RunConfig config = {
        .weights = "all", .io = "uring", .direct = "on", .n_threads = 1, .n_ubatch = 512};

    if (!CHECK(run_read_prompts(&prompts)) || !CHECK(n_isas > 0)) return;
    config.isa = isas[n_isas - 1];
    if (CHECK(must(run_all(path, &config, &prompts, &baseline, &err), &err))) {
        size_t n_bytes = (size_t)RUN_PROMPTS * RUN_TOKENS * baseline.n_vocab * sizeof(float);
        for (size_t at = 0; at < n; at++) {
            if (!is_ours()) continue;
            config = config_of(at, isas, n_isas);
            n_same += run_and_compare(path, &config, &prompts, &baseline);
        }
        printf("%zu of %zu combinations said the same bits, hash %016" PRIx64 "\n", n_same, n,
            hash_bytes(baseline.logits, n_bytes, 0));
    }
    free(baseline.logits);
}

TEST(the_mixture_says_the_same_bits_in_the_whole_product)
{
    check_product(run_models[0]);
}

TEST(the_dense_model_says_the_same_bits_in_the_whole_product)
{
    check_product(run_models[1]);
}

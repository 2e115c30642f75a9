/* The whole product of test_same_bits.c. HYPURA_SHARD=I/N takes every N-th combination from the
 * I-th on, so that N processes share the work. */
#include "engine/same_bits.h"

/* Is the next combination this process's? */
static bool is_ours(void)
{
    static unsigned shard, n_shards, next;
    const char *text = getenv("HYPURA_SHARD");

    if (n_shards == 0 && (!text || sscanf(text, "%u/%u", &shard, &n_shards) != 2 || n_shards == 0))
        n_shards = 1;
    return next++ % n_shards == shard % n_shards;
}

static void check_product(const char *path)
{
    static const char *const weights[] = {"min", "25%", "50%", "all"};
    static const char *const ios[] = {"uring", "threads"};
    static const char *const directs[] = {"on", "off"};
    static const uint32_t ubatches[] = {1, 7, 512};
    static RunPrompts prompts;
    const char *isas[4] = {0};
    size_t n_isas = run_isas(isas);
    hypura_error err = {0};
    RunResult baseline = {0};
    RunConfig config = {
        .weights = "all", .io = "uring", .direct = "on", .n_threads = 1, .n_ubatch = 512};

    if (!CHECK(run_read_prompts(&prompts))) return;
    config.isa = isas[0];
    if (!CHECK(must(run_all(path, &config, &prompts, &baseline, &err), &err))) return;
    for (size_t w = 0; w < COUNT(weights); w++)
        for (uint32_t n_threads = 1; n_threads <= 3; n_threads++)
            for (size_t io = 0; io < COUNT(ios); io++)
                for (size_t d = 0; d < COUNT(directs); d++)
                    for (size_t i = 0; i < n_isas; i++)
                        for (size_t u = 0; u < COUNT(ubatches); u++) {
                            config = (RunConfig){.weights = weights[w],
                                .n_threads = n_threads,
                                .io = ios[io],
                                .direct = directs[d],
                                .isa = isas[i],
                                .n_ubatch = ubatches[u]};
                            if (is_ours()) run_and_compare(path, &config, &prompts, &baseline);
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

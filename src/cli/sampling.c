/* How tokens are drawn, for the verbs that draw them. */
#include "cli/sampling.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"

static uint64_t draw_seed(void)
{
    uint32_t seed = 0; // 32 bits: short enough to be typed again

    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) seed = (uint32_t)clock_now_ns();
    return seed;
}

hypura_sampling sampling_choose(const Options *options, OptionSeed *seed)
{
    hypura_sampling sampling = hypura_sampling_default();

    if (options->temperature.is_given) sampling.temperature = (float)options->temperature.value;
    if (options->top_k.is_given) sampling.top_k = (int32_t)options->top_k.value;
    if (options->top_p.is_given) sampling.top_p = (float)options->top_p.value;
    if (options->min_p.is_given) sampling.min_p = (float)options->min_p.value;

    sampling.seed = options->seed.is_given ? options->seed.value : draw_seed();
    *seed = (OptionSeed){.is_given = true, .value = sampling.seed};
    if (!options->seed.is_given && !options->quiet)
        fprintf(stderr, "hypura: seed %llu\n", (unsigned long long)sampling.seed);
    return sampling;
}

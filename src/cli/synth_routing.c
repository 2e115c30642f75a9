/* Random weights choose experts at random. What makes real choices worth caching is put in
 * by two means, both without a bias or a tensor that the shape has not:
 *
 * Skew. An expert's row of the router is as loud as exp(skew * normal); a louder row wins
 * more often, in every topic.
 *
 * Topics. Tokens of a topic have the first part of their embedding in common, so routers see
 * similar states and choose similar experts. The head's rows begin with the same bytes: from
 * a state of that topic only tokens of that topic come. One token in dwell_tokens is a
 * bridge, whose head row stands in one topic and whose embedding speaks of another. So the
 * text stays in a topic for dwell_tokens on average (geometrically distributed), whatever
 * the prompt and the sampler's seed.
 *
 * Figures of real models: docs/streaming.md, and those measured of these: docs/cli.md. */
#include "cli/synth_routing.h"

#include <string.h>

#include "base/error.h"
#include "base/rng.h"

static const SynthRouting routings[] = {
    {.name = "skewed", .skew = 0.35f, .n_topics = 24, .dwell_tokens = 64, .shared_eighths = 4},
    {.name = "switching", .skew = 0.2f, .n_topics = 24, .dwell_tokens = 32, .shared_eighths = 6},
    {.name = "uniform"},
};

size_t synth_n_routings(void)
{
    return COUNT(routings);
}

const SynthRouting *synth_routing(size_t index)
{
    return &routings[index];
}

const SynthRouting *synth_find_routing(const char *name)
{
    for (size_t i = 0; i < COUNT(routings); i++)
        if (strcmp(name, routings[i].name) == 0) return &routings[i];
    return NULL;
}

/* Random bits of a token; the streams of synth_fill have counters below 2^63. */
static uint64_t bits_of(uint64_t seed, uint32_t token)
{
    return rng_at(seed, UINT64_C(1) << 63 | token);
}

uint32_t synth_topic_of_head(const SynthRouting *routing, uint64_t seed, uint32_t token)
{
    return (uint32_t)(bits_of(seed, token) & 0xffff) % routing->n_topics;
}

uint32_t synth_topic_of_embedding(const SynthRouting *routing, uint64_t seed, uint32_t token)
{
    uint64_t bits = bits_of(seed, token);
    bool is_bridge = (bits >> 16 & 0xffff) % routing->dwell_tokens == 0;

    if (!is_bridge) return synth_topic_of_head(routing, seed, token);
    return (uint32_t)(bits >> 32) % routing->n_topics;
}

/* How the router of a synthetic mixture chooses: how unevenly, and what neighbouring tokens
 * have in common. */
#ifndef HYPURA_CLI_SYNTH_ROUTING_H
#define HYPURA_CLI_SYNTH_ROUTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SynthRouting {
    const char *name;        // as in --router
    float skew;              // deviation of the logarithm of an expert's loudness
    uint32_t n_topics;       // 0: none
    uint32_t dwell_tokens;   // mean stay in a topic
    uint32_t shared_eighths; // of an embedding row: what tokens of a topic have in common
} SynthRouting;

size_t synth_n_routings(void);
/* The first is the default. */
const SynthRouting *synth_routing(size_t index);
/* NULL: no routing of that name. */
const SynthRouting *synth_find_routing(const char *name);

/* The topic that a token's embedding speaks of, and the one in which the head chooses the
 * token: pure functions of seed and token, in [0, n_topics), where n_topics is not 0. */
uint32_t synth_topic_of_embedding(const SynthRouting *routing, uint64_t seed, uint32_t token);
uint32_t synth_topic_of_head(const SynthRouting *routing, uint64_t seed, uint32_t token);

#endif

/* cli/synth_routing - which topic a token stands in, and how seldom it leads to another. */
#include "harness.h"

#include "cli/synth_routing.h"

#define N_TOKENS 20000u

TEST(routings_have_names_and_the_first_is_the_default)
{
    CHECK(synth_find_routing("skewed") == synth_routing(0));
    CHECK(synth_find_routing("switching") && synth_find_routing("uniform"));
    CHECK(!synth_find_routing("skew"));
    CHECK(synth_find_routing("uniform")->n_topics == 0);
    CHECK(synth_find_routing("switching")->dwell_tokens == 32);
}

TEST(tokens_are_spread_over_topics_and_one_in_a_stay_leads_elsewhere)
{
    for (size_t i = 0; i < synth_n_routings(); i++) {
        const SynthRouting *routing = synth_routing(i);
        uint32_t n_of_topic[64] = {0}, n_bridges = 0;
        if (routing->n_topics == 0) continue;
        for (uint32_t token = 0; token < N_TOKENS; token++) {
            uint32_t head = synth_topic_of_head(routing, 7, token);
            uint32_t embedding = synth_topic_of_embedding(routing, 7, token);
            if (!CHECK(head < routing->n_topics && embedding < routing->n_topics)) return;
            n_of_topic[head]++;
            n_bridges += head != embedding;
        }
        for (uint32_t t = 0; t < routing->n_topics; t++) {
            uint32_t fair = N_TOKENS / routing->n_topics;
            CHECK_CASE(routing->name, n_of_topic[t] > fair * 4 / 5 && n_of_topic[t] < fair * 5 / 4);
        }
        uint32_t wanted = N_TOKENS / routing->dwell_tokens;
        CHECK_CASE(routing->name, n_bridges > wanted * 4 / 5 && n_bridges < wanted * 5 / 4);
    }
}

TEST(the_seed_decides_the_topics)
{
    const SynthRouting *routing = synth_routing(0);
    uint32_t n_same = 0;

    for (uint32_t token = 0; token < N_TOKENS; token++) {
        uint32_t topic = synth_topic_of_head(routing, 1, token);
        CHECK(topic == synth_topic_of_head(routing, 1, token));
        n_same += topic == synth_topic_of_head(routing, 2, token);
    }
    CHECK(n_same < N_TOKENS / 10);
}

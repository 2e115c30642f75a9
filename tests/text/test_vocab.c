/* Every configuration of the vocabulary oracle: llama.cpp's ids, texts and pieces. */
#include "text/oracle.h"

#include "base/log.h"

/* Pre-tokenizers and models that are not built; each must be refused by name. */
static const char not_built[] =
    " pre-deepseek-llm pre-jais-2 pre-gemma4 pre-granite-embed-multi-311m raw-model-gemma4 "
    "pre-sarvam-moe pre-whitespace pre-chameleon pre-afmoe pre-tiny_aya pre-cohere2moe own-ugm "
    "own-ugm-nocharsmap own-ugm-xlmr own-ugm-keepws own-rwkv real-deepseek-llm real-bert-bge ";

TEST(all_configurations_give_the_oracles_ids_and_texts)
{
    const char *index = harness_shared_path("oracle/vocab/index.json");
    static Oracle oracle;

    if (!index) TEST_SKIP("the folder of expected data is absent");
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    log_set_level(LOG_QUIET);
    if (oracle_open(&oracle, (StringView){index, (size_t)(strrchr(index, '/') - index)})) {
        oracle.not_built = not_built;
        oracle_check(&oracle);
        CHECK(oracle.n_configs == 117);
        CHECK(oracle.n_refused == 18);
        CHECK(oracle.n_lines == 43178);
    }
    oracle_close(&oracle);
}

/* The bundled mixture end to end against another engine's greedy tokens
 * (tests/data/greedy.json): fed along the listed tokens, our best token is the listed one in at
 * least 490 of 512 steps, and wherever that engine was sure. */
#include "engine/reference.h"

#define STEPS_EQUAL_MIN 490
#define GAP_SURE        0.5

typedef struct Tally {
    uint32_t n_steps, n_equal, n_sure_and_wrong;
} Tally;

static int32_t best_token(const float *logits, uint32_t n_vocab)
{
    int32_t best = 0;
    for (uint32_t i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best]) best = (int32_t)i;
    return best;
}

static void follow(hypura_model *model, const Json *prompt, Tally *tally)
{
    hypura_error err = {0};
    const Json *ids = json_get(prompt, "prompt_ids"), *tokens = json_get(prompt, "tokens");
    const Json *gaps = json_get(prompt, "top2_gap");
    size_t n_prompt = json_count(ids), n_tokens = json_count(tokens);
    int32_t *prompt_ids = malloc(n_prompt * sizeof(int32_t));
    for (size_t i = 0; i < n_prompt; i++)
        prompt_ids[i] = (int32_t)json_get_i64(json_at(ids, i), -1);

    hypura_sequence *sequence = hypura_sequence_create(model, &err);
    bool ok = CHECK(must(sequence != NULL, &err))
              && CHECK(must(hypura_sequence_eval(sequence, prompt_ids, n_prompt, &err), &err));
    for (size_t i = 0; ok && i < n_tokens; i++) {
        int32_t want = (int32_t)json_get_i64(json_at(tokens, i), -1);
        bool is_equal = best_token(hypura_sequence_logits(sequence), hypura_n_vocab(model)) == want;
        tally->n_steps++;
        tally->n_equal += is_equal;
        tally->n_sure_and_wrong += !is_equal && json_get_number(json_at(gaps, i), 0) >= GAP_SURE;
        ok = CHECK(must(hypura_sequence_eval(sequence, &want, 1, &err), &err));
    }
    hypura_sequence_free(sequence);
    free(prompt_ids);
}

TEST(the_bundled_mixture_agrees_with_the_greedy_oracle)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    Json *json = read_json(HYPURA_SOURCE_ROOT "/tests/data/greedy.json");
    const Json *prompts = json_get(json, "prompts");
    hypura_error err = {0};
    Tally tally = {0};
    hypura_model *model =
        hypura_model_open(HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf", NULL, &err);

    if (CHECK(must(model != NULL, &err)))
        for (size_t i = 0; i < json_count(prompts); i++) follow(model, json_at(prompts, i), &tally);
    printf("  %u of %u steps equal\n", tally.n_equal, tally.n_steps);
    CHECK(tally.n_steps == 512);
    CHECK(tally.n_equal >= STEPS_EQUAL_MIN);
    CHECK(tally.n_sure_and_wrong == 0);
    hypura_model_close(model);
    json_free(json);
}

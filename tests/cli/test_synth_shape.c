/* cli/synth_shape - the shapes have the sizes of the models they are named after. */
#include "harness.h"

#include "cli/synth_shape.h"

static uint64_t n_elements(const SynthModel *model)
{
    uint64_t n = 0;

    for (size_t i = 0; i < model->n_tensors; i++) {
        uint64_t product = 1;
        for (uint32_t k = 0; k < model->tensors[i].n_dims; k++)
            product *= model->tensors[i].dims[k];
        n += product;
    }
    return n;
}

TEST(shapes_have_the_published_numbers_of_parameters)
{
    static const struct {
        const char *name;
        uint64_t want; // of the models' cards and configuration files
    } cases[] = {
        {"llama-3-8b", 8030261248},
        {"llama-3-70b", 70553706496},
        {"mixtral-8x7b", 46702792704},
        {"qwen3-30b-a3b", 30532122624},
        {"qwen3-235b-a22b", 235093634560},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        Arena arena;
        SynthModel model;
        Error err = {0};

        arena_init(&arena, MEM_OTHER);
        const SynthShape *shape = synth_find_shape(cases[i].name);
        CHECK_CASE(cases[i].name, shape);
        if (shape && synth_plan(shape, "Q4_K_M", &arena, &model, &err))
            CHECK_CASE(cases[i].name, n_elements(&model) == cases[i].want);
        else
            CHECK_CASE(cases[i].name, false);
        arena_destroy(&arena);
    }
}

TEST(the_mixture_of_types_is_the_documented_one)
{
    Arena arena;
    SynthModel model;
    Error err = {0};
    size_t n_better = 0;

    arena_init(&arena, MEM_OTHER);
    CHECK(synth_plan(synth_find_shape("llama-3-8b"), "Q4_K_M", &arena, &model, &err));
    for (size_t i = 0; i < model.n_tensors; i++) {
        const SynthTensor *tensor = &model.tensors[i];
        bool may_be_better = strstr(tensor->name, "attn_v") || strstr(tensor->name, "ffn_down")
                             || strcmp(tensor->name, "output.weight") == 0;
        if (tensor->role == SYNTH_NORM) CHECK_CASE(tensor->name, tensor->type == QUANT_F32);
        if (tensor->type != QUANT_Q6_K) continue;
        CHECK_CASE(tensor->name, may_be_better);
        n_better++;
    }
    CHECK(n_better == 1 + 2 * 16); // the head, and half of the layers
    arena_destroy(&arena);
}

TEST(a_mixture_shares_the_type_of_its_head_with_the_embedding)
{
    Arena arena;
    SynthModel model;
    Error err = {0};

    arena_init(&arena, MEM_OTHER);
    CHECK(synth_plan(synth_find_shape("qwen3-30b-a3b"), "Q4_K_M", &arena, &model, &err));
    const SynthTensor *embedding = &model.tensors[0], *head = &model.tensors[model.n_tensors - 1];
    CHECK(embedding->role == SYNTH_EMBEDDING && head->role == SYNTH_HEAD);
    CHECK(embedding->type == head->type);
    CHECK_BITS(&embedding->deviation, &head->deviation, sizeof(float));
    CHECK(model.routing == synth_routing(0));
    CHECK(synth_plan(synth_find_shape("llama-3-8b"), "Q4_K_M", &arena, &model, &err));
    CHECK(model.tensors[0].type == QUANT_Q4_K && !model.routing);
    arena_destroy(&arena);
}

TEST(rows_that_no_block_of_256_divides_have_blocks_of_32)
{
    Arena arena;
    SynthModel model;
    Error err = {0};

    arena_init(&arena, MEM_OTHER);
    CHECK(synth_plan(synth_find_shape("gpt-oss-120b"), "Q4_K_M", &arena, &model, &err));
    for (size_t i = 0; i < model.n_tensors; i++) {
        const SynthTensor *tensor = &model.tensors[i];
        if (tensor->type == QUANT_F32) continue;
        bool is_divided = tensor->dims[0] % 256 == 0;
        CHECK_CASE(tensor->name, is_divided == (tensor->type != QUANT_Q4_0));
    }
    CHECK(model.data_bytes > UINT64_C(60) << 30 && model.data_bytes < UINT64_C(66) << 30);
    arena_destroy(&arena);
}

TEST(unknown_names_are_refused)
{
    Arena arena;
    SynthModel model;
    Error err = {0};

    arena_init(&arena, MEM_OTHER);
    CHECK(!synth_find_shape("llama-3-9b"));
    CHECK(!synth_plan(synth_find_shape("tiny-moe"), "Q4_K_L", &arena, &model, &err));
    CHECK_ERROR(err, ERROR_USAGE);
    CHECK(strstr(err.message, "Q4_K_L"));
    arena_destroy(&arena);
}

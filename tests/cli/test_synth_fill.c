/* cli/synth_fill - random weights that a model can compute with. */
#include "harness.h"

#include <math.h>

#include "base/rng.h"
#include "cli/synth_fill.h"
#include "quant/decode.h"

static const char *const types[] = {"Q4_K_M", "Q6_K", "Q4_0", "Q8_0", "F16", "BF16", "F32"};

/* A whole tensor; the caller owns the arena. */
static uint8_t *make_tensor(Arena *arena, const SynthFill *fill, const SynthModel *model, size_t i)
{
    Error err = {0};
    uint8_t *data = arena_alloc(arena, model->tensors[i].n_bytes, &err);

    CHECK(data);
    if (data) synth_fill_bytes(fill, model, i, 0, data, model->tensors[i].n_bytes);
    return data;
}

static size_t find_tensor(const SynthModel *model, const char *name)
{
    for (size_t i = 0; i < model->n_tensors; i++)
        if (strcmp(model->tensors[i].name, name) == 0) return i;
    CHECK_CASE(name, false);
    return 0;
}

TEST(any_part_of_a_tensor_is_that_part_of_the_whole)
{
    Arena arena;
    SynthModel model;
    SynthFill fill;
    Error err = {0};
    uint8_t part[5000];

    arena_init(&arena, MEM_OTHER);
    CHECK(synth_plan(synth_find_shape("tiny-moe"), "Q4_K_M", &arena, &model, &err));
    CHECK(synth_fill_init(&fill, &model, 3, &arena, &err));
    for (size_t i = 0; i < 8; i++) { // norms, matrices, a router
        const uint8_t *whole = make_tensor(&arena, &fill, &model, i);
        uint64_t n_bytes = model.tensors[i].n_bytes;
        for (uint64_t offset = 0; offset < n_bytes; offset += n_bytes / 5 + 1) {
            size_t n = n_bytes - offset < sizeof part ? (size_t)(n_bytes - offset) : sizeof part;
            synth_fill_bytes(&fill, &model, i, offset, part, n);
            CHECK_BITS(whole + offset, part, n);
        }
    }
    arena_destroy(&arena);
}

TEST(the_seed_decides_every_byte)
{
    Arena arena;
    SynthModel model;
    SynthFill first, again, other;
    Error err = {0};

    arena_init(&arena, MEM_OTHER);
    CHECK(synth_plan(synth_find_shape("tiny-dense"), "Q4_K_M", &arena, &model, &err));
    CHECK(synth_fill_init(&first, &model, 1, &arena, &err));
    CHECK(synth_fill_init(&again, &model, 1, &arena, &err));
    CHECK(synth_fill_init(&other, &model, 2, &arena, &err));
    for (size_t i = 0; i < 4; i++) {
        size_t n_bytes = model.tensors[i].n_bytes;
        const uint8_t *a = make_tensor(&arena, &first, &model, i);
        CHECK_BITS(a, make_tensor(&arena, &again, &model, i), n_bytes);
        CHECK(memcmp(a, make_tensor(&arena, &other, &model, i), n_bytes) != 0);
    }
    arena_destroy(&arena);
}

/* Tolerances are of statistics, not of arithmetic: 3 % of a deviation over 100,000 draws. */
TEST(decoded_weights_have_mean_0_and_the_deviation_wanted)
{
    for (size_t t = 0; t < COUNT(types); t++) {
        Arena arena;
        SynthModel model;
        SynthFill fill;
        Error err = {0};
        double sum = 0, squares = 0;

        arena_init(&arena, MEM_OTHER);
        CHECK(synth_plan(synth_find_shape("tiny-moe"), types[t], &arena, &model, &err));
        CHECK(synth_fill_init(&fill, &model, 5, &arena, &err));
        const size_t index = find_tensor(&model, "blk.2.ffn_down_exps.weight");
        const SynthTensor *tensor = &model.tensors[index];
        size_t n = (size_t)(tensor->dims[0] * tensor->dims[1] * tensor->dims[2]);
        float *values = arena_alloc_array(&arena, n, sizeof *values, &err);
        quant_decode(tensor->type, make_tensor(&arena, &fill, &model, index), values, n);
        for (size_t i = 0; i < n; i++) {
            sum += (double)values[i];
            squares += (double)values[i] * (double)values[i];
        }
        double deviation = sqrt(squares / (double)n), wanted = (double)tensor->deviation;
        CHECK_CASE(types[t], fabs(sum / (double)n) < 0.03 * wanted);
        CHECK_CASE(types[t], fabs(deviation - wanted) < 0.03 * wanted);
        arena_destroy(&arena);
    }
}

/* Begins of rows, half of their bytes. */
static bool begin_alike(const SynthTensor *a, const uint8_t *a_data, uint32_t a_row,
    const SynthTensor *b, const uint8_t *b_data, uint32_t b_row)
{
    uint64_t row_bytes = quant_row_bytes(a->type, a->dims[0]);

    CHECK(a->type == b->type && a->dims[0] == b->dims[0]);
    return memcmp(a_data + a_row * row_bytes, b_data + b_row * row_bytes, row_bytes / 2) == 0;
}

TEST(rows_of_a_topic_begin_alike_and_end_differently)
{
    Arena arena;
    SynthModel model;
    SynthFill fill;
    Error err = {0};

    arena_init(&arena, MEM_OTHER);
    CHECK(synth_plan(synth_find_shape("tiny-moe-64"), "Q4_K_M", &arena, &model, &err));
    CHECK(synth_fill_init(&fill, &model, 9, &arena, &err));
    size_t last = model.n_tensors - 1;
    const SynthTensor *embedding = &model.tensors[0], *head = &model.tensors[last];
    const uint8_t *embedded = make_tensor(&arena, &fill, &model, 0);
    const uint8_t *spoken = make_tensor(&arena, &fill, &model, last);
    uint64_t row_bytes = quant_row_bytes(head->type, head->dims[0]);
    for (uint32_t token = 1; token < 400; token++) {
        uint32_t topic = synth_topic_of_embedding(model.routing, 9, token);
        bool same_head = topic == synth_topic_of_head(model.routing, 9, token);
        bool same_first = topic == synth_topic_of_embedding(model.routing, 9, 0);
        CHECK(same_head == begin_alike(embedding, embedded, token, head, spoken, token));
        CHECK(same_first == begin_alike(embedding, embedded, token, embedding, embedded, 0));
        const uint8_t *end = embedded + token * row_bytes + row_bytes / 2;
        CHECK(memcmp(end, embedded + row_bytes / 2, row_bytes / 2) != 0);
        CHECK(memcmp(end, spoken + token * row_bytes + row_bytes / 2, row_bytes / 2) != 0);
    }
    arena_destroy(&arena);
}

TEST(texts_do_not_end_by_themselves)
{
    static const char *const names[] = {"tiny-moe", "tiny-dense"};

    for (size_t i = 0; i < COUNT(names); i++) {
        Arena arena;
        SynthModel model;
        SynthFill fill;
        Error err = {0};
        arena_init(&arena, MEM_OTHER);
        CHECK(synth_plan(synth_find_shape(names[i]), "Q8_0", &arena, &model, &err));
        CHECK(synth_fill_init(&fill, &model, 9, &arena, &err));
        const SynthTensor *head = &model.tensors[model.n_tensors - 1];
        uint64_t row_bytes = quant_row_bytes(head->type, head->dims[0]), n_set = 0;
        const uint8_t *rows = make_tensor(&arena, &fill, &model, model.n_tensors - 1);
        const uint8_t *silent = rows + head->n_bytes - 2 * row_bytes;
        for (uint64_t k = 0; k < 2 * row_bytes; k++) n_set += silent[k] != 0;
        CHECK_CASE(names[i], n_set == 0 && silent[-1] != 0);
        arena_destroy(&arena);
    }
}

#define N_STEPS   1024u
#define N_LAYERS  4u
#define N_EXPERTS 128u
#define N_USED    8u
#define SEED      1 // the default of the verb

/* The k experts of the largest products with a state; marks them. */
static void choose(const float *router, const float *state, uint32_t n_embd, bool *is_chosen)
{
    float score[N_EXPERTS];

    for (uint32_t e = 0; e < N_EXPERTS; e++) {
        score[e] = 0;
        for (uint32_t i = 0; i < n_embd; i++) score[e] += router[e * n_embd + i] * state[i];
        is_chosen[e] = false;
    }
    for (uint32_t k = 0; k < N_USED; k++) {
        uint32_t best = N_EXPERTS;
        for (uint32_t e = 0; e < N_EXPERTS; e++)
            if (!is_chosen[e] && (best == N_EXPERTS || score[e] > score[best])) best = e;
        is_chosen[best] = true;
    }
}

/* The next token of a text: any of those that the head chooses in the topic. */
static uint32_t next_token(const SynthModel *model, uint32_t token, Rng *rng)
{
    const SynthRouting *routing = model->routing;
    uint32_t next = (uint32_t)rng_below(rng, model->shape.n_vocab);

    if (routing->n_topics == 0) return next;
    uint32_t topic = synth_topic_of_embedding(routing, SEED, token);
    while (synth_topic_of_head(routing, SEED, next) != topic)
        next = (uint32_t)rng_below(rng, model->shape.n_vocab);
    return next;
}

static int descending(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

/* Of all choices along a text: the share of the busiest quarter of the experts, and the
 * share that the token before had made too. Means over some layers, whose loudest rows are
 * more or less loud. */
static void walk(const char *routing, double *quarter, double *again)
{
    static float states[N_STEPS][512];
    SynthShape shape = *synth_find_shape("tiny-moe-64");
    Arena arena;
    SynthModel model;
    SynthFill fill;
    Error err = {0};
    uint32_t n_again = 0, n_quarter = 0, token = 0;
    Rng rng = rng_seeded(11);

    arena_init(&arena, MEM_OTHER);
    shape.n_layer = N_LAYERS;
    shape.n_expert = N_EXPERTS;
    CHECK(synth_plan(&shape, "Q4_0", &arena, &model, &err));
    model.routing = synth_find_routing(routing);
    CHECK(synth_fill_init(&fill, &model, SEED, &arena, &err));
    const SynthTensor *embedding = &model.tensors[0];
    uint32_t n_embd = model.shape.n_embd;
    uint64_t row_bytes = quant_row_bytes(embedding->type, n_embd);
    uint8_t *row = arena_alloc(&arena, row_bytes, &err);
    for (uint32_t step = 0; step < N_STEPS; step++) {
        synth_fill_bytes(&fill, &model, 0, token * row_bytes, row, row_bytes);
        quant_decode(embedding->type, row, states[step], n_embd);
        token = next_token(&model, token, &rng);
    }
    for (size_t layer = 0; layer < N_LAYERS; layer++) {
        bool chosen[2][N_EXPERTS] = {{false}};
        uint32_t n_uses[N_EXPERTS] = {0};
        char name[40];
        snprintf(name, sizeof name, "blk.%zu.ffn_gate_inp.weight", layer);
        const float *router =
            (float *)(void *)make_tensor(&arena, &fill, &model, find_tensor(&model, name));
        for (uint32_t step = 0; step < N_STEPS; step++) {
            bool *now = chosen[step % 2];
            choose(router, states[step], n_embd, now);
            for (uint32_t e = 0; e < N_EXPERTS; e++) {
                n_uses[e] += now[e];
                n_again += step > 0 && now[e] && chosen[(step + 1) % 2][e];
            }
        }
        qsort(n_uses, N_EXPERTS, sizeof *n_uses, descending);
        for (uint32_t i = 0; i < N_EXPERTS / 4; i++) n_quarter += n_uses[i];
    }
    *quarter = (double)n_quarter / (N_STEPS * N_USED * N_LAYERS);
    *again = (double)n_again / ((N_STEPS - 1) * N_USED * N_LAYERS);
    printf("  %s: busiest quarter %.3f, again %.3f\n", routing, *quarter, *again);
    arena_destroy(&arena);
}

/* docs/streaming.md has the traces that this stands for: 68 % of the choices fall on a
 * quarter of the experts, a third and more were made by the token before. */
TEST(choices_are_skewed_like_those_of_real_models)
{
    double quarter, again;

    walk("skewed", &quarter, &again);
    CHECK(quarter > 0.63 && quarter < 0.73);
    CHECK(again > 0.28);
}

TEST(a_switching_text_repeats_itself_between_switches)
{
    double quarter, again;

    walk("switching", &quarter, &again);
    CHECK(quarter < 0.63); // its favourites go with the topic
    CHECK(again > 0.42);
}

/* 1024 tokens use each expert 64 times, give or take 8: the busiest quarter gets 30 %. */
TEST(uniform_choices_are_as_good_as_random)
{
    double quarter, again;

    walk("uniform", &quarter, &again);
    CHECK(quarter < 0.31);
    CHECK(again < 0.075); // 8 of 128 are 0.0625
}

/* cli/synth_fill - random weights that a model can compute with. */
#include "harness.h"

#include <math.h>

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

TEST(routers_prefer_some_experts)
{
    Arena arena;
    SynthModel model;
    SynthFill fill;
    Error err = {0};
    double least = 1e9, most = 0;

    arena_init(&arena, MEM_OTHER);
    CHECK(synth_plan(synth_find_shape("tiny-moe"), "Q4_K_M", &arena, &model, &err));
    CHECK(synth_fill_init(&fill, &model, 5, &arena, &err));
    size_t index = find_tensor(&model, "blk.0.ffn_gate_inp.weight");
    const SynthTensor *tensor = &model.tensors[index];
    const uint8_t *data = make_tensor(&arena, &fill, &model, index);
    for (uint64_t row = 0; row < tensor->dims[1]; row++) {
        double squares = 0;
        for (uint64_t i = 0; i < tensor->dims[0]; i++) {
            float value;
            memcpy(&value, data + (row * tensor->dims[0] + i) * sizeof value, sizeof value);
            squares += (double)value * (double)value;
        }
        if (squares < least) least = squares;
        if (squares > most) most = squares;
    }
    CHECK(least > 0.01 && most < 100); // deviations of 0.1 to 10
    CHECK(most > 4 * least);
    arena_destroy(&arena);
}

/* Dot products of every weight type against float64 sums made by another program
 * (oracle/types: 64 weight rows, 8 activation rows of 256; rows 0-5 are normal, 6 has strong
 * outliers). Quantised activations are compared within what quantising them costs, float ones
 * within what float32 costs. */
#include "harness.h"
#include "kernels/tables.h"

#include "gguf/gguf.h"

#define ROWS 8
#define OUT  64
#define COLS 256

static const struct {
    QuantType type;
    double nmse; // of llama.cpp's dot products, which quantise activations too; 0: F32 ones
} types[] = {
    {QUANT_F32, 0},
    {QUANT_F16, 0},
    {QUANT_BF16, 0},
    {QUANT_Q4_0, 7e-5},
    {QUANT_Q4_1, 9e-5},
    {QUANT_Q5_0, 7e-5},
    {QUANT_Q5_1, 8e-5},
    {QUANT_Q8_0, 8e-5},
    {QUANT_Q2_K, 3e-4},
    {QUANT_Q3_K, 3e-4},
    {QUANT_Q4_K, 3e-4},
    {QUANT_Q5_K, 3e-4},
    {QUANT_Q6_K, 3e-4},
    {QUANT_IQ4_NL, 8e-5},
    {QUANT_IQ4_XS, 3e-4},
    {QUANT_MXFP4, 7e-5},
};

/* The bytes of a tensor, readable 64 bytes past its end; the caller frees. NULL: no folder. */
static uint8_t *read_tensor(const char *file, const char *name)
{
    Error err = {0};
    char relative[64];

    snprintf(relative, sizeof relative, "oracle/types/%s.gguf", file);
    const char *path = harness_shared_path(relative);
    if (!path) return NULL;
    GgufFile *gguf = gguf_open(path, GGUF_TENSOR_DATA, NULL, 0, &err);
    if (!CHECK_CASE(path, gguf)) return NULL;
    const GgufTensor *tensor = gguf_find_tensor(gguf, view_of(name));
    if (!CHECK_CASE(name, tensor)) return NULL;
    uint8_t *data = malloc(tensor->n_bytes + 64);
    assert(data);
    CHECK(file_read_at(gguf_shards(gguf), tensor->offset_bytes, data, tensor->n_bytes, &err));
    gguf_close(gguf);
    return data;
}

/* sum((got - want)^2) / sum(want^2) of n values. */
static double nmse(const float *got, const float *want, size_t n)
{
    double error = 0, power = 0;

    for (size_t i = 0; i < n; i++) {
        double difference = (double)got[i] - (double)want[i];
        error += difference * difference;
        power += (double)want[i] * (double)want[i];
    }
    return error / power;
}

/* Float activations: each row within what a float32 sum may err (1e-9 for outliers). */
static void check_float_rows(const char *name, const float *got, const float *exact)
{
    for (size_t t = 0; t <= 6; t++)
        CHECK_CASE(name, nmse(got + t * OUT, exact + t * OUT, OUT) <= (t < 6 ? 1e-11 : 1e-9));
}

TEST(products_are_near_the_exact_ones)
{
    uint8_t *activations = read_tensor("common", "activations");
    if (!activations) TEST_SKIP("the folder of expected data is not here");
    const float *x = (const float *)(const void *)activations;

    for (size_t i = 0; i < COUNT(types); i++) {
        QuantType type = types[i].type;
        const char *name = quant_get(type)->name;
        uint8_t *w = read_tensor(name, "weight"), *dots = read_tensor(name, "dot_exact");
        const float *exact = (const float *)(const void *)dots;
        float y[ROWS * OUT];
        if (!CHECK_CASE(name, w && exact)) continue;

        for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
            Acts acts = acts_of(table, kernels_act_kind(type), x, ROWS, COLS);
            table->matmul[type](y, OUT, w, quant_row_bytes(type, COLS), OUT, &acts);
            acts_drop(&acts);
            double limit = 3 * types[i].nmse > 2e-4 ? 3 * types[i].nmse : 2e-4;
            if (types[i].nmse == 0)
                check_float_rows(name, y, exact);
            else
                CHECK_CASE(name, nmse(y, exact, (size_t)6 * OUT) <= limit);
        }

        Acts acts = acts_of(kernels_table(0), ACT_F32, x, ROWS, COLS);
        kernels_matmul_decoded(type, y, OUT, w, quant_row_bytes(type, COLS), OUT, &acts);
        acts_drop(&acts);
        check_float_rows(name, y, exact);
        free(w);
        free(dots);
    }
    free(activations);
}

/* The vectors of oracle/arithmetic: an independent program written from the text of the
 * rule made them (vectors.c, expected.txt there). Each table of this machine must give
 * them. FNV is 32-bit FNV-1a over bytes in memory order. */
#include "harness.h"
#include "kernels/ref/functions.h"
#include "kernels/tables.h"
#include "quant/f16.h"

#include <math.h>

#define N 4096

static uint32_t fnv(const void *data, size_t n_bytes)
{
    const uint8_t *bytes = data;
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < n_bytes; i++) hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

/* The generator of vectors.c: each vector starts it from a seed of its own. */
static uint32_t lcg_state;

static uint32_t lcg_next(void)
{
    lcg_state = lcg_state * 1664525u + 1013904223u;
    return lcg_state;
}

static float lcg_float(void)
{
    return (float)((int32_t)(lcg_next() >> 8) - 8388608) * 0x1p-22f;
}

static const float *vector_x(void)
{
    static float x[N];

    lcg_state = 1;
    for (size_t i = 0; i < N; i++) {
        x[i] = lcg_float();
        if (i % 97 == 0) x[i] = x[i] * 30.0f;
    }
    return x;
}

static uint8_t *raw_weights(void)
{
    static uint8_t w[N * 2 + 64];

    lcg_state = 2;
    for (size_t i = 0; i < N * 2; i++) w[i] = (uint8_t)(lcg_next() >> 24);
    return w;
}

static const uint16_t *half_weights(void)
{
    static uint16_t w[N + 32];

    lcg_state = 3;
    for (size_t i = 0; i < N; i++) {
        uint32_t r = lcg_next();
        w[i] = (uint16_t)((0x2c00 + ((r >> 16) % 1024)) | ((r >> 1) & 0x8000));
    }
    return w;
}

TEST(input_is_that_of_the_oracle)
{
    CHECK(fnv(vector_x(), N * sizeof(float)) == 0x0a4be33c);
}

TEST(activations_are_quantised_as_the_oracle_does)
{
    float ties[32] = {127};
    for (int i = 1; i < 32; i++) ties[i] = i & 1 ? (float)i + 0.5f : -((float)i + 0.5f);

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        Acts a256 = acts_of(table, ACT_A256, vector_x(), 1, N);
        Acts a32 = acts_of(table, ACT_A32, vector_x(), 1, N);
        Acts tied = acts_of(table, ACT_A32, ties, 1, 32);
        CHECK_CASE(table->isa, fnv(acts_record(&a256, 0).q, N) == 0x70de944d);
        CHECK_CASE(table->isa, fnv(acts_record(&a256, 0).d, N / 256 * 4) == 0xac3687ae);
        CHECK_CASE(table->isa, fnv(acts_record(&a32, 0).q, N) == 0x3c54f2e7);
        CHECK_CASE(table->isa, fnv(acts_record(&a32, 0).d, N / 32 * 4) == 0x28c57933);
        CHECK_CASE(table->isa, fnv(acts_record(&tied, 0).q, 32) == 0xdfcecd5a);
        acts_drop(&a256);
        acts_drop(&a32);
        acts_drop(&tied);
    }
}

TEST(quantised_dots_are_those_of_the_oracle)
{
    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        uint8_t *w = raw_weights();
        for (uint8_t b = 0; b < 16; b++) {
            w[144 * b] = (uint8_t)(30 + b);
            w[144 * b + 1] = 0x25;
            w[144 * b + 2] = (uint8_t)(153 + b);
            w[144 * b + 3] = 0x21;
        }
        CHECK_CASE(table->isa, dot_row(table, QUANT_Q4_K, w, vector_x(), N) == -0x1.31da42p+10f);

        w = raw_weights();
        for (uint8_t b = 0; b < 16; b++) {
            w[210 * b + 208] = (uint8_t)(30 + b);
            w[210 * b + 209] = 0x1d;
        }
        CHECK_CASE(table->isa, dot_row(table, QUANT_Q6_K, w, vector_x(), N) == -0x1.672a7ep+10f);

        w = raw_weights();
        for (uint32_t b = 0; b < 128; b++) {
            w[34 * b] = (uint8_t)(0x2110 + b);
            w[34 * b + 1] = 0x21;
        }
        CHECK_CASE(table->isa, dot_row(table, QUANT_Q8_0, w, vector_x(), N) == 0x1.44b9d2p+6f);

        w = raw_weights();
        for (uint32_t b = 0; b < 128; b++) w[17 * b] = (uint8_t)(118 + b % 5);
        CHECK_CASE(table->isa, dot_row(table, QUANT_MXFP4, w, vector_x(), N) == -0x1.7fa32ep+2f);

        w = raw_weights();
        w[0] = 0; // the scale 2^-128, and then 2^-127: denormal, and kept
        w[17] = 1;
        CHECK_CASE(table->isa, dot_row(table, QUANT_MXFP4, w, vector_x(), 64) == -0x1.b27b96p-121f);
    }
}

TEST(float_dots_are_those_of_the_oracle)
{
    const float *x = vector_x();
    const uint8_t *w = (const uint8_t *)half_weights();
    uint16_t denormals[64] = {0};
    static float wide[N + 16];
    float tiny[16];

    for (int i = 0; i < 16; i++) {
        denormals[i] = (uint16_t)(1 + 3 * i);
        tiny[i] = x[i] * 0x1p-110f;
    }
    for (int i = 0; i < N; i++) wide[i] = f16_to_f32(half_weights()[i]);

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        CHECK_CASE(table->isa, dot_row(table, QUANT_F16, w, x, N) == 0x1.b48f6p+2f);
        CHECK_CASE(table->isa, dot_row(table, QUANT_F16, w, x, 500) == -0x1.dfc76p+0f);
        CHECK_CASE(table->isa,
            dot_row(table, QUANT_F16, (const uint8_t *)denormals, tiny, 16) == 0x1.2bdf8p-132f);
        CHECK_CASE(
            table->isa, dot_row(table, QUANT_F32, (const uint8_t *)wide, x, N) == 0x1.b48f6p+2f);
    }
}

static const struct {
    const char *name;
    Activation f;
    uint32_t want;
} activation_cases[] = {
    {"silu", ACTIVATION_SILU, 0xb07a30bb},
    {"gelu_tanh", ACTIVATION_GELU_TANH, 0xd42efc48},
    {"gelu_erf", ACTIVATION_GELU_ERF, 0x2b192a5e},
};

TEST(functions_are_those_of_the_oracle)
{
    static float x[65536], y[65536], ones[65536];
    float tie = 0.625f;

    for (int i = 0; i < 65536; i++) x[i] = (float)(i - 32768) * 0x1.7p-9f;
    for (int i = 0; i < 65536; i++) ones[i] = 1;
    for (int i = 0; i < 65536; i++) y[i] = canonical_expf(x[i]);
    CHECK(fnv(y, sizeof y) == 0xed124797);
    for (int i = 0; i < 65536; i++) y[i] = canonical_erff(x[i]);
    CHECK(fnv(y, sizeof y) == 0xd69c4534);

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        for (size_t i = 0; i < COUNT(activation_cases); i++) {
            table->activate(activation_cases[i].f, y, x, 65536);
            CHECK_CASE(activation_cases[i].name, fnv(y, sizeof y) == activation_cases[i].want);
            table->activate_mul(activation_cases[i].f, y, x, ones, 65536);
            CHECK_CASE(activation_cases[i].name, fnv(y, sizeof y) == activation_cases[i].want);
        }
        memcpy(y, x, sizeof y); // 1 * tanh(x / 1) is tanh(x)
        table->softcap(y, 1, 65536);
        CHECK_CASE(table->isa, fnv(y, sizeof y) == 0x5bd6c590);
        for (int i = 0; i < 65536; i++) y[i] = (float)(i - 32768) * 0x1.7p-14f;
        table->softcap(y, 1, 65536);
        CHECK_CASE(table->isa, fnv(y, sizeof y) == 0xf53029ac);
        tie = 0.625f;
        table->softcap(&tie, 1, 1);
        CHECK_CASE(table->isa, tie == 0x1.1bf48p-1f);
    }
}

TEST(norm_and_softmax_are_those_of_the_oracle)
{
    float y[512], w[500];

    for (int i = 0; i < 500; i++) w[i] = f16_to_f32(half_weights()[i]);
    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        table->rms_norm(y, vector_x(), w, 500, 1e-5f);
        CHECK_CASE(table->isa, fnv(y, 500 * sizeof(float)) == 0x876d8add);
        table->softmax(y, vector_x() + 1, 96);
        CHECK_CASE(table->isa, fnv(y, 96 * sizeof(float)) == 0xee1fb9c7);
    }
}

#define D    80
#define KEYS 700

/* Three pages of keys and values in F16, as vectors.c draws them. */
static void fill_pages(const Kernels *table, const KvShape *shape, uint8_t *pages)
{
    static float k[KEYS * D], v[KEYS * D];

    lcg_state = 4;
    for (size_t i = 0; i < COUNT(k); i++) k[i] = lcg_float();
    for (size_t i = 0; i < COUNT(v); i++) v[i] = lcg_float();
    for (uint32_t j = 0; j < KEYS; j++) {
        uint8_t *page = pages + j / KV_PAGE_KEYS * kv_page_bytes(shape);
        table->kv_put(shape, page, j % KV_PAGE_KEYS, k + j * D, v + j * D);
    }
}

TEST(attention_is_that_of_the_oracle)
{
    static const struct {
        uint32_t first, end;
        float m, l;
    } chunks[] = {
        {101, 256, 0x1.195a3ep+3f, 0x1.0b618cp+2f}, // the window begins at key 101
        {0, 256, 0x1.24522ap+3f, 0x1.ae987cp+2f},
        {0, KEYS - 512, 0x1.208f1ep+3f, 0x1.237526p+2f},
    };
    const KvShape shape = {.type = KV_F16, .n_head_kv = 1, .d_k = D, .d_v = D};
    const float sink = 1.5f;

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        float M = 0, L = 0, O[D], m, l, o[D], out[D];
        uint8_t *pages = calloc(3, kv_page_bytes(&shape));
        if (!pages) abort();
        fill_pages(table, &shape, pages);

        for (uint32_t c = 0; c < 3; c++) {
            uint8_t *page = pages + c * kv_page_bytes(&shape);
            AttentionChunk chunk = {.k = kv_k_head(&shape, page, 0),
                .v = kv_v_head(&shape, page, 0),
                .type = KV_F16,
                .d_k = D,
                .d_v = D,
                .scale = 0x1.c9f25cp-4f};
            table->attention_chunk(
                &chunk, vector_x(), N, 1, chunks[c].first, chunks[c].end, &m, &l, o);
            CHECK_CASE(table->isa, m == chunks[c].m && l == chunks[c].l);
            if (c == 0) {
                M = m;
                L = l;
                memcpy(O, o, sizeof O);
            } else {
                table->attention_merge(&M, &L, O, m, l, o, D);
            }
        }
        memcpy(o, O, sizeof o);
        table->attention_finish(out, M, L, o, NULL, D);
        CHECK_CASE(table->isa, out[0] == 0x1.04237p-4f && fnv(out, sizeof out) == 0xda47b958);
        table->attention_finish(out, M, L, O, &sink, D);
        CHECK_CASE(table->isa, fnv(out, sizeof out) == 0xce490967);
        free(pages);
    }
}

TEST(rope_tables_are_those_of_the_oracle)
{
    double inv[64];
    float cos[64], sin[64], picked[512];
    size_t n = 0;

    rope_inverse_frequencies(inv, 128, 500000.0);
    for (uint32_t position = 1; position <= 1000003; position += 31250) {
        rope_sincos(cos, sin, inv, 64, position, 1.0);
        for (size_t i = 0; i < 64; i += 16) {
            picked[n++] = cos[i];
            picked[n++] = sin[i];
        }
    }
    CHECK(n == 264);
    CHECK(fnv(picked, n * sizeof picked[0]) == 0x69cd2b9a);
}

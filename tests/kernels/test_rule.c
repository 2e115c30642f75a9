/* The vectors that stand in the rule itself (docs/arithmetic.md, section 13), on every table
 * of this machine. */
#include "harness.h"
#include "kernels/ref/functions.h"
#include "kernels/tables.h"

#include <math.h>

#define N 512

static uint32_t fnv(const int8_t *codes, size_t n)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < n; i++) hash = (hash ^ (uint8_t)codes[i]) * 16777619u;
    return hash;
}

/* X(n) of section 13. */
static float input(int n)
{
    return (float)(((37 * n + 11) % 101) - 50) / 16.0f;
}

static const float *row_x(void)
{
    static float x[N];

    for (int i = 0; i < N; i++) x[i] = input(i) / 3.0f;
    return x;
}

static uint8_t *raw_row(void)
{
    static uint8_t w[N * 2 + 64];

    for (uint32_t i = 0; i < N * 2; i++) w[i] = (uint8_t)(73 * i + 19);
    return w;
}

static void put_u16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

TEST(row_is_quantised_as_printed)
{
    static const int8_t codes[16] = {
        -99, -5, 89, -74, 20, 114, -48, 46, -117, -23, 71, -91, 3, 97, -66, 28};
    static const int16_t sums[8] = {-55, -112, 89, 33, -24, 177, -134, 68};
    static const float x[4] = {-0x1.ap-1f, -0x1.555556p-5f, 0x1.755556p-1f, -0x1.355556p-1f};
    static const float d256[2] = {0x1.0cc432p-7f, 0x1.0cc432p-7f};
    static const float d32[4] = {0x1.0cc432p-7f, 0x1.0cc432p-7f, 0x1.07641ep-7f, 0x1.07641ep-7f};

    CHECK_BITS(x, row_x(), sizeof x);
    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        Acts a256 = acts_of(table, ACT_A256, row_x(), 1, N);
        Acts a32 = acts_of(table, ACT_A32, row_x(), 1, N);
        ActsRecord wide = acts_record(&a256, 0), narrow = acts_record(&a32, 0);

        CHECK_BITS(codes, wide.q, sizeof codes);
        CHECK_BITS(codes, narrow.q, sizeof codes);
        CHECK_BITS(sums, wide.bs16, sizeof sums);
        CHECK_BITS(d256, wide.d, sizeof d256);
        CHECK_BITS(d32, narrow.d, sizeof d32);
        CHECK_CASE(table->isa, fnv(wide.q, N) == 0xb0149f76);
        CHECK_CASE(table->isa, fnv(narrow.q, N) == 0x71a8f79d);
        acts_drop(&a256);
        acts_drop(&a32);
    }
}

TEST(dots_are_as_printed)
{
    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        uint8_t *w = raw_row();
        for (uint32_t b = 0; b < 2; b++) {
            put_u16(w + 144 * b, 0x251e);
            put_u16(w + 144 * b + 2, 0x2199);
        }
        CHECK_CASE(table->isa, dot_row(table, QUANT_Q4_K, w, row_x(), N) == 0x1.fa7f2cp+1f);

        w = raw_row();
        for (uint32_t b = 0; b < 2; b++) put_u16(w + 210 * b + 208, 0x1d1e);
        CHECK_CASE(table->isa, dot_row(table, QUANT_Q6_K, w, row_x(), N) == 0x1.031deep+7f);

        w = raw_row();
        for (uint32_t b = 0; b < 16; b++) put_u16(w + 34 * b, 0x2110 + b);
        CHECK_CASE(table->isa, dot_row(table, QUANT_Q8_0, w, row_x(), N) == -0x1.6a3d9ap+3f);

        w = raw_row();
        for (uint32_t b = 0; b < 16; b++) w[17 * b] = (uint8_t)(118 + b % 5);
        CHECK_CASE(table->isa, dot_row(table, QUANT_MXFP4, w, row_x(), N) == -0x1.764c3ep-2f);

        w = raw_row();
        for (uint32_t i = 0; i < N; i++)
            put_u16(w + 2 * i, (0x2c00 + (73 * i + 19) % 1024) | (i % 3 != 0 ? 0x8000 : 0));
        CHECK_CASE(table->isa, dot_row(table, QUANT_F16, w, row_x(), N) == 0x1.a7fbfap-2f);
    }
}

// clang-format off
static const struct {
    float x, exp, silu, gelu_tanh, gelu_erf, tanh;
} functions[] = {
    {-90.0f, 0x0p+0f, -0x0p+0f, -0x0p+0f, 0x0p+0f, -0x1p+0f},
    {-86.0f, 0x1.e726c4p-125f, -0x1.474e0cp-118f, -0x0p+0f, 0x0p+0f, -0x1p+0f},
    {-50.0f, 0x1.d257d6p-73f, -0x1.6c549ep-67f, -0x0p+0f, 0x0p+0f, -0x1p+0f},
    {-20.5f, 0x1.57a3bp-30f, -0x1.b849b8p-26f, -0x0p+0f, 0x0p+0f, -0x1p+0f},
    {-10.0f, 0x1.7cd79cp-15f, -0x1.dc07fcp-12f, -0x1.47c8fap-123f, 0x0p+0f, -0x1p+0f},
    {-5.0f, 0x1.b993fep-8f, -0x1.1223ap-5f, -0x1.ec28ep-23f, -0x1.9p-20f, -0x1.fff41ap-1f},
    {-2.0f, 0x1.152aaap-3f, -0x1.e84152p-3f, -0x1.73ef8ap-5f, -0x1.74bcap-5f, -0x1.ed9506p-1f},
    {-1.0f, 0x1.78b564p-2f, -0x1.136562p-2f, -0x1.453d2p-3f, -0x1.44ed1p-3f, -0x1.85efacp-1f},
    {-0.5f, 0x1.368b3p-1f, -0x1.829a06p-3f, -0x1.3bfa4ap-3f, -0x1.3bf148p-3f, -0x1.d9353ep-2f},
    {-0.1f, 0x1.cf46dap-1f, -0x1.852316p-5f, -0x1.78f92cp-5f, -0x1.78f916p-5f, -0x1.983d78p-4f},
    {0.0f, 0x1p+0f, 0x0p+0f, 0x0p+0f, 0x0p+0f, 0x0p+0f},
    {0.1f, 0x1.1aec7cp+0f, 0x1.ae101ep-5f, 0x1.ba3a0ap-5f, 0x1.ba3a1ep-5f, 0x1.983d78p-4f},
    {0.5f, 0x1.a61298p+0f, 0x1.3eb2fep-2f, 0x1.6202dap-2f, 0x1.62075cp-2f, 0x1.d9353ep-2f},
    {1.0f, 0x1.5bf0a8p+1f, 0x1.764d5p-1f, 0x1.aeb0b8p-1f, 0x1.aec4bcp-1f, 0x1.85efacp-1f},
    {2.0f, 0x1.d8e64cp+2f, 0x1.c2f7d4p+0f, 0x1.f46086p+0f, 0x1.f45a1cp+0f, 0x1.ed9506p-1f},
    {3.3f, 0x1.b1cd5ep+4f, 0x1.975ffp+1f, 0x1.a63b7p+1f, 0x1.a6321ep+1f, 0x1.fe9bep-1f},
    {5.0f, 0x1.28d38ap+7f, 0x1.3ddbb8p+2f, 0x1.4p+2f, 0x1.3ffffap+2f, 0x1.fff41ap-1f},
    {10.0f, 0x1.5829dcp+14f, 0x1.3ffc48p+3f, 0x1.4p+3f, 0x1.4p+3f, 0x1p+0f},
    {50.0f, 0x1.19103ep+72f, 0x1.9p+5f, 0x1.9p+5f, 0x1.9p+5f, 0x1p+0f},
    {88.0f, 0x1.f1056ep+126f, 0x1.6p+6f, 0x1.6p+6f, 0x1.6p+6f, 0x1p+0f},
};
// clang-format on

static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static float activated(const Kernels *table, Activation f, float x)
{
    float y;

    table->activate(f, &y, &x, 1);
    return y;
}

TEST(functions_are_as_printed)
{
    for (size_t i = 0; i < COUNT(functions); i++)
        CHECK(same(canonical_expf(functions[i].x), functions[i].exp));

    for (const Kernels *table = next_table(NULL); table; table = next_table(table))
        for (size_t i = 0; i < COUNT(functions); i++) {
            float x = functions[i].x, capped = x;
            table->softcap(&capped, 1, 1); // 1 * tanh(x / 1)
            CHECK_CASE(table->isa, same(activated(table, ACTIVATION_SILU, x), functions[i].silu));
            CHECK_CASE(table->isa,
                same(activated(table, ACTIVATION_GELU_TANH, x), functions[i].gelu_tanh));
            CHECK_CASE(
                table->isa, same(activated(table, ACTIVATION_GELU_ERF, x), functions[i].gelu_erf));
            CHECK_CASE(table->isa, same(capped, functions[i].tanh));
        }
}

TEST(functions_do_at_the_edges_what_the_rule_says)
{
    CHECK(same(canonical_expf(88.1f), INFINITY));
    CHECK(same(canonical_expf(-86.1f), 0.0f));
    CHECK(isnan(canonical_expf(NAN)));

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        float negative_zero = -0.0f, sigmoid[2], extremes[2] = {-INFINITY, INFINITY};
        CHECK_CASE(table->isa, isnan(activated(table, ACTIVATION_SILU, -INFINITY)));
        CHECK_CASE(table->isa, isnan(activated(table, ACTIVATION_GELU_TANH, -INFINITY)));
        CHECK_CASE(table->isa, same(activated(table, ACTIVATION_SILU, -89.0f), -0.0f));
        CHECK_CASE(table->isa, same(activated(table, ACTIVATION_GELU_ERF, -0.0f), 0.0f));
        table->softcap(&negative_zero, 1, 1);
        CHECK_CASE(table->isa, same(negative_zero, 0.0f));
        table->sigmoid(sigmoid, extremes, 2);
        CHECK_CASE(table->isa, same(sigmoid[0], 0.0f) && same(sigmoid[1], 1.0f));
    }
}

TEST(norm_and_softmax_are_as_printed)
{
    static const float want[10] = {0x1.478a2p-5f, 0x1.61ffd2p-4f, 0x1.7e98bap-3f, 0x1.9367cap-5f,
        0x1.b3fe74p-4f, 0x1.d7370ap-3f, 0x1.f0d7fcp-5f, 0x1.0c7d8p-3f, 0x1.1b17d2p-5f,
        0x1.31f654p-4f};
    float y[500], weight[500];

    for (int i = 0; i < 500; i++) weight[i] = 1.25f;
    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        table->rms_norm(y, row_x(), weight, 500, 1e-5f);
        CHECK_CASE(table->isa, y[0] == -0x1.abde34p+0f && y[499] == 0x1.ccc7e8p+0f);
        table->softmax(y, row_x(), 10);
        CHECK_BITS(want, y, sizeof want);
    }
}

// clang-format off
static const struct {
    double position;
    uint32_t i;
    double inv;
    float cos, sin, x0, x1;
} rotations[] = {
    {1, 0, 0x1p+0, 0x1.14a28p-1f, 0x1.aed548p-1f, 0x1.aadce6p+0f, -0x1.6f4f28p-3f},
    {1, 17, 0x1.62b2f0cd55b56p-4, 0x1.fe14dcp-1f, 0x1.62417ep-4f, 0x1.c0fbecp-1f, -0x1.6df492p+0f},
    {1, 63, 0x1.e459c57e28a3ap-14, 0x1p+0f, 0x1.e459c6p-14f, 0x1.8016b4p-1f, -0x1.7ffa52p+0f},
    {1000, 0, 0x1p+0, 0x1.1ff026p-1f, 0x1.a75cc2p-1f, 0x1.a97fap+0f, -0x1.c98a9ap-3f},
    {1000, 17, 0x1.62b2f0cd55b56p-4, 0x1.9c2938p-3f, -0x1.f5863ep-1f, -0x1.5180dp+0f, -0x1.095a12p+0f},
    {1000, 63, 0x1.e459c57e28a3ap-14, 0x1.fc9708p-1f, 0x1.d7f2bap-4f, 0x1.d5eec8p-1f, -0x1.6751e6p+0f},
    {131071, 0, 0x1p+0, -0x1.a2cebcp-1f, -0x1.268614p-1f, -0x1.79f216p+0f, 0x1.975188p-1f},
    {131071, 17, 0x1.62b2f0cd55b56p-4, -0x1.ea2388p-1f, 0x1.2806dcp-2f, -0x1.232b02p-2f, 0x1.a71bfp+0f},
    {131071, 63, 0x1.e459c57e28a3ap-14, -0x1.ae776cp-1f, 0x1.153478p-1f, 0x1.73d48cp-3f, 0x1.aacd3cp+0f},
    {1000003, 0, 0x1p+0, -0x1.c18772p-1f, 0x1.ea2c82p-2f, 0x1.e7bcc8p-5f, 0x1.ad0deep+0f},
    {1000003, 17, 0x1.62b2f0cd55b56p-4, -0x1.08a92ap-2f, 0x1.ee9a82p-1f, 0x1.41542ap+0f, 0x1.1cb96p+0f},
    {1000003, 63, 0x1.e459c57e28a3ap-14, -0x1.72fb16p-1f, 0x1.60deb8p-1f, 0x1.f62388p-2f, 0x1.9a8fd4p+0f},
};
// clang-format on

TEST(rope_is_as_printed)
{
    double inv[64];
    float cos[64], sin[64];

    rope_inverse_frequencies(inv, 128, 10000.0);
    for (size_t n = 0; n < COUNT(rotations); n++) {
        uint32_t i = rotations[n].i;
        rope_sincos(cos, sin, inv, 64, rotations[n].position, 1.0);
        CHECK(inv[i] == rotations[n].inv);
        CHECK(cos[i] == rotations[n].cos && sin[i] == rotations[n].sin);

        for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
            float split[128] = {0}, pairs[128] = {0};
            split[i] = pairs[2 * i] = 0.75f;
            split[i + 64] = pairs[2 * i + 1] = -1.5f;
            table->rope(ROPE_HALF_SPLIT, split, cos, sin, 128);
            table->rope(ROPE_INTERLEAVED, pairs, cos, sin, 128);
            CHECK_CASE(table->isa, split[i] == rotations[n].x0 && split[i + 64] == rotations[n].x1);
            CHECK_CASE(
                table->isa, pairs[2 * i] == rotations[n].x0 && pairs[2 * i + 1] == rotations[n].x1);
        }
    }
}

TEST(attention_is_as_printed)
{
    static const float want[8] = {-0x1.ca4dacp-5f, 0x1.18229p-4f, -0x1.347dcp-6f, 0x1.6b615ap-6f,
        0x1.91969p-7f, 0x1.76a94ep-5f, -0x1.821edcp-4f, 0x1.bf7c98p-6f};
    static const KvShape shape = {.type = KV_F32, .n_head_kv = 1, .d_k = 8, .d_v = 8};

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        float M[2], L[2], O[2][8], k[8], v[8], out[8];
        for (uint32_t c = 0; c < 2; c++) {
            uint32_t n_keys = c == 0 ? 256 : 44;
            uint8_t *page = calloc(1, kv_page_bytes(&shape));
            if (!page) abort();
            for (uint32_t j = 0; j < n_keys; j++) {
                for (int d = 0; d < 8; d++) {
                    int n = 8 * (int)(c * 256 + j) + d;
                    k[d] = input(3 * n + 1);
                    v[d] = input(5 * n + 2);
                }
                table->kv_put(&shape, page, j, k, v);
            }
            AttentionChunk chunk = {.k = kv_k_head(&shape, page, 0),
                .v = kv_v_head(&shape, page, 0),
                .type = KV_F32,
                .d_k = 8,
                .d_v = 8,
                .scale = 0.25f};
            table->attention_chunk(&chunk, row_x(), 8, 1, 0, n_keys, &M[c], &L[c], O[c]);
            free(page);
        }
        table->attention_merge(&M[0], &L[0], O[0], M[1], L[1], O[1], 8);
        table->attention_finish(out, M[0], L[0], O[0], NULL, 8);
        CHECK_BITS(want, out, sizeof want);
    }
}

/* With 96 elements the quotient (2i)/96 differs from (2i) * (1/96); values from the formula of
 * section 8 in another language's float64. */
TEST(frequencies_divide_where_the_rule_divides)
{
    double inv[48];

    rope_inverse_frequencies(inv, 96, 10000.0);
    CHECK(inv[7] == 0x1.0b47b48f828d1p-2);
    CHECK(inv[25] == 0x1.0e77ebe895f75p-7);
    CHECK(inv[40] == 0x1.e6b4b396428e2p-12);
}

/* Numbers small enough to follow by hand: mean 2, deviations 1, eps 3, so s = 1/2. */
TEST(layer_norm_is_as_computed_by_hand)
{
    static const float x[4] = {1, 3, 3, 1}, weight[4] = {2, 2, 4, 4}, bias[4] = {5, 5, 5, 5};
    static const float plain[4] = {-0.5f, 0.5f, 0.5f, -0.5f};
    static const float weighted[4] = {-1, 1, 2, -2}, whole[4] = {4, 6, 7, 3};
    float y[4];

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        table->layer_norm(y, x, NULL, NULL, 4, 3.0f);
        CHECK_BITS(plain, y, sizeof plain);
        table->layer_norm(y, x, weight, NULL, 4, 3.0f);
        CHECK_BITS(weighted, y, sizeof weighted);
        table->layer_norm(y, x, weight, bias, 4, 3.0f);
        CHECK_BITS(whole, y, sizeof whole);
    }
}

/* (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24 with one rounding and 0 with two. */
TEST(sums_of_products_round_once)
{
    const float a = 1 + 0x1p-12f;

    for (const Kernels *table = next_table(NULL); table; table = next_table(table)) {
        float y[9], x[9], pair[2] = {a, -a}, cos[1] = {a}, sin[1] = {1 + 0x1p-11f};
        for (int i = 0; i < 9; i++) {
            y[i] = -(1 + 0x1p-11f);
            x[i] = a;
        }
        table->add_scaled(y, a, x, 9);
        for (int i = 0; i < 9; i++) CHECK_CASE(table->isa, y[i] == 0x1p-24f);

        // x0' = fma(a, a, -(-a * S)), x1' = fma(a, S, -a * a rounded)
        table->rope(ROPE_HALF_SPLIT, pair, cos, sin, 2);
        CHECK_CASE(table->isa, pair[0] == fmaf(a, a, a * (1 + 0x1p-11f)));
        CHECK_CASE(table->isa, pair[1] == fmaf(a, 1 + 0x1p-11f, -(1 + 0x1p-11f)));
    }
}

TEST(gelu_quick_and_sigmoid_are_their_formulas)
{
    static const float points[] = {-3.0f, -0.7f, 0.0f, 0.25f, 1.0f, 5.5f};

    for (const Kernels *table = next_table(NULL); table; table = next_table(table))
        for (size_t i = 0; i < COUNT(points); i++) {
            float x = points[i], sigmoid, t = 1.702f * x;
            table->sigmoid(&sigmoid, &x, 1);
            CHECK_CASE(table->isa, same(sigmoid, 1.0f / (1.0f + canonical_expf(-x))));
            CHECK_CASE(table->isa,
                same(activated(table, ACTIVATION_GELU_QUICK, x), x / (1.0f + canonical_expf(-t))));
        }
}

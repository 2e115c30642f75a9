/* tests/quant/test_decode.c - decoded weights against those of another program, bit by bit.
 * tests/data/README.md says where the expected values are from; tests/data/types/ has the hashes
 * of a few types' rows, the folder of expected data all types and values. */
#include "quant/decode.h"

#include <math.h>

#include "base/mem.h"
#include "gguf/gguf.h"
#include "harness.h"

// clang-format off
static const QuantType decodable[] = {
    QUANT_F32,  QUANT_F16,  QUANT_BF16, QUANT_Q4_0, QUANT_Q4_1, QUANT_Q5_0,   QUANT_Q5_1,   QUANT_Q8_0,
    QUANT_Q2_K, QUANT_Q3_K, QUANT_Q4_K, QUANT_Q5_K, QUANT_Q6_K, QUANT_IQ4_NL, QUANT_IQ4_XS, QUANT_MXFP4,
};
// clang-format on

/* The bytes of a tensor, one byte into an allocation so that nothing is aligned. NULL: none. */
static uint8_t *read_tensor(const GgufFile *gguf, const char *name, const GgufTensor **tensor)
{
    Error err = {0};

    *tensor = gguf_find_tensor(gguf, view_of(name));
    if (!*tensor) return NULL;
    uint8_t *data = mem_alloc(MEM_OTHER, (*tensor)->n_bytes + 1, &err);
    if (!CHECK(data)) return NULL;
    CHECK(file_read_at(
        gguf_shards(gguf), (*tensor)->offset_bytes, data + 1, (*tensor)->n_bytes, &err));
    return data;
}

/* FNV-1a of 32 bits: each step is a bijection, so one wrong byte never goes unseen. */
static uint32_t row_hash(const float *row, size_t n)
{
    const uint8_t *bytes = (const uint8_t *)row;
    uint32_t hash = 0x811c9dc5;

    for (size_t i = 0; i < n * sizeof *row; i++) hash = (hash ^ bytes[i]) * 0x01000193;
    return hash;
}

static void check_hashes(const float *got, const GgufTensor *coded, const uint8_t *wanted)
{
    for (size_t row = 0; row < coded->dims[1]; row++) {
        uint32_t want, hash = row_hash(got + row * coded->dims[0], coded->dims[0]);
        memcpy(&want, wanted + row * sizeof want, sizeof want);
        if (!CHECK(hash == want)) printf("    row %zu\n", row);
    }
}

/* `want` names the values; where the file lacks them, it has a hash a row. */
static void check_tensor(const GgufFile *gguf, QuantType type, const char *weight, const char *want)
{
    const GgufTensor *coded, *plain, *hashed;
    char hashes[64];
    Error err = {0};
    uint8_t *data = read_tensor(gguf, weight, &coded);
    uint8_t *wanted = read_tensor(gguf, want, &plain);

    snprintf(hashes, sizeof hashes, "%s_fnv1a", want);
    uint8_t *wanted_hashes = read_tensor(gguf, hashes, &hashed);
    if (!CHECK_CASE(weight, data && (wanted || wanted_hashes))) return;
    size_t n = (size_t)(coded->dims[0] * coded->dims[1]);
    float *got = mem_alloc_array(MEM_OTHER, n, sizeof *got, &err);
    CHECK(got);
    CHECK(coded->type == type);
    quant_decode(type, data + 1, got, n);
    if (wanted && CHECK(plain->n_bytes == n * sizeof *got))
        CHECK_BITS(wanted + 1, got, n * sizeof *got);
    if (wanted_hashes && CHECK(hashed->n_bytes == coded->dims[1] * sizeof(uint32_t)))
        check_hashes(got, coded, wanted_hashes + 1);
    mem_free(MEM_OTHER, got);
    mem_free(MEM_OTHER, data);
    mem_free(MEM_OTHER, wanted);
    mem_free(MEM_OTHER, wanted_hashes);
}

static void check_file(QuantType type, const char *path)
{
    Error err = {0};
    GgufFile *gguf = gguf_open(path, GGUF_TENSOR_DATA, NULL, 0, &err);

    if (!CHECK_CASE(path, gguf)) return;
    check_tensor(gguf, type, "weight", "dequant");
    if (type != QUANT_F32) check_tensor(gguf, type, "fuzz_weight", "fuzz_dequant");
    gguf_close(gguf);
}

TEST(types_of_the_tree_decode_to_the_expected_bits)
{
    static const QuantType types[] = {
        QUANT_Q2_K, QUANT_Q3_K, QUANT_Q4_K, QUANT_Q5_K, QUANT_Q6_K, QUANT_Q8_0, QUANT_MXFP4};

    for (size_t i = 0; i < COUNT(types); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/tests/data/types/%s.gguf", HYPURA_SOURCE_ROOT,
            quant_get(types[i])->name);
        check_file(types[i], path);
    }
}

TEST(all_types_decode_to_the_expected_bits)
{
    for (size_t i = 0; i < COUNT(decodable); i++) {
        char name[64];
        snprintf(name, sizeof name, "oracle/types/%s.gguf", quant_get(decodable[i])->name);
        const char *path = harness_shared_path(name);
        if (!path) TEST_SKIP("the folder of expected data is not here");
        check_file(decodable[i], path);
    }
}

TEST(decodable_types_are_known)
{
    size_t n = 0;

    for (uint32_t number = 0; number <= QUANT_TYPES_END; number++)
        n += quant_can_decode((QuantType)number);
    CHECK(n == COUNT(decodable));
    for (size_t i = 0; i < COUNT(decodable); i++) CHECK(quant_can_decode(decodable[i]));
    CHECK(!quant_can_decode(QUANT_Q8_K));
    CHECK(!quant_can_decode(QUANT_I32));
}

TEST(nothing_is_decoded_from_nothing)
{
    float out = 7;

    for (size_t i = 0; i < COUNT(decodable); i++) quant_decode(decodable[i], NULL, &out, 0);
    CHECK(out == 7);
}

/* Scales that are not finite reach the result; nothing hides a damaged file. */
TEST(damaged_scales_show)
{
    static const struct {
        QuantType type;
        size_t scale_offset;
        uint32_t n_bytes;
    } cases[] = {{QUANT_Q4_0, 0, 2}, {QUANT_Q4_1, 0, 2}, {QUANT_Q4_1, 2, 2}, {QUANT_Q8_0, 0, 2},
        {QUANT_MXFP4, 0, 1}, {QUANT_Q2_K, 80, 2}, {QUANT_Q4_K, 0, 2}, {QUANT_Q4_K, 2, 2},
        {QUANT_Q6_K, 208, 2}, {QUANT_IQ4_XS, 0, 2}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        const QuantTraits *traits = quant_get(cases[i].type);
        uint8_t data[256];
        float out[256];
        uint32_t n_finite = 0;
        memset(data, 0x11, sizeof data);
        memset(data + cases[i].scale_offset, 0xff, cases[i].n_bytes); // NaN
        quant_decode(cases[i].type, data, out, traits->block_elements);
        for (uint32_t k = 0; k < traits->block_elements; k++) n_finite += isfinite(out[k]) != 0;
        CHECK_CASE(traits->name, n_finite == 0);
    }
}

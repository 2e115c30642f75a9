/* Random weights as fast as memory is copied.
 *
 * Matrices: 4 MiB of random blocks are made once for each type and deviation, and each row
 * is a run of them from a random place on, so that no two rows stand in the same relation
 * to their inputs and no compressing drive finds repetitions nearby. Codes are uniform;
 * scales are chosen so that the decoded elements have mean 0 and the deviation wanted.
 *
 * In a mixture the rows of the embedding and of the head begin with a run that their topic
 * has in common, and the deviation of an expert's row of the router is log-normal: see
 * cli/synth_routing.c.
 *
 * Layouts of the blocks: quant/block_q.h, quant/block_k.h. */
#include "cli/synth_fill.h"

#include <assert.h>
#include <math.h>

#include "base/rng.h"
#include "quant/f16.h"

#define PATTERN_BYTES     (4u << 20)
#define NORM_DEVIATION    0.1f
#define SCALE_MEAN_SQUARE 137.5f // of integer scales that are uniform in 8..15

static void put_f16(uint8_t *out, float value)
{
    uint16_t half = f32_to_f16(value);

    memcpy(out, &half, sizeof half);
}

/* Uniform in [-1, 1). */
static float signed_unit(Rng *rng)
{
    return 2 * rng_unit(rng) - 1;
}

/* d, 16 bytes of codes 0..15 that mean -8..7. The mean of -1/2 goes by the sign of d. */
static void make_q4_0(uint8_t *block, float deviation, Rng *rng)
{
    float d = deviation / sqrtf(21.5f); // mean square of -8..7

    rng_fill(rng, block + 2, 16);
    put_f16(block, rng_below(rng, 2) == 0 ? d : -d);
}

static void make_q8_0(uint8_t *block, float deviation, Rng *rng)
{
    float d = deviation / sqrtf(5461.5f); // mean square of -128..127

    rng_fill(rng, block + 2, 32);
    put_f16(block, rng_below(rng, 2) == 0 ? d : -d);
}

/* d, dmin, 8 scales and 8 minima of 6 bits, 128 bytes of codes 0..15. With minimum = scale
 * and dmin = 7.5 d an element is d * scale * (code - 7.5): mean 0. */
static void make_q4_k(uint8_t *block, float deviation, Rng *rng)
{
    float d = deviation / sqrtf(SCALE_MEAN_SQUARE * 21.25f); // mean square of code - 7.5
    uint8_t *scales = block + 4;

    put_f16(block, d);
    put_f16(block + 2, 7.5f * f16_to_f32(f32_to_f16(d)));
    for (size_t i = 0; i < 4; i++) { // the packing keeps values below 16 in one byte each
        uint8_t low = (uint8_t)(8 + rng_below(rng, 8)), high = (uint8_t)(8 + rng_below(rng, 8));
        scales[i] = low;
        scales[i + 4] = low;
        scales[i + 8] = (uint8_t)(high | high << 4);
    }
    rng_fill(rng, block + 16, 128);
}

/* 128 + 64 bytes of codes 0..63 that mean -32..31, 16 scales of 8 bits, d. The mean of -1/2
 * goes by the signs of the scales. */
static void make_q6_k(uint8_t *block, float deviation, Rng *rng)
{
    rng_fill(rng, block, 192);
    for (size_t i = 0; i < 16; i++) {
        int scale = 8 + (int)rng_below(rng, 8);
        block[192 + i] = (uint8_t)(rng_below(rng, 2) == 0 ? scale : -scale);
    }
    put_f16(block + 208, deviation / sqrtf(SCALE_MEAN_SQUARE * 341.5f)); // of -32..31
}

static void make_f32(uint8_t *block, float deviation, Rng *rng)
{
    float value = sqrtf(3) * deviation * signed_unit(rng);

    memcpy(block, &value, sizeof value);
}

static void make_f16(uint8_t *block, float deviation, Rng *rng)
{
    put_f16(block, sqrtf(3) * deviation * signed_unit(rng));
}

static void make_bf16(uint8_t *block, float deviation, Rng *rng)
{
    uint16_t half = (uint16_t)(f32_to_bits(sqrtf(3) * deviation * signed_unit(rng)) >> 16);

    memcpy(block, &half, sizeof half);
}

typedef void MakeBlock(uint8_t *block, float deviation, Rng *rng);

static MakeBlock *find_maker(QuantType type)
{
    static const struct {
        QuantType type;
        MakeBlock *make;
    } makers[] = {
        {QUANT_F32, make_f32},
        {QUANT_F16, make_f16},
        {QUANT_BF16, make_bf16},
        {QUANT_Q4_0, make_q4_0},
        {QUANT_Q8_0, make_q8_0},
        {QUANT_Q4_K, make_q4_k},
        {QUANT_Q6_K, make_q6_k},
    };

    for (size_t i = 0; i < COUNT(makers); i++)
        if (makers[i].type == type) return makers[i].make;
    return NULL;
}

static bool is_made_of_patterns(const SynthTensor *tensor)
{
    return tensor->role != SYNTH_NORM && tensor->role != SYNTH_ROUTER;
}

static const SynthPattern *find_pattern(const SynthFill *fill, const SynthTensor *tensor)
{
    for (size_t i = 0; i < fill->n_patterns; i++) {
        const SynthPattern *pattern = &fill->patterns[i];
        // Both deviations came out of the same expression, so equal ones are the same bits.
        if (pattern->type == tensor->type
            && memcmp(&pattern->deviation, &tensor->deviation, sizeof(float)) == 0)
            return pattern;
    }
    return NULL;
}

static bool add_pattern(SynthFill *fill, const SynthTensor *tensor, Arena *arena, Error *err)
{
    SynthPattern *pattern = &fill->patterns[fill->n_patterns];
    uint32_t block_bytes = quant_get(tensor->type)->block_bytes;
    MakeBlock *make = find_maker(tensor->type);
    Rng rng = rng_seeded(rng_at(fill->seed, fill->n_patterns));

    assert(fill->n_patterns < SYNTH_PATTERNS_MAX);
    assert(make);
    *pattern = (SynthPattern){.type = tensor->type,
        .deviation = tensor->deviation,
        .n_blocks = PATTERN_BYTES / block_bytes};
    pattern->data = arena_alloc(arena, pattern->n_blocks * block_bytes, err);
    if (!pattern->data) return false;
    for (size_t i = 0; i < pattern->n_blocks; i++)
        make(pattern->data + i * block_bytes, tensor->deviation, &rng);
    fill->n_patterns++;
    return true;
}

bool synth_fill_init(
    SynthFill *fill, const SynthModel *model, uint64_t seed, Arena *arena, Error *err)
{
    *fill = (SynthFill){.seed = seed};
    for (size_t i = 0; i < model->n_tensors; i++) {
        const SynthTensor *tensor = &model->tensors[i];
        if (!is_made_of_patterns(tensor) || find_pattern(fill, tensor)) continue;
        if (!add_pattern(fill, tensor, arena, err)) return false;
    }
    return true;
}

/* Random bits of one place: a row or an element of a tensor. */
static uint64_t bits_at(const SynthFill *fill, size_t tensor, uint64_t place)
{
    return rng_at(fill->seed, (uint64_t)(tensor + 1) << 40 | place);
}

/* Nearly normal, deviation 1, within 3.5: the sum of four uniform 16-bit numbers. */
static float normal_from(uint64_t bits)
{
    float sum =
        (float)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));

    return (sum - 131070.0f) / 37837.0f;
}

/* exp by (1 + x/256)^256: the same bits everywhere, and exact enough for a skew. */
static float power_of_e(float x)
{
    float y = 1 + x / 256;

    for (int i = 0; i < 8; i++) y = y * y;
    return y;
}

static float element_at(
    const SynthFill *fill, const SynthModel *model, size_t index, uint64_t element)
{
    const SynthTensor *tensor = &model->tensors[index];
    float normal = normal_from(bits_at(fill, index, element));

    if (tensor->role == SYNTH_NORM) return 1 + NORM_DEVIATION * normal;
    uint64_t row_place = (UINT64_C(1) << 39) + element / tensor->dims[0];
    float skew = power_of_e(model->routing->skew * normal_from(bits_at(fill, index, row_place)));
    return skew * normal / sqrtf((float)tensor->dims[0]);
}

/* Norms and routers, element by element. */
static void fill_elements(const SynthFill *fill, const SynthModel *model, size_t index,
    uint64_t offset_bytes, uint8_t *out, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes;) {
        uint64_t element = (offset_bytes + i) / sizeof(float);
        size_t skip = (size_t)((offset_bytes + i) % sizeof(float));
        size_t n = sizeof(float) - skip < n_bytes - i ? sizeof(float) - skip : n_bytes - i;
        float value = element_at(fill, model, index, element);
        memcpy(out + i, (const uint8_t *)&value + skip, n);
        i += n;
    }
}

/* Where a row's bytes come from: those before `shared_bytes` from a place of its topic, the
 * others from a place of its own. Both in blocks of the pattern. */
typedef struct RowPlaces {
    uint64_t shared, own;
    uint64_t shared_bytes;
} RowPlaces;

static RowPlaces find_places(
    const SynthFill *fill, const SynthModel *model, size_t index, uint64_t row, uint64_t n_places)
{
    const SynthTensor *tensor = &model->tensors[index];
    const SynthRouting *routing = model->routing;
    RowPlaces places = {.own = bits_at(fill, index, row) % n_places};

    if (tensor->role == SYNTH_MATRIX || !routing || routing->n_topics == 0) return places;
    uint32_t token = (uint32_t)row;
    uint32_t topic = tensor->role == SYNTH_HEAD
                         ? synth_topic_of_head(routing, fill->seed, token)
                         : synth_topic_of_embedding(routing, fill->seed, token);
    const QuantTraits *traits = quant_get(tensor->type);
    uint64_t n_blocks = tensor->dims[0] / traits->block_elements;
    places.shared = bits_at(fill, model->n_tensors, topic) % n_places;
    places.shared_bytes = n_blocks * routing->shared_eighths / 8 * traits->block_bytes;
    return places;
}

/* Begin and end of a text, the last two of the vocabulary, have a head of zeros: they do
 * not come, and a run has the length that was asked for. */
static bool is_silent(const SynthModel *model, const SynthTensor *tensor, uint64_t row)
{
    return tensor->role == SYNTH_HEAD && row + 2 >= model->shape.n_vocab;
}

/* From byte `skip` of a row on, as far as one run goes; returns the bytes written. */
static size_t fill_run(const SynthFill *fill, const SynthModel *model, size_t index, uint64_t row,
    uint64_t skip, uint8_t *out, size_t n_bytes_max)
{
    const SynthTensor *tensor = &model->tensors[index];
    const SynthPattern *pattern = find_pattern(fill, tensor);
    size_t block_bytes = quant_get(tensor->type)->block_bytes;
    uint64_t row_bytes = quant_row_bytes(tensor->type, tensor->dims[0]);

    assert(pattern);
    RowPlaces places =
        find_places(fill, model, index, row, pattern->n_blocks - row_bytes / block_bytes + 1);
    bool is_shared = skip < places.shared_bytes;
    uint64_t end = is_shared ? places.shared_bytes : row_bytes;
    uint64_t place = is_shared ? places.shared : places.own;
    size_t n = end - skip < n_bytes_max ? (size_t)(end - skip) : n_bytes_max;
    if (is_silent(model, tensor, row))
        memset(out, 0, n);
    else
        memcpy(out, pattern->data + place * block_bytes + skip, n);
    return n;
}

static void fill_rows(const SynthFill *fill, const SynthModel *model, size_t index,
    uint64_t offset_bytes, uint8_t *out, size_t n_bytes)
{
    const SynthTensor *tensor = &model->tensors[index];
    uint64_t row_bytes = quant_row_bytes(tensor->type, tensor->dims[0]);

    for (size_t i = 0; i < n_bytes;) {
        uint64_t row = (offset_bytes + i) / row_bytes, skip = (offset_bytes + i) % row_bytes;
        i += fill_run(fill, model, index, row, skip, out + i, n_bytes - i);
    }
}

void synth_fill_bytes(const SynthFill *fill, const SynthModel *model, size_t index,
    uint64_t offset_bytes, uint8_t *out, size_t n_bytes)
{
    const SynthTensor *tensor = &model->tensors[index];

    assert(offset_bytes + n_bytes <= tensor->n_bytes);
    if (is_made_of_patterns(tensor))
        fill_rows(fill, model, index, offset_bytes, out, n_bytes);
    else
        fill_elements(fill, model, index, offset_bytes, out, n_bytes);
}

/* Writing keys and values with F16C: the conversion is 8 wide, the keys are then scattered
 * to their tiles. */
#include "kernels/kv.h"

#include "kernels/avx2/avx2.h"
#include "kernels/avx2/functions.h"

#include <string.h>

/* Floats i .. i + 7 of a row of n as halves. */
INLINE __m128i halves8(const float *x, size_t i, size_t n)
{
    return _mm256_cvtps_ph(load_row(x, i, n), _MM_FROUND_TO_NEAREST_INT);
}

static void put_values_f16(uint8_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        __m128i h = halves8(x, i, n);
        memcpy(out + 2 * i, &h, n - i >= 8 ? 16 : (n - i) * 2);
    }
}

/* One key of a tile: element d is KV_TILE_KEYS halves behind element d - 1. */
static void put_key_f16(uint8_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        size_t rest = n - i < 8 ? n - i : 8;
        uint16_t h[8];
        _mm_storeu_si128((__m128i *)(void *)h, halves8(x, i, n));
        for (size_t j = 0; j < rest; j++) memcpy(out + (i + j) * KV_TILE_KEYS * 2, &h[j], 2);
    }
}

static void put_key_f32(uint8_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) memcpy(out + i * KV_TILE_KEYS * 4, &x[i], 4);
}

void kv_put_avx2(const KvShape *shape, uint8_t *page, uint32_t key, const float *k, const float *v)
{
    size_t element = (size_t)kv_element_bytes(shape->type), d_k = shape->d_k, d_v = shape->d_v;
    size_t k_offset = (key / KV_TILE_KEYS * d_k * KV_TILE_KEYS + key % KV_TILE_KEYS) * element;
    uint8_t *v_base = page + shape->n_head_kv * kv_k_head_bytes(shape);

    for (size_t head = 0; head < shape->n_head_kv; head++) {
        uint8_t *k_out = page + head * kv_k_head_bytes(shape) + k_offset;
        uint8_t *v_out = v_base + head * kv_v_head_bytes(shape) + key * d_v * element;
        if (shape->type == KV_F16) {
            put_key_f16(k_out, k + head * d_k, d_k);
            put_values_f16(v_out, v + head * d_v, d_v);
        } else {
            put_key_f32(k_out, k + head * d_k, d_k);
            memcpy(v_out, v + head * d_v, d_v * sizeof(float));
        }
    }
}

/* Writing keys and values into a page; kv.h has the layout. */
#include "kernels/kv.h"

#include "kernels/ref/ref.h"
#include "quant/f16.h"

#include <assert.h>

static void put_element(KvType type, uint8_t *base, size_t index, float value)
{
    if (type == KV_F16)
        ((uint16_t *)(void *)base)[index] = f32_to_f16(value);
    else
        ((float *)(void *)base)[index] = value;
}

void kv_put_ref(const KvShape *shape, uint8_t *page, uint32_t key, const float *k, const float *v)
{
    assert(key < KV_PAGE_KEYS);
    uint32_t tile = key / KV_TILE_KEYS, slot = key % KV_TILE_KEYS;
    uint8_t *v_base = page + shape->n_head_kv * kv_k_head_bytes(shape);

    for (uint32_t head = 0; head < shape->n_head_kv; head++) {
        uint8_t *k_head = page + head * kv_k_head_bytes(shape);
        uint8_t *v_head = v_base + head * kv_v_head_bytes(shape);
        for (uint32_t d = 0; d < shape->d_k; d++) {
            size_t index = ((size_t)tile * shape->d_k + d) * KV_TILE_KEYS + slot;
            put_element(shape->type, k_head, index, k[(size_t)head * shape->d_k + d]);
        }
        for (uint32_t d = 0; d < shape->d_v; d++) {
            size_t index = (size_t)key * shape->d_v + d;
            put_element(shape->type, v_head, index, v[(size_t)head * shape->d_v + d]);
        }
    }
}

/* Layout of a page of keys and values: one key chunk (256 positions) of one layer.
 *   K  [n_head_kv][16 tiles][d_k][16 keys]   V  [n_head_kv][256 keys][d_v]
 * Elements are F16 (RNE) or F32. A fresh page is zeroed, so invisible keys are finite. */
#ifndef HYPURA_KERNELS_KV_H
#define HYPURA_KERNELS_KV_H

#include "base/error.h"

#define KV_PAGE_KEYS 256
#define KV_TILE_KEYS 16

typedef enum KvType { KV_F16, KV_F32 } KvType;

typedef struct KvShape {
    KvType type;
    uint32_t n_head_kv, d_k, d_v;
} KvShape;

static inline uint64_t kv_element_bytes(KvType type)
{
    return type == KV_F16 ? 2 : 4;
}

static inline uint64_t kv_k_head_bytes(const KvShape *shape)
{
    return kv_element_bytes(shape->type) * KV_PAGE_KEYS * shape->d_k;
}

static inline uint64_t kv_v_head_bytes(const KvShape *shape)
{
    return kv_element_bytes(shape->type) * KV_PAGE_KEYS * shape->d_v;
}

static inline uint64_t kv_page_bytes(const KvShape *shape)
{
    return shape->n_head_kv * (kv_k_head_bytes(shape) + kv_v_head_bytes(shape));
}

static inline const uint8_t *kv_k_head(const KvShape *shape, const uint8_t *page, uint32_t head)
{
    return page + head * kv_k_head_bytes(shape);
}

static inline const uint8_t *kv_v_head(const KvShape *shape, const uint8_t *page, uint32_t head)
{
    return page + shape->n_head_kv * kv_k_head_bytes(shape) + head * kv_v_head_bytes(shape);
}

#endif

/* A model's hyperparameters, read from its metadata and checked before anything is planned with
 * them. */
#ifndef HYPURA_MODEL_SHAPE_H
#define HYPURA_MODEL_SHAPE_H

#include "gguf/gguf.h"
#include "model/arch.h"

#define LAYERS_MAX       1024
#define EXPERTS_MAX      1024
#define EXPERTS_USED_MAX 64

typedef enum RopeScaling { ROPE_SCALING_NONE, ROPE_SCALING_LINEAR, ROPE_SCALING_YARN } RopeScaling;

typedef struct Shape {
    const Arch *arch;
    uint32_t n_vocab, n_ctx_train, n_embd, n_layer;
    uint32_t n_head, n_head_kv;
    uint32_t d_k, d_v; // head_dim of keys and of values
    uint32_t n_rot;    // rotated elements of a head, even
    uint32_t n_ff;     // dense feed-forward width; 0 for a mixture
    uint32_t n_expert; // 0: no mixture
    uint32_t n_expert_used;
    uint32_t n_ff_expert;
    uint32_t window; // visible keys, the own one included; 0: all
    float rms_eps;
    float attention_scale; // 1 / sqrt(d_k) unless the file says otherwise
    double rope_base;
    RopeScaling rope_scaling;
    double rope_factor;           // above 1: positions are squeezed by it
    uint32_t rope_n_ctx_original; // YaRN
    double rope_magnitude;        // factor on cos and sin besides YaRN's own
    double yarn_beta_fast, yarn_beta_slow;
} Shape;

/* Reads and checks. A missing, ill-typed or impossible key, or one whose effect this build
 * lacks, is refused by name; `out` is unchanged then. Needs tensor names only to size the
 * vocabulary (token_embd.weight). */
CHECKED bool shape_read(const GgufFile *gguf, Shape *out, Error *err);

#endif

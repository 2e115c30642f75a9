/* The model families that Hypura runs, as a table. forward.c interprets an entry; a family
 * needs code only for what no entry can express. A file of another family is refused by name,
 * never approximately run. */
#ifndef HYPURA_MODEL_ARCH_H
#define HYPURA_MODEL_ARCH_H

#include "base/view.h"
#include "kernels/kernels.h"

typedef enum ExpertUse {
    EXPERTS_NEVER,    // every layer has a dense feed-forward network
    EXPERTS_IF_KEYED, // a mixture when A.expert_count is above 0
    EXPERTS_ALWAYS,
} ExpertUse;

typedef struct Arch {
    const char *name; // general.architecture, and the prefix of its keys
    RopeStyle rope_style;
    ExpertUse experts;
    Activation activation; // of the feed-forward gate
    bool has_qk_norm;      // RMS norm of each head of q and k, before rope
    bool biases_allowed;   // biases are used where the file has them; else such a tensor is refused
    bool head_dim_keyed;   // A.attention.key_length is required, not n_embd / n_head
} Arch;

/* The entry for general.architecture, or NULL. */
const Arch *arch_find(StringView name);

/* "llama, qwen3, qwen3moe" for messages; static. */
const char *arch_names(void);

/* Does this build know a key of the family (without its "A." prefix): used, or known not to
 * change the result? */
bool arch_knows_key(StringView key_without_prefix);

#endif

/* What a synthetic model looks like: shapes by name, their tensors, their metadata. */
#ifndef HYPURA_CLI_SYNTH_SHAPE_H
#define HYPURA_CLI_SYNTH_SHAPE_H

#include "base/arena.h"
#include "cli/synth_routing.h"
#include "gguf/writer.h"

typedef struct SynthShape {
    const char *name;
    const char *arch; // as in general.architecture
    const char *pre;  // pre-tokenizer
    uint32_t n_layer, n_embd, n_head, n_head_kv, head_dim, n_ff;
    uint32_t n_expert, n_expert_used; // 0: dense
    uint32_t n_vocab, n_ctx;
    float rope_base, norm_epsilon;
    bool normalises_heads; // q and k have a norm of their own
    bool adds_bos;
} SynthShape;

/* How a tensor's elements are distributed. */
typedef enum SynthRole {
    SYNTH_MATRIX,    // mean 0, `deviation`
    SYNTH_EMBEDDING, // likewise; rows of a topic begin alike
    SYNTH_HEAD,      // likewise, with the same beginnings
    SYNTH_NORM,      // mean 1
    SYNTH_ROUTER,    // mean 0, a deviation for each row
} SynthRole;

typedef struct SynthTensor {
    char name[40];
    QuantType type;
    SynthRole role;
    uint32_t n_dims;
    uint64_t dims[3]; // fastest first
    uint64_t n_bytes;
    float deviation;
} SynthTensor;

typedef struct SynthModel {
    SynthShape shape;            // with the layers that were asked for
    const SynthRouting *routing; // the default after synth_plan; NULL: dense
    SynthTensor *tensors;        // in file order; in the arena
    size_t n_tensors;
    uint64_t data_bytes; // of all tensors, without padding
} SynthModel;

size_t synth_n_shapes(void);
const SynthShape *synth_shape(size_t index);
/* NULL: no shape of that name. */
const SynthShape *synth_find_shape(const char *name);

/* Lists the tensors of a shape in `type_name`: "Q4_K_M" or the name of a type. USAGE: not
 * a type that can be made. */
CHECKED bool synth_plan(
    const SynthShape *shape, const char *type_name, Arena *arena, SynthModel *out, Error *err);

/* Writes metadata, vocabulary and the tensor table. Texts live in the arena. */
CHECKED bool synth_describe(
    const SynthModel *model, const char *type_name, Arena *arena, GgufWriter *writer, Error *err);

#endif

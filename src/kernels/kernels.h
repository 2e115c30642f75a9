/* The arithmetic: one table of functions per instruction set, all with the same bits
 * (docs/arithmetic.md, canonical arithmetic 1.0). `ref/` defines, overlays repeat. */
#ifndef HYPURA_KERNELS_KERNELS_H
#define HYPURA_KERNELS_KERNELS_H

#include "kernels/acts.h"
#include "kernels/kv.h"
#include "quant/traits.h"

/*
 * y[t * y_stride + r] = dot(weight row r, activation row t)      r < n_out, t < acts->n_rows
 * w: n_out rows of row_bytes each, any alignment, readable 64 bytes past the end.
 * acts->n_cols weights a row. Sections 4 and 5. Split by weight rows among threads.
 */
typedef void MatmulFn(float *y, size_t y_stride, const uint8_t *w, size_t row_bytes, uint32_t n_out,
    const Acts *acts);

// Which elements rotate together: (i, i + dim/2) or (2i, 2i + 1).
typedef enum RopeStyle { ROPE_HALF_SPLIT, ROPE_INTERLEAVED } RopeStyle;

typedef enum Activation {
    ACTIVATION_SILU,
    ACTIVATION_GELU_TANH,
    ACTIVATION_GELU_ERF,
    ACTIVATION_GELU_QUICK,
    ACTIVATIONS
} Activation;

/* One key chunk for the query heads that share a kv head (section 9). */
typedef struct AttentionChunk {
    const uint8_t *k; // this kv head's tiles in the page (kv.h)
    const uint8_t *v; // this kv head's rows in the page
    KvType type;
    uint32_t d_k, d_v;
    float scale;
    float softcap; // 0: none
} AttentionChunk;

/* Lengths n are counts of floats, any value, 0 included; pointers need the alignment of
 * their type only. Unless an entry says so, outputs may not overlap inputs. Nothing is
 * allocated, and bits never depend on alignment, thread or instruction set. */
typedef struct Kernels {
    const char *isa;       // "scalar", "avx2", "avx512"
    uint32_t cpu_features; // all of these are needed (sys/cpu.h)

    MatmulFn *matmul[QUANT_TYPES_END]; // NULL: the type cannot be multiplied with

    /* Fills unit `unit` (of acts_n_units) of `acts` from float rows: activation row t is
     * x + row * x_stride with row = index ? index[t] : t. Section 3. */
    void (*acts_fill)(
        Acts *acts, const float *x, size_t x_stride, const uint32_t *index, uint32_t unit);

    /* y may be x. weight NULL: ones (no product). Section 8. */
    void (*rms_norm)(float *y, const float *x, const float *weight, size_t n, float eps);
    /* y may be x. bias may be NULL, weight too when bias is. */
    void (*layer_norm)(
        float *y, const float *x, const float *weight, const float *bias, size_t n, float eps);
    void (*softmax)(float *y, const float *x, size_t n); // y may be x

    /* Section 7, elementwise. y may be x, gate or up. */
    void (*sigmoid)(float *y, const float *x, size_t n);
    void (*activate)(Activation f, float *y, const float *x, size_t n);
    /* y = f(gate) * up */
    void (*activate_mul)(Activation f, float *y, const float *gate, const float *up, size_t n);
    /* x = cap * tanh(x / cap) */
    void (*softcap)(float *x, float cap, size_t n);

    void (*add)(float *y, const float *x, size_t n);                      // y = y + x
    void (*scale)(float *x, float factor, size_t n);                      // x = x * factor
    void (*add_scaled)(float *y, float factor, const float *x, size_t n); // y = fma(factor, x, y)

    /* Rotates the first n_rot elements of one head in place. cos, sin: [n_rot/2]. Section 8. */
    void (*rope)(RopeStyle style, float *x, const float *cos, const float *sin, uint32_t n_rot);

    /* Writes one position's k [n_head_kv][d_k] and v [n_head_kv][d_v] into a page (kv.h). */
    void (*kv_put)(
        const KvShape *shape, uint8_t *page, uint32_t key, const float *k, const float *v);

    /* Partial results of n_query queries q[i * q_stride + 0..d_k) over the visible keys
     * first..end-1 of the chunk (0 <= first < end <= 256), the same for all queries:
     * m[i], l[i], o[i * d_v + 0..d_v). A maximum of zero may have either sign. Section 9. */
    void (*attention_chunk)(const AttentionChunk *chunk, const float *q, size_t q_stride,
        uint32_t n_query, uint32_t first, uint32_t end, float *m, float *l, float *o);
    /* Merges the next chunk's partial into (M, L, O): O [d_v]. The caller copies the first. */
    void (*attention_merge)(
        float *M, float *L, float *O, float m, float l, const float *o, uint32_t d_v);
    /* The sink (may be NULL), then the division: out[d] = O[d] / L. O is scratch afterwards;
     * out may be O. */
    void (*attention_finish)(
        float *out, float M, float L, float *O, const float *sink, uint32_t d_v);
} Kernels;

/* The entries of Kernels but matmul, for whoever must visit all of them. */
// clang-format off
#define KERNEL_ENTRIES(X) \
    X(acts_fill) X(rms_norm) X(layer_norm) X(softmax) X(sigmoid) X(activate) X(activate_mul) \
    X(softcap) X(add) X(scale) X(add_scaled) X(rope) X(kv_put) \
    X(attention_chunk) X(attention_merge) X(attention_finish)
// clang-format on

/* The best table for these CPU features, limited to `isa_limit` (the value of HYPURA_ISA;
 * NULL or empty: no limit). NULL: an unknown limit, or one that this CPU or this build has
 * not; `err` (USAGE) lists the names. Every entry is filled: missing ones fall back to the
 * row before. The table lives as long as the process. Any thread. */
CHECKED const Kernels *kernels_select(uint32_t cpu_features, const char *isa_limit, Error *err);

/* Rows of the table in this build, scalar first; for kcheck. Entries fall back as above. A
 * row may only be called where the CPU has its cpu_features. */
uint32_t kernels_n_tables(void);
const Kernels *kernels_table(uint32_t index);

/* The activations that a weight type takes: ACT_F32, ACT_A32 or ACT_A256. A type without a
 * matmul entry takes ACT_F32, through kernels_matmul_decoded. */
ActKind kernels_act_kind(QuantType type);

/* Verification (--f32-activations): weights are decoded to float32 and take section 5
 * with ACT_F32 activations. Same contract as MatmulFn. */
void kernels_matmul_decoded(QuantType type, float *y, size_t y_stride, const uint8_t *w,
    size_t row_bytes, uint32_t n_out, const Acts *acts);

/* Rope angles of section 8, in float64. inv[0..n_rot/2) from the base; then per position
 * cos, sin from angle = pos * inv[i] with optional mixes done by the caller on inv. */
void rope_inverse_frequencies(double *inv, uint32_t n_rot, double base);
void rope_sincos(
    float *cos, float *sin, const double *inv, uint32_t n_half, double position, double magnitude);

/* Section 7 and 8 in float64, for callers that build frequency tables. */
double canonical_exp(double x);
double canonical_log(double x);
/* Section 7 in float32: the exp of softmax, for the sampler. */
float canonical_expf(float x);

#endif

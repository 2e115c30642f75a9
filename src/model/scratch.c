/* One mapping, cut into arrays. The cutting runs twice: first to count, then to place. */
#include "model/scratch.h"

#include "base/size.h"

#define SCRATCH_ALIGNMENT 64

typedef struct Cutter {
    uint8_t *base; // NULL: only count
    uint64_t n_bytes;
} Cutter;

static void *cut(Cutter *cutter, uint64_t n, uint64_t element_bytes)
{
    void *place = cutter->base ? cutter->base + cutter->n_bytes : NULL;
    // Shapes are bounded (shape.c), so these products stay far below 2^64. A vector may be read
    // past an end.
    cutter->n_bytes += size_align_up(n * element_bytes + SCRATCH_ALIGNMENT, SCRATCH_ALIGNMENT);
    return place;
}

static float *cut_floats(Cutter *cutter, uint64_t n)
{
    return cut(cutter, n, sizeof(float));
}

static uint32_t *cut_indices(Cutter *cutter, uint64_t n)
{
    return cut(cutter, n, sizeof(uint32_t));
}

/* The largest of some kinds. */
static uint64_t largest_acts(const bool kinds[ACT_KINDS], uint32_t n_rows, uint32_t n_cols)
{
    uint64_t most = 0;

    for (int kind = 0; kind < ACT_KINDS; kind++) {
        uint32_t n_padded = (uint32_t)size_align_up(n_cols, acts_block_elements((ActKind)kind));
        uint64_t n_bytes = kinds[kind] ? acts_bytes((ActKind)kind, n_rows, n_padded) : 0;
        if (n_bytes > most) most = n_bytes;
    }
    return size_align_up(most, SCRATCH_ALIGNMENT);
}

/* One input in all of some kinds at once. */
static uint64_t sum_of_acts(const bool kinds[ACT_KINDS], uint32_t n_rows, uint32_t n_cols)
{
    uint64_t n_bytes = 0;

    for (int kind = 0; kind < ACT_KINDS; kind++) {
        bool only[ACT_KINDS] = {false};
        only[kind] = kinds[kind];
        n_bytes += largest_acts(only, n_rows, n_cols);
    }
    return n_bytes;
}

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

uint64_t scratch_expert_acts_bytes(const Scratch *scratch, const Shape *shape, uint32_t n_rows)
{
    return largest_acts(
        scratch->sizes.expert_kinds, n_rows, max_u32(shape->n_embd, shape->n_ff_expert));
}

static void cut_acts(Cutter *cutter, Scratch *s, const Shape *shape)
{
    uint32_t widest = max_u32(max_u32(shape->n_embd, shape->n_head * shape->d_v), shape->n_ff);
    bool kinds[ACT_KINDS];

    // The row of a decoding mixture is an input of its experts, too.
    for (int k = 0; k < ACT_KINDS; k++) kinds[k] = s->sizes.kinds[k] || s->sizes.expert_kinds[k];
    s->acts_bytes[0] = sum_of_acts(kinds, s->sizes.n_rows, widest);
    if (shape->n_expert > 0) {
        uint64_t all_rows = scratch_expert_acts_bytes(s, shape, s->sizes.n_rows);
        uint64_t one_each = shape->n_expert_used * scratch_expert_acts_bytes(s, shape, 1);
        s->acts_bytes[1] =
            3 * (all_rows > one_each ? all_rows : one_each); // experts.c: two thirds inputs
    }
    for (size_t i = 0; i < COUNT(s->acts); i++) s->acts[i] = cut(cutter, s->acts_bytes[i], 1);
}

static void cut_all(Cutter *cutter, Scratch *s, const Shape *shape)
{
    uint64_t T = s->sizes.n_rows, P = T * shape->n_expert_used;
    uint64_t n_hidden = shape->n_expert > 0 ? P * shape->n_ff_expert : T * shape->n_ff;
    uint64_t n_group = shape->n_head / shape->n_head_kv;

    s->x = cut_floats(cutter, T * shape->n_embd);
    s->normed = cut_floats(cutter, T * shape->n_embd);
    s->delta = cut_floats(cutter, T * shape->n_embd);
    s->q = cut_floats(cutter, T * shape->n_head * shape->d_k);
    s->k = cut_floats(cutter, T * shape->n_head_kv * shape->d_k);
    s->v = cut_floats(cutter, T * shape->n_head_kv * shape->d_v);
    s->attended = cut_floats(cutter, T * shape->n_head * shape->d_v);
    s->cos = cut_floats(cutter, T * (shape->n_rot / 2));
    s->sin = cut_floats(cutter, T * (shape->n_rot / 2));
    s->gate = cut_floats(cutter, n_hidden);
    s->up = cut_floats(cutter, n_hidden);
    s->expert_out = cut_floats(cutter, P * shape->n_embd);
    s->router = cut_floats(cutter, T * shape->n_expert);
    s->expert_of = cut_indices(cutter, P);
    s->expert_weight = cut_floats(cutter, P);
    s->pair_of = cut_indices(cutter, P);
    s->pair_row = cut_indices(cutter, P);
    s->group_first = cut_indices(cutter, (uint64_t)shape->n_expert + 1);
    s->group_expert = cut_indices(cutter, shape->n_expert);
    s->group_rows = cut_indices(cutter, shape->n_expert);
    s->logits = cut_floats(cutter, (uint64_t)s->sizes.n_logits * shape->n_vocab);
    s->embedding_rows = cut(cutter, T, s->sizes.embedding_row_bytes);
    s->worker_floats = size_align_up(n_group * (2 + 2 * (uint64_t)shape->d_v) + 2 * n_group, 16);
    s->worker = cut_floats(cutter, s->sizes.n_workers * s->worker_floats);
    cut_acts(cutter, s, shape);
}

uint64_t scratch_bytes(const Shape *shape, const ScratchSizes *sizes)
{
    Scratch counted = {.sizes = *sizes};
    Cutter cutter = {0};

    cut_all(&cutter, &counted, shape);
    return size_align_up(cutter.n_bytes, 4096);
}

bool scratch_init(Scratch *scratch, const Shape *shape, const ScratchSizes *sizes, Error *err)
{
    *scratch = (Scratch){.sizes = *sizes};
    if (!pages_map(&scratch->pages, MEM_SCRATCH, scratch_bytes(shape, sizes), PAGES_ON_DEMAND, err))
        return false;
    Cutter cutter = {.base = scratch->pages.data};
    cut_all(&cutter, scratch, shape);
    return true;
}

void scratch_destroy(Scratch *scratch)
{
    pages_unmap(&scratch->pages, MEM_SCRATCH);
    *scratch = (Scratch){0};
}

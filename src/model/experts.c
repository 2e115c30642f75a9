/* Mixture of experts (Shazeer et al. 2017, arXiv:1701.06538). The router speaks for all rows;
 * each expert in use gets the rows that chose it, in whatever order the store has the experts
 * ready; outputs are kept per (row, rank) and summed in rank order, so that order of arrival
 * never reaches a bit (canonical arithmetic, section 10).
 *
 * A *pair* is a (row, rank); pairs are numbered by expert, so that an expert's pairs are
 * neighbours: its group. */
#include "model/experts.h"

#include <assert.h>

#include "base/size.h"

typedef struct ExpertsRun {
    Forward *forward;
    const LayerWeights *weights;
    uint32_t n_rows;
    uint32_t n_groups;
    Input *input; // the layer's rows, for experts that take the only row
} ExpertsRun;

/* The k most probable, larger first, ties to the lower index; weights renormalised. False: no
 * order (NaN). */
static bool choose(
    const float *probability, uint32_t n_expert, uint32_t k, uint32_t *expert, float *weight)
{
    float sum = 0;

    for (uint32_t rank = 0; rank < k; rank++) {
        uint32_t best = n_expert;
        for (uint32_t e = 0; e < n_expert; e++) {
            bool is_taken = false;
            for (uint32_t r = 0; r < rank; r++) is_taken |= expert[r] == e;
            if (!is_taken
                && (best == n_expert ? probability[e] >= 0 : probability[e] > probability[best]))
                best = e;
        }
        if (best == n_expert) return false;
        expert[rank] = best;
        weight[rank] = probability[best];
    }
    for (uint32_t rank = 0; rank < k; rank++) sum += weight[rank];
    for (uint32_t rank = 0; rank < k; rank++) weight[rank] = weight[rank] / sum;
    return true;
}

static bool route(ExpertsRun *run, Error *err)
{
    Forward *forward = run->forward;
    const Shape *shape = forward->shape;
    Scratch *s = &forward->scratch;
    uint32_t k = shape->n_expert_used;

    multiply_trunk(&forward->compute, forward->store, &run->weights->router, run->input, s->router,
        shape->n_expert);
    for (uint32_t row = 0; row < run->n_rows; row++) {
        float *p = s->router + (size_t)row * shape->n_expert;
        forward->compute.kernels->softmax(p, p, shape->n_expert);
        if (!choose(p, shape->n_expert, k, s->expert_of + (size_t)row * k,
                s->expert_weight + (size_t)row * k))
            return error_set(err, ERROR_NUMERIC, "the router's result is not a number");
    }
    return true;
}

/* Numbers the pairs by expert (a counting sort, stable in rows) and lists the experts in use. */
static void group_pairs(ExpertsRun *run)
{
    const Shape *shape = run->forward->shape;
    Scratch *s = &run->forward->scratch;
    uint32_t k = shape->n_expert_used, n_pairs = run->n_rows * k;

    for (uint32_t e = 0; e <= shape->n_expert; e++) s->group_first[e] = 0;
    for (uint32_t i = 0; i < n_pairs; i++) s->group_first[s->expert_of[i] + 1]++;
    run->n_groups = 0;
    for (uint32_t e = 0; e < shape->n_expert; e++) {
        if (s->group_first[e + 1] > 0) {
            s->group_rows[run->n_groups] = s->group_first[e + 1];
            s->group_expert[run->n_groups++] = e;
        }
        s->group_first[e + 1] += s->group_first[e];
    }
    for (uint32_t i = 0; i < n_pairs; i++) {
        uint32_t place = s->group_first[s->expert_of[i]]++;
        s->pair_of[i] = place;
        s->pair_row[place] = i / k;
    }
    for (uint32_t e = shape->n_expert; e > 0; e--) s->group_first[e] = s->group_first[e - 1];
    s->group_first[0] = 0;
}

/* A group whose expert is at hand, and its activations. */
typedef struct Group {
    uint32_t first, n_rows; // pairs
    const uint8_t *const *data;
    Acts input[2]; // for gate and up; the same when their kinds are
    const Acts *gate_input, *up_input;
    Acts hidden;
} Group;

static uint64_t take_acts(
    Acts *acts, ActKind kind, uint32_t n_rows, uint32_t n_cols, uint8_t *room, uint64_t used)
{
    *acts = (Acts){.kind = kind, .n_rows = n_rows, .n_cols = n_cols, .data = room + used};
    return used + size_align_up(acts_bytes(kind, n_rows, n_cols), ACTS_ALIGNMENT);
}

/* The inputs of a batch of groups: the one row that all share, or each group's rows picked from
 * the layer's. */
static void fill_inputs(ExpertsRun *run, Group *groups, uint32_t n)
{
    Forward *forward = run->forward;
    Scratch *s = &forward->scratch;
    ActKind gate_kind =
        compute_act_kind(&forward->compute, run->weights->experts[EXPERT_GATE].type);
    ActKind up_kind = compute_act_kind(&forward->compute, run->weights->experts[EXPERT_UP].type);
    ActsFill fills[2 * WAVE_BLOCKS_MAX];
    uint32_t n_fills = 0, n_embd = forward->shape->n_embd;
    uint64_t used = 0;

    for (uint32_t g = 0; g < n; g++) {
        Group *group = &groups[g];
        if (run->n_rows == 1) {
            group->gate_input = input_acts(&forward->compute, run->input, gate_kind);
            group->up_input = input_acts(&forward->compute, run->input, up_kind);
            continue;
        }
        group->gate_input = group->up_input = &group->input[0];
        used = take_acts(&group->input[0], gate_kind, group->n_rows, n_embd, s->acts[1], used);
        fills[n_fills++] =
            (ActsFill){&group->input[0], s->normed, n_embd, s->pair_row + group->first};
        if (up_kind == gate_kind) continue;
        group->up_input = &group->input[1];
        used = take_acts(&group->input[1], up_kind, group->n_rows, n_embd, s->acts[1], used);
        fills[n_fills++] =
            (ActsFill){&group->input[1], s->normed, n_embd, s->pair_row + group->first};
    }
    assert(used <= s->acts_bytes[1] / 3 * 2);
    compute_fill(&forward->compute, fills, n_fills);
}

static MatmulJob expert_job(
    const ExpertMatrix *matrix, const uint8_t *w, float *y, const Acts *acts)
{
    return (MatmulJob){.type = matrix->type,
        .w = w,
        .row_bytes = matrix->row_bytes,
        .n_out = matrix->n_out,
        .y = y,
        .y_stride = matrix->n_out,
        .acts = acts};
}

typedef struct ActivateRun {
    const Forward *forward;
    uint32_t first_pair;
} ActivateRun;

static void activate_pair(void *context, uint32_t worker, uint32_t pair)
{
    const ActivateRun *run = context;
    const Shape *shape = run->forward->shape;
    const Scratch *s = &run->forward->scratch;
    size_t at = (size_t)(run->first_pair + pair) * shape->n_ff_expert;

    (void)worker;
    run->forward->compute.kernels->activate_mul(
        shape->arch->activation, s->gate + at, s->gate + at, s->up + at, shape->n_ff_expert);
}

/* hidden = act(gate) * up of each group, then as activations of the down projection. */
static void fill_hidden(ExpertsRun *run, Group *groups, uint32_t n)
{
    Forward *forward = run->forward;
    Scratch *s = &forward->scratch;
    uint32_t n_ff = forward->shape->n_ff_expert;
    ActKind kind = compute_act_kind(&forward->compute, run->weights->experts[EXPERT_DOWN].type);
    ActsFill fills[WAVE_BLOCKS_MAX];
    uint64_t used = s->acts_bytes[1] / 3 * 2;

    for (uint32_t g = 0; g < n; g++) {
        ActivateRun activate = {.forward = forward, .first_pair = groups[g].first};
        if (run->n_rows > 1)
            compute_rows(&forward->compute, groups[g].n_rows, activate_pair, &activate);
        else
            activate_pair(&activate, 0, 0);
        used = take_acts(&groups[g].hidden, kind, groups[g].n_rows, n_ff, s->acts[1], used);
        fills[g] =
            (ActsFill){&groups[g].hidden, s->gate + (size_t)groups[g].first * n_ff, n_ff, NULL};
    }
    assert(used <= s->acts_bytes[1]);
    compute_fill(&forward->compute, fills, n);
}

static void run_batch(ExpertsRun *run, Group *groups, uint32_t n)
{
    const Forward *forward = run->forward;
    const Scratch *s = &forward->scratch;
    const ExpertMatrix *matrices = run->weights->experts;
    MatmulJob jobs[2 * WAVE_BLOCKS_MAX];

    fill_inputs(run, groups, n);
    for (uint32_t g = 0; g < n; g++) {
        size_t at = (size_t)groups[g].first * matrices[EXPERT_GATE].n_out;
        jobs[2 * g] = expert_job(&matrices[EXPERT_GATE], groups[g].data[EXPERT_GATE], s->gate + at,
            groups[g].gate_input);
        jobs[2 * g + 1] = expert_job(
            &matrices[EXPERT_UP], groups[g].data[EXPERT_UP], s->up + at, groups[g].up_input);
    }
    compute_matmul(&forward->compute, jobs, 2 * n);
    fill_hidden(run, groups, n);
    for (uint32_t g = 0; g < n; g++) {
        float *y = s->expert_out + (size_t)groups[g].first * matrices[EXPERT_DOWN].n_out;
        jobs[g] =
            expert_job(&matrices[EXPERT_DOWN], groups[g].data[EXPERT_DOWN], y, &groups[g].hidden);
    }
    compute_matmul(&forward->compute, jobs, n);
}

/* Runs the experts of a wave, as many at once as their activations find room (a third of
 * acts[1] each way). */
static bool run_wave(ExpertsRun *run, const ExpertWave *wave, Error *err)
{
    const Scratch *s = &run->forward->scratch;
    const Shape *shape = run->forward->shape;
    Group groups[WAVE_BLOCKS_MAX];
    uint32_t n = 0;
    uint64_t used = 0;

    for (uint32_t i = 0; i < wave->n_blocks; i++) {
        uint32_t expert = s->group_expert[wave->which[i]];
        Group group = {.first = s->group_first[expert], .data = wave->data[i]};
        group.n_rows = s->group_first[expert + 1] - group.first;
        uint64_t n_bytes = scratch_expert_acts_bytes(s, shape, group.n_rows);
        if (n > 0 && used + n_bytes > s->acts_bytes[1] / 3) {
            run_batch(run, groups, n);
            if (!store_advance(run->forward->store, err)) return false;
            n = 0;
            used = 0;
        }
        groups[n++] = group;
        used += n_bytes;
    }
    if (n > 0) run_batch(run, groups, n);
    return true;
}

static void combine_row(void *context, uint32_t worker, uint32_t row)
{
    const ExpertsRun *run = context;
    const Shape *shape = run->forward->shape;
    const Scratch *s = &run->forward->scratch;
    float *y = s->delta + (size_t)row * shape->n_embd;

    (void)worker;
    for (uint32_t i = 0; i < shape->n_embd; i++) y[i] = 0;
    for (uint32_t rank = 0; rank < shape->n_expert_used; rank++) {
        size_t pair = (size_t)row * shape->n_expert_used + rank;
        const float *out = s->expert_out + (size_t)s->pair_of[pair] * shape->n_embd;
        run->forward->compute.kernels->add_scaled(y, s->expert_weight[pair], out, shape->n_embd);
    }
}

bool experts_run(Forward *forward, uint32_t layer, uint32_t n_rows, Error *err)
{
    const Shape *shape = forward->shape;
    Scratch *s = &forward->scratch;
    Input input = {.x = s->normed,
        .x_stride = shape->n_embd,
        .n_rows = n_rows,
        .n_cols = shape->n_embd,
        .room = s->acts[0],
        .room_bytes = s->acts_bytes[0]};
    ExpertsRun run = {.forward = forward,
        .weights = &forward->weights->layers[layer],
        .n_rows = n_rows,
        .input = &input};
    ExpertWave wave;

    if (!route(&run, err)) return false;
    group_pairs(&run);
    ExpertCall call = {.layer = run.weights->expert_layer,
        .n = run.n_groups,
        .experts = s->group_expert,
        .n_rows = s->group_rows};
    if (!store_experts_begin(forward->store, &call, err)) return false;
    for (;;) {
        if (!store_experts_next(forward->store, &wave, err)) return false;
        if (wave.n_blocks == 0) break;
        if (!run_wave(&run, &wave, err)) return false;
        store_experts_done(forward->store, &wave);
    }
    compute_rows(&forward->compute, n_rows, combine_row, &run);
    return true;
}

/* The checks of everything that works on plain rows: activations of matrix products, norms,
 * softmax, functions, residuals, rope. */
#include "base/size.h"
#include "kernels/internal.h"
#include "kernels/ref/ref.h"
#include "quant/f16.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const uint32_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17, 23, 24, 25, 31, 32,
    33, 39, 47, 48, 49, 63, 64, 65, 79, 80, 95, 96, 97, 127, 128, 129, 160, 255, 256, 257, 500,
    1000, 4096};

typedef struct RowCase {
    uint32_t n;
    CheckData data;
    bool in_place;
    char label[48];
} RowCase;

/* The cases of the entries on rows: each length with each kind of data, in place or not. */
static uint32_t row_case_count(void)
{
    return COUNT(lengths) * DATA_KINDS * 2;
}

static RowCase row_case(uint32_t i)
{
    RowCase c = {.n = lengths[i / 2 / DATA_KINDS],
        .data = (CheckData)(i / 2 % DATA_KINDS),
        .in_place = i % 2 == 1};

    snprintf(c.label, sizeof c.label, "%u floats, data %d%s", c.n, (int)c.data,
        c.in_place ? ", in place" : "");
    return c;
}

/* The output of n floats in `outputs[which]`, holding x where the entry works in place;
 * *in is then the output itself, else x. */
static float *row_output(
    Check *check, uint32_t which, const RowCase *c, const float *x, const float **in)
{
    float *y = check_output(check, which, c->n);

    if (c->in_place) memcpy(y, x, c->n * sizeof *y);
    *in = c->in_place ? y : x;
    return y;
}

void check_rms_norm(Check *check)
{
    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i);
        const float *x = check_input(check, 0, c.n, c.data), *in;
        const float *weight = i % 3 == 0 ? NULL : check_input(check, 1, c.n, DATA_PLAIN);
        float *y = row_output(check, 0, &c, x, &in);
        rms_norm_ref(y, in, weight, c.n, 1e-5f);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            y = row_output(check, 1, &c, x, &in);
            check->tables[t]->rms_norm(y, in, weight, c.n, 1e-5f);
            check_outputs(check, t, c.label);
        }
    }
}

void check_layer_norm(Check *check)
{
    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i);
        const float *x = check_input(check, 0, c.n, c.data), *in;
        const float *weight = i % 3 == 0 ? NULL : check_input(check, 1, c.n, DATA_PLAIN);
        const float *bias = i % 3 != 1 ? NULL : check_input(check, 2, c.n, DATA_PLAIN);
        float *y = row_output(check, 0, &c, x, &in);
        layer_norm_ref(y, in, weight, bias, c.n, 1e-5f);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            y = row_output(check, 1, &c, x, &in);
            check->tables[t]->layer_norm(y, in, weight, bias, c.n, 1e-5f);
            check_outputs(check, t, c.label);
        }
    }
}

void check_softmax(Check *check)
{
    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i);
        const float *x = check_input(check, 0, c.n, c.data), *in;
        float *y = row_output(check, 0, &c, x, &in);
        softmax_ref(y, in, c.n);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            y = row_output(check, 1, &c, x, &in);
            check->tables[t]->softmax(y, in, c.n);
            check_outputs(check, t, c.label);
        }
    }
}

/* Arguments of functions: rows as elsewhere, some stretched over the range of exp. */
static const float *function_input(Check *check, uint32_t i, const RowCase *c)
{
    float *x = check_input(check, 0, c->n, c->data);

    for (uint32_t k = 0; i % 4 >= 2 && k < c->n; k++) x[k] = x[k] * 25.0f;
    return x;
}

void check_sigmoid(Check *check)
{
    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i);
        const float *x = function_input(check, i, &c), *in;
        float *y = row_output(check, 0, &c, x, &in);
        sigmoid_ref(y, in, c.n);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            y = row_output(check, 1, &c, x, &in);
            check->tables[t]->sigmoid(y, in, c.n);
            check_outputs(check, t, c.label);
        }
    }
}

void check_activate(Check *check)
{
    for (uint32_t i = 0; i < row_case_count() * ACTIVATIONS; i++) {
        Activation f = (Activation)(i % ACTIVATIONS);
        RowCase c = row_case(i / ACTIVATIONS);
        const float *x = function_input(check, i, &c), *in;
        float *y = row_output(check, 0, &c, x, &in);
        activate_ref(f, y, in, c.n);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            y = row_output(check, 1, &c, x, &in);
            check->tables[t]->activate(f, y, in, c.n);
            check_outputs(check, t, c.label);
        }
    }
}

/* y may be gate (in place, even i) or up (in place, odd i). */
void check_activate_mul(Check *check)
{
    for (uint32_t i = 0; i < row_case_count() * ACTIVATIONS; i++) {
        Activation f = (Activation)(i % ACTIVATIONS);
        RowCase c = row_case(i / ACTIVATIONS);
        bool over_gate = i / ACTIVATIONS / 2 % 2 == 0;
        const float *gate = function_input(check, i, &c), *in;
        const float *up = check_input(check, 1, c.n, c.data);
        for (uint32_t t = 0; t <= check->n_tables; t++) { // 0: ref
            const Kernels *table = t == 0 ? &kernels_ref : check->tables[t - 1];
            float *y = row_output(check, t > 0, &c, over_gate ? gate : up, &in);
            table->activate_mul(f, y, over_gate ? in : gate, over_gate ? up : in, c.n);
            if (t > 0) check_outputs(check, t - 1, c.label);
        }
    }
}

void check_softcap(Check *check)
{
    static const float caps[] = {1.0f, 30.0f, 0.5f};

    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i | 1);
        const float *x = function_input(check, i, &c), *in;
        softcap_ref(row_output(check, 0, &c, x, &in), caps[i % 3], c.n);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            check->tables[t]->softcap(row_output(check, 1, &c, x, &in), caps[i % 3], c.n);
            check_outputs(check, t, c.label);
        }
    }
}

void check_add(Check *check)
{
    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i | 1);
        const float *y = check_input(check, 0, c.n, c.data), *in;
        const float *x = check_input(check, 1, c.n, c.data);
        add_ref(row_output(check, 0, &c, y, &in), x, c.n);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            check->tables[t]->add(row_output(check, 1, &c, y, &in), x, c.n);
            check_outputs(check, t, c.label);
        }
    }
}

void check_scale(Check *check)
{
    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i | 1);
        const float *x = check_input(check, 0, c.n, c.data), *in;
        float factor = *check_input(check, 1, 1, c.data);
        scale_ref(row_output(check, 0, &c, x, &in), factor, c.n);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            check->tables[t]->scale(row_output(check, 1, &c, x, &in), factor, c.n);
            check_outputs(check, t, c.label);
        }
    }
}

void check_add_scaled(Check *check)
{
    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i | 1);
        const float *y = check_input(check, 0, c.n, c.data), *in;
        const float *x = check_input(check, 1, c.n, c.data);
        float factor = *check_input(check, 2, 1, c.data);
        add_scaled_ref(row_output(check, 0, &c, y, &in), factor, x, c.n);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            check->tables[t]->add_scaled(row_output(check, 1, &c, y, &in), factor, x, c.n);
            check_outputs(check, t, c.label);
        }
    }
}

void check_rope(Check *check)
{
    for (uint32_t i = 0; i < row_case_count(); i++) {
        RowCase c = row_case(i | 1);
        RopeStyle style = i % 2 == 0 ? ROPE_HALF_SPLIT : ROPE_INTERLEAVED;
        uint32_t n_rot = c.n / 2 * 2; // an odd element more, which must stay
        const float *x = check_input(check, 0, c.n, c.data), *in;
        const float *cos = check_input(check, 1, n_rot / 2, DATA_PLAIN);
        const float *sin = check_input(check, 2, n_rot / 2, DATA_PLAIN);
        rope_ref(style, row_output(check, 0, &c, x, &in), cos, sin, n_rot);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            check->tables[t]->rope(style, row_output(check, 1, &c, x, &in), cos, sin, n_rot);
            check_outputs(check, t, c.label);
        }
    }
}

/* NaN has many bits; poison scales are compared as "is NaN". */
static void unify_poison(const Acts *acts)
{
    uint32_t n_lanes = acts_in_panels(acts->kind, acts->n_rows) ? ACTS_PANEL_ROWS : 1;
    size_t n_scales = (size_t)(acts->n_cols / acts_block_elements(acts->kind)) * n_lanes;

    for (uint32_t unit = 0; unit < acts_n_units(acts); unit++) {
        ActsRecord record = acts_record(acts, unit);
        for (size_t i = 0; record.d && i < n_scales; i++)
            if (isnan(record.d[i])) record.d[i] = NAN;
        for (size_t i = 0; record.x && i < n_scales; i++)
            if (isnan(record.x[i])) record.x[i] = NAN;
    }
}

/* Fills byte buffer `buffer`, with the last unit first: each must write its own bytes only. */
static Acts fill_all(Check *check, const Kernels *table, uint32_t buffer, Acts acts, const float *x,
    const uint32_t *index)
{
    size_t n_bytes = (size_t)acts_bytes(acts.kind, acts.n_rows, acts.n_cols);

    acts.data = check_bytes(check, buffer, n_bytes, ACTS_ALIGNMENT);
    memset(acts.data, 0xa5, n_bytes);
    for (uint32_t unit = acts_n_units(&acts); unit-- > 0;)
        table->acts_fill(&acts, x, acts.n_cols + 3, index, unit);
    unify_poison(&acts);
    return acts;
}

void check_acts_fill(Check *check)
{
    static const uint32_t row_counts[] = {1, 2, 3, 4, 5, 8, 15, 16, 17, 33};
    static const uint32_t block_counts[] = {1, 2, 3, 4, 5, 8, 9, 17};
    enum { ROWS_MAX = 33 };

    for (uint32_t i = 0; i < ACT_KINDS * DATA_KINDS * COUNT(row_counts); i++) {
        ActKind kind = (ActKind)(i % ACT_KINDS);
        CheckData data = (CheckData)(i / ACT_KINDS % DATA_KINDS);
        Acts acts = {.kind = kind, .n_rows = row_counts[i / ACT_KINDS / DATA_KINDS]};
        uint32_t index[ROWS_MAX];
        char label[64];

        acts.n_cols = kind == ACT_F32 ? check_pick(check, lengths + 1, COUNT(lengths) - 1)
                                      : check_pick(check, block_counts, COUNT(block_counts))
                                            * acts_block_elements(kind);
        for (uint32_t t = 0; t < acts.n_rows; t++)
            index[t] = (uint32_t)rng_below(&check->rng, acts.n_rows);
        const uint32_t *map = i % 2 == 0 ? NULL : index;
        const float *x = check_input(check, 0, (size_t)acts.n_rows * (acts.n_cols + 3), data);
        snprintf(label, sizeof label, "kind %d, %u rows, %u cols, data %d", (int)kind, acts.n_rows,
            acts.n_cols, (int)data);

        Acts want = fill_all(check, &kernels_ref, 0, acts, x, map);
        for (uint32_t t = 0; t < check->n_tables; t++) {
            Acts got = fill_all(check, check->tables[t], 1, acts, x, map);
            size_t n_bytes = (size_t)acts_bytes(kind, acts.n_rows, acts.n_cols);
            check_same_bytes(check, t, want.data, got.data, n_bytes, label);
        }
    }
}

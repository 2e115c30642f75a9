/* The rates of kcheck --bench: each entry alone, on one thread, out of the nearest cache that
 * holds its inputs. They tell overlays apart; they are no promise about a model. */
#include "base/clock.h"
#include "kernels/internal.h"
#include "kernels/ref/ref.h"

#include <string.h>

#define BENCH_NS   20000000u
#define BENCH_COLS 2048
#define BENCH_N    4096

/* What is timed: calls of `run` until the time is up. */
typedef struct Bench {
    const Kernels *table;
    QuantType type;
    const uint8_t *w;
    size_t row_bytes;
    uint32_t n_out;
    Acts acts;
    float *x, *y, *z;
    uint8_t *page;
    float *out;
} Bench;

typedef void BenchRun(Bench *bench);

static double calls_per_s(Bench *bench, BenchRun *run)
{
    uint64_t n_calls = 0, start_ns, elapsed_ns;

    run(bench); // warm
    start_ns = clock_now_ns();
    do {
        run(bench);
        n_calls++;
        elapsed_ns = clock_now_ns() - start_ns;
    } while (elapsed_ns < BENCH_NS);
    return (double)n_calls * 1e9 / (double)elapsed_ns;
}

static void run_matmul(Bench *b)
{
    b->table->matmul[b->type](b->out, b->n_out, b->w, b->row_bytes, b->n_out, &b->acts);
}

void bench_matmul(Check *check, uint32_t t, QuantType type)
{
    static const uint32_t row_counts[] = {1, 64};
    ActKind kind = kernels_act_kind(type);
    Bench b = {.table = check->tables[t], .type = type, .n_out = 64};

    if (!b.table->matmul[type]) return;
    b.row_bytes = (size_t)quant_row_bytes(type, BENCH_COLS);
    uint8_t *w = check_bytes(check, 0, b.row_bytes * b.n_out + 64, 1);
    memset(w, 0x11, b.row_bytes * b.n_out);
    b.w = w;
    for (size_t i = 0; i < COUNT(row_counts); i++) {
        uint32_t n_rows = row_counts[i];
        const float *x = check_input(check, 0, (size_t)n_rows * BENCH_COLS, DATA_PLAIN);
        b.acts = (Acts){.kind = kind, .n_rows = n_rows, .n_cols = BENCH_COLS};
        b.acts.data =
            check_bytes(check, 1, (size_t)acts_bytes(kind, n_rows, BENCH_COLS), ACTS_ALIGNMENT);
        for (uint32_t unit = 0; unit < acts_n_units(&b.acts); unit++)
            b.table->acts_fill(&b.acts, x, BENCH_COLS, NULL, unit);
        b.out = check_output(check, 1, (size_t)n_rows * b.n_out);

        double rate = calls_per_s(&b, run_matmul);
        if (n_rows == 1)
            check->rows[t].bytes_per_s = rate * (double)b.row_bytes * b.n_out;
        else
            check->rows[t].ops_per_s = rate * n_rows * b.n_out * BENCH_COLS;
    }
}

static void run_acts_fill(Bench *b)
{
    b->table->acts_fill(&b->acts, b->x, BENCH_N, NULL, 0);
}

static void run_rms_norm(Bench *b)
{
    b->table->rms_norm(b->out, b->x, b->y, BENCH_N, 1e-5f);
}

static void run_layer_norm(Bench *b)
{
    b->table->layer_norm(b->out, b->x, b->y, b->z, BENCH_N, 1e-5f);
}

static void run_softmax(Bench *b)
{
    b->table->softmax(b->out, b->x, BENCH_N);
}

static void run_sigmoid(Bench *b)
{
    b->table->sigmoid(b->out, b->x, BENCH_N);
}

static void run_activate(Bench *b)
{
    b->table->activate(ACTIVATION_GELU_TANH, b->out, b->x, BENCH_N);
}

static void run_activate_mul(Bench *b)
{
    b->table->activate_mul(ACTIVATION_SILU, b->out, b->x, b->y, BENCH_N);
}

static void run_softcap(Bench *b)
{
    b->table->softcap(b->x, 30.0f, BENCH_N);
}

static void run_add(Bench *b)
{
    b->table->add(b->out, b->x, BENCH_N);
}

static void run_scale(Bench *b)
{
    b->table->scale(b->x, -1.0f, BENCH_N);
}

static void run_add_scaled(Bench *b)
{
    b->table->add_scaled(b->out, 0x1p-20f, b->x, BENCH_N);
}

static void run_rope(Bench *b)
{
    for (uint32_t head = 0; head < BENCH_N / 128; head++)
        b->table->rope(ROPE_HALF_SPLIT, b->x + head * 128, b->y, b->z, 128);
}

/* One kv head of 128, 4 queries, all 256 keys. */
static const KvShape bench_shape = {.type = KV_F16, .n_head_kv = 1, .d_k = 128, .d_v = 128};

static void run_kv_put(Bench *b)
{
    b->table->kv_put(&bench_shape, b->page, 7, b->x, b->y);
}

static void run_attention_chunk(Bench *b)
{
    AttentionChunk chunk = {.k = kv_k_head(&bench_shape, b->page, 0),
        .v = kv_v_head(&bench_shape, b->page, 0),
        .type = KV_F16,
        .d_k = 128,
        .d_v = 128,
        .scale = 0.125f};

    b->table->attention_chunk(&chunk, b->x, 128, 4, 0, 256, b->out, b->out + 4, b->out + 8);
}

static void run_attention_merge(Bench *b)
{
    b->out[0] = b->out[1] = 1;
    b->table->attention_merge(b->out, b->out + 1, b->out + 2, 1.0f, 1.0f, b->x, 128);
}

static void run_attention_finish(Bench *b)
{
    b->table->attention_finish(b->out, 1.0f, 1.0f, b->x, NULL, 128);
}

static const struct {
    const char *entry;
    BenchRun *run;
    double n_ops; // of one call
} benches[] = {
    {"acts_fill", run_acts_fill, BENCH_N},
    {"rms_norm", run_rms_norm, BENCH_N},
    {"layer_norm", run_layer_norm, BENCH_N},
    {"softmax", run_softmax, BENCH_N},
    {"sigmoid", run_sigmoid, BENCH_N},
    {"activate", run_activate, BENCH_N},
    {"activate_mul", run_activate_mul, BENCH_N},
    {"softcap", run_softcap, BENCH_N},
    {"add", run_add, BENCH_N},
    {"scale", run_scale, BENCH_N},
    {"add_scaled", run_add_scaled, BENCH_N},
    {"rope", run_rope, BENCH_N},
    {"kv_put", run_kv_put, 256},
    {"attention_chunk", run_attention_chunk, 4.0 * 256 * 256},
    {"attention_merge", run_attention_merge, 128},
    {"attention_finish", run_attention_finish, 128},
};

void bench_entry(Check *check, uint32_t t, const char *entry)
{
    Bench b = {.table = check->tables[t],
        .acts = {.kind = ACT_A256, .n_rows = 1, .n_cols = BENCH_N},
        .x = check_input(check, 0, BENCH_N, DATA_PLAIN),
        .y = check_input(check, 1, BENCH_N, DATA_PLAIN),
        .z = check_input(check, 2, BENCH_N, DATA_PLAIN)};

    b.acts.data = check_bytes(check, 1, (size_t)acts_bytes(ACT_A256, 1, BENCH_N), ACTS_ALIGNMENT);
    b.page = check_bytes(check, 0, (size_t)kv_page_bytes(&bench_shape), 64);
    for (uint32_t key = 0; key < KV_PAGE_KEYS; key++)
        kv_put_ref(&bench_shape, b.page, key, b.x + key, b.y + key);
    b.out = check_output(check, 1, BENCH_N);
    memset(b.out, 0, BENCH_N * sizeof *b.out);
    for (size_t i = 0; i < COUNT(benches); i++)
        if (strcmp(benches[i].entry, entry) == 0)
            check->rows[t].ops_per_s = calls_per_s(&b, benches[i].run) * benches[i].n_ops;
}

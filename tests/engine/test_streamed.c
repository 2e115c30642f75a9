/* tests/engine/test_streamed.c - the reads that a dense model's passes make */
#include "engine/streamed.h"

#include "base/mem.h"
#include "engine/ceiling.h"
#include "harness.h"
#include "hypura/hypura.h"

#define DENSE   HYPURA_SOURCE_ROOT "/models/hypura-tiny-draft-Q8_0.gguf"
#define MIXTURE HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf"

typedef struct Listed {
    uint64_t n_bytes;
    ReadRequest *reads;
    uint32_t n;
    bool ok;
} Listed;

static Listed list_reads(const char *path, uint64_t weights_bytes, Error *err)
{
    Listed out = {0};
    GgufFile *gguf = gguf_open(path, GGUF_METADATA_ONLY, NULL, 0, err);

    if (!CHECK_CASE(err->message, gguf)) return out;
    out.ok = streamed_reads(gguf, weights_bytes, &out.reads, &out.n, err);
    for (uint32_t i = 0; i < out.n; i++) {
        uint64_t file_bytes = gguf_shards(gguf)[out.reads[i].file].n_bytes;
        CHECK(out.reads[i].offset_bytes + out.reads[i].n_bytes <= file_bytes);
        out.n_bytes += out.reads[i].n_bytes;
    }
    gguf_close(gguf);
    return out;
}

static hypura_stats stats_of(const hypura_model *model)
{
    hypura_stats stats = {.size_bytes = sizeof stats};

    hypura_model_stats(model, &stats);
    return stats;
}

/* What each token needs of the drive, by the run's own count, is what the list holds. */
TEST(a_run_reads_what_is_listed)
{
    enum { N_TOKENS = 4 };
    hypura_model_options options = HYPURA_MODEL_OPTIONS_INIT;
    hypura_error api_err = {0};
    int32_t token = 5;
    Error err = {0};

    options.weights = "50%";
    hypura_model *model = hypura_model_open(DENSE, &options, &api_err);
    if (!CHECK_CASE(api_err.message, model)) return;
    hypura_sequence *sequence = hypura_sequence_create(model, &api_err);
    CHECK_CASE(api_err.message, sequence);
    CHECK(hypura_sequence_eval(sequence, &token, 1, &api_err)); // fills what stays
    hypura_stats before = stats_of(model);
    for (int i = 0; i < N_TOKENS; i++) CHECK(hypura_sequence_eval(sequence, &token, 1, &api_err));
    hypura_stats after = stats_of(model);
    hypura_sequence_free(sequence);
    hypura_model_close(model);

    Listed listed = list_reads(DENSE, after.budget.weights, &err);
    uint64_t missed_bytes = (after.read_missed_bytes - before.read_missed_bytes) / N_TOKENS;
    CHECK(listed.ok && listed.n > 1);
    CHECK(missed_bytes <= listed.n_bytes);
    CHECK(listed.n_bytes <= missed_bytes + listed.n * UINT64_C(8192)); // widened at both ends
    for (uint32_t i = 1; i < listed.n; i++)
        CHECK(listed.reads[i].offset_bytes != listed.reads[i - 1].offset_bytes);
    mem_free(MEM_OTHER, listed.reads);
}

TEST(nothing_is_listed_where_all_stays_or_a_router_chooses)
{
    Error err = {0};

    Listed listed = list_reads(DENSE, UINT64_C(1) << 40, &err);
    CHECK(listed.ok && listed.n == 0);
    mem_free(MEM_OTHER, listed.reads);
    listed = list_reads(MIXTURE, UINT64_C(20) << 20, &err);
    CHECK(listed.ok && listed.n == 0);
    mem_free(MEM_OTHER, listed.reads);
}

/* A copy of the model's first n_bytes. */
static void copy_cut(const char *to, size_t n_bytes)
{
    FILE *in = fopen(DENSE, "rb"), *out = fopen(to, "wb");

    if (!CHECK(in && out)) exit(1);
    for (size_t i = 0; i < n_bytes; i++) putc(getc(in), out);
    fclose(in);
    CHECK(fclose(out) == 0);
}

/* The file ends within a block, and within the unit of a direct read; others lie behind it. */
TEST(no_read_goes_past_the_end_of_its_file)
{
    Error err = {0};
    char path[512];

    snprintf(path, sizeof path, "%s/cut.gguf", harness_temporary_folder());
    copy_cut(path, 3000001);
    Listed whole = list_reads(DENSE, UINT64_C(4) << 20, &err);
    Listed cut = list_reads(path, UINT64_C(4) << 20, &err); // checks each read
    CHECK_CASE(err.message, whole.ok && cut.ok);
    CHECK(cut.n > 0 && cut.n < whole.n && cut.n_bytes < 3000001);
    mem_free(MEM_OTHER, whole.reads);
    mem_free(MEM_OTHER, cut.reads);
}

TEST(less_than_any_store_has_is_refused)
{
    Error err = {0};
    Listed listed = list_reads(DENSE, 1, &err);

    CHECK(!listed.ok && !listed.reads);
    CHECK_ERROR(err, ERROR_BUDGET);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(a_ceiling_follows_a_run_and_another_one_after_it)
{
    Error err = {0};
    Ceiling *ceiling = ceiling_open(DENSE, &err);

    if (!CHECK_CASE(err.message, ceiling)) return;
    for (uint64_t mib = 4; mib < 8; mib += 2) {
        double bytes_per_s = -1;
        CHECK_CASE(err.message, ceiling_follow(ceiling, mib << 20, &err));
        CHECK_CASE(err.message, ceiling_measure(ceiling, 1 << 20, 4, 0.001, &bytes_per_s, &err));
        CHECK(bytes_per_s >= 0); // 0 where the file system has no direct reads
    }
    CHECK(!ceiling_follow(ceiling, 1, &err));
    CHECK_ERROR(err, ERROR_BUDGET);
    ceiling_close(ceiling);
}

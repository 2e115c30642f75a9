/* From windows to facts: the median and its spread, an early end, a failing drive. */
#include "engine/measure_drive.h"

#include "base/ledger.h"
#include "harness.h"
#include "sys/read_sim.h"

#define KIB(n)     ((uint32_t)(n) << 10)
#define FILE_BYTES ((size_t)8 << 20)

static uint8_t content[FILE_BYTES];

static void field_open(DriveField *field, File *file, ReadSim *sim)
{
    static const FileExtent whole = {.n_bytes = FILE_BYTES};
    Error err = {0};

    *field = (DriveField){0};
    CHECK(read_sim_file(file, content, FILE_BYTES, &err));
    CHECK(drive_field_init_extents(field, file, 1, &whole, 1, &err));
    field->sim = sim;
}

static const DriveFact *find_fact(
    const Facts *facts, uint32_t read_bytes, uint32_t depth, ReadBackend backend)
{
    for (uint32_t i = 0; i < facts->n_drive; i++) {
        const DriveFact *fact = &facts->drive[i];
        if (fact->read_bytes == read_bytes && fact->depth == depth && fact->backend == backend
            && !fact->is_sequential)
            return fact;
    }
    return NULL;
}

TEST(the_median_is_the_middle_or_the_mean_of_two)
{
    double three[] = {3, 1, 2}, two[] = {4, 1}, one[] = {5};

    CHECK(measure_median(three, 3) == 2);
    CHECK(three[0] == 1 && three[2] == 3); // sorted
    CHECK(measure_median(two, 2) == 2.5);
    CHECK(measure_median(one, 1) == 5);
    CHECK(measure_median(NULL, 0) == 0);
}

/* A drive that needs a tick (1 ms) for any read, however many fly. */
TEST(every_shape_becomes_a_fact)
{
    ReadSim sim = {.seed = 1, .alignment = 4096};
    MeasureOptions options = {.budget_ns = 100000000};
    Error err = {0};
    Facts facts = {0};
    DriveField field;
    File file;
    bool is_direct = false;

    field_open(&field, &file, &sim);
    CHECK(measure_drive(&field, &options, &facts, &is_direct, &err));
    CHECK(is_direct);
    CHECK(facts.n_drive >= 30);
    const DriveFact *fact = find_fact(&facts, KIB(256), 8, READ_URING);
    CHECK(fact);
    if (fact) {
        CHECK(fact->bytes_per_s > 2.09e9 && fact->bytes_per_s < 2.1e9); // 8 * 256 KiB a tick
        CHECK(fact->bytes_per_s_low <= fact->bytes_per_s);
        CHECK(fact->bytes_per_s_high >= fact->bytes_per_s);
    }
    // 64 reads of 1 MiB a tick are more than any link carries.
    CHECK(!find_fact(&facts, KIB(1024), 64, READ_URING));
    drive_field_destroy(&field);
    file_close(&file);
    CHECK(ledger_total() == 0);
}

/* Each reader of a simulated drive starts from its seed: another one for each window. */
static bool change_seed(void *context, uint32_t n_done, uint32_t n_total)
{
    ReadSim *sim = context;

    sim->seed = n_done;
    return n_done < n_total;
}

/* Latencies of 1 to 9 ticks: the windows of a shape differ, and the fact lies between them. */
TEST(the_spread_shows_how_windows_differ)
{
    ReadSim sim = {.seed = 5, .alignment = 4096, .latency_ticks_max = 9};
    MeasureOptions options = {.budget_ns = 200000000, .progress = change_seed, .context = &sim};
    Error err = {0};
    Facts facts = {0};
    DriveField field;
    File file;
    bool is_direct;
    uint32_t n_apart = 0;

    field_open(&field, &file, &sim);
    CHECK(measure_drive(&field, &options, &facts, &is_direct, &err));
    for (uint32_t i = 0; i < facts.n_drive; i++) {
        const DriveFact *fact = &facts.drive[i];
        CHECK(fact->bytes_per_s_low <= fact->bytes_per_s);
        CHECK(fact->bytes_per_s <= fact->bytes_per_s_high);
        if (fact->bytes_per_s_low < fact->bytes_per_s && fact->bytes_per_s < fact->bytes_per_s_high)
            n_apart++;
    }
    CHECK(n_apart > facts.n_drive / 2);
    drive_field_destroy(&field);
    file_close(&file);
}

static bool stop_after_five(void *context, uint32_t n_done, uint32_t n_total)
{
    uint32_t *n_calls = context;

    CHECK(n_done == ++*n_calls);
    CHECK(n_total >= 90);
    return n_done < 5;
}

TEST(an_early_end_keeps_what_there_is)
{
    uint32_t n_calls = 0;
    ReadSim sim = {.seed = 1, .alignment = 4096};
    MeasureOptions options = {.progress = stop_after_five, .context = &n_calls};
    Error err = {0};
    Facts facts = {0};
    DriveField field;
    File file;
    bool is_direct;

    field_open(&field, &file, &sim);
    CHECK(measure_drive(&field, &options, &facts, &is_direct, &err));
    CHECK(n_calls == 5);
    CHECK(facts.n_drive > 0 && facts.n_drive <= 5);
    drive_field_destroy(&field);
    file_close(&file);
}

TEST(a_failing_drive_is_an_error)
{
    ReadSim sim = {.seed = 1,
        .alignment = 4096,
        .damage = {{.offset_bytes = KIB(4096), .n_bytes = 1, .n_failures = UINT32_MAX}},
        .n_damage = 1};
    MeasureOptions options = {.budget_ns = 100000000};
    Error err = {0};
    Facts facts = {0};
    DriveField field;
    File file;
    bool is_direct;

    field_open(&field, &file, &sim);
    CHECK(!measure_drive(&field, &options, &facts, &is_direct, &err));
    CHECK_ERROR(err, ERROR_READ);
    CHECK(facts.n_drive == 0);
    drive_field_destroy(&field);
    file_close(&file);
}

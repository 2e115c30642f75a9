/* Windows of reads: where they read, and what they make of the time. The drive is simulated, and
 * its ticks are the clock: a known latency has a known rate. */
#include "engine/measure_window.h"

#include "base/mem.h"
#include "harness.h"
#include "sys/read_sim.h"

#define KIB(n)     ((uint32_t)(n) << 10)
#define FILE_BYTES ((size_t)4 << 20)
#define TICK_NS    1000000u

static uint8_t content[FILE_BYTES];

/* A file of FILE_BYTES on a simulated drive. */
typedef struct Bench {
    File file;
    ReadSim sim;
    DriveField field;
} Bench;

static void bench_open(Bench *bench, const FileExtent *extents, uint32_t n_extents)
{
    static const FileExtent whole = {.n_bytes = FILE_BYTES};
    Error err = {0};

    *bench = (Bench){.sim = {.seed = 1, .alignment = 4096}};
    CHECK(read_sim_file(&bench->file, content, FILE_BYTES, &err));
    CHECK(drive_field_init_extents(
        &bench->field, &bench->file, 1, extents ? extents : &whole, extents ? n_extents : 1, &err));
    bench->field.sim = &bench->sim;
}

static void bench_close(Bench *bench)
{
    drive_field_destroy(&bench->field);
    file_close(&bench->file);
}

static double window(Bench *bench, uint32_t read_bytes, uint32_t depth, uint64_t window_ns)
{
    DriveShape shape = {.read_bytes = read_bytes, .depth = depth};
    Error err = {0};
    double rate = -1;

    CHECK(measure_drive_window(&bench->field, &shape, window_ns, &rate, &err));
    return rate;
}

static bool is_near(double got, double wanted)
{
    if (got > wanted * 0.999 && got < wanted * 1.001) return true;
    printf("    wanted %.6g, got %.6g\n", wanted, got);
    return false;
}

/* One tick a read whatever else flies: `depth` reads a tick. */
TEST(a_window_gives_what_comes_back_in_its_time)
{
    Bench bench;

    bench_open(&bench, NULL, 0);
    CHECK(is_near(window(&bench, KIB(64), 1, 50 * TICK_NS), KIB(64) * 1e3));
    CHECK(is_near(window(&bench, KIB(64), 16, 50 * TICK_NS), 16 * KIB(64) * 1e3));
    CHECK(is_near(window(&bench, KIB(256), 4, 50 * TICK_NS), 4 * KIB(256) * 1e3));
    bench_close(&bench);
}

TEST(a_short_window_still_sees_a_full_queue)
{
    Bench bench;

    bench_open(&bench, NULL, 0);
    CHECK(is_near(window(&bench, KIB(64), 8, 0), 8 * KIB(64) * 1e3));
    CHECK(bench.sim.counts.n_requests >= 16);
    bench_close(&bench);
}

TEST(a_slow_drive_ends_a_window_all_the_same)
{
    Bench bench;

    bench_open(&bench, NULL, 0);
    bench.sim.latency_ticks_max = 1;
    bench.sim.per_mille[SIM_LATE] = 1000;
    bench.sim.late_ticks = 500; // of a window of 50
    double rate = window(&bench, KIB(64), 8, 50 * TICK_NS);
    CHECK(rate > 0 && rate <= 8 * KIB(64) * 1e3 / 500 * 1.01);
    CHECK(bench.sim.counts.n_requests <= 3 * 8);
    bench_close(&bench);
}

TEST(more_than_a_link_carries_is_not_believed)
{
    Bench bench;

    bench_open(&bench, NULL, 0);
    CHECK(window(&bench, KIB(1024), 58, 0) < 1); // 60.8 GB/s
    CHECK(window(&bench, KIB(1024), 57, 0) > 59e9);
    bench_close(&bench);
}

/* The extents are filled with ones in a file of zeros; the simulator fills a request's memory with
 * rubbish first, so what is there afterwards was read. */
static bool only_ones_were_read(const Bench *bench, uint64_t n_bytes)
{
    for (uint64_t i = 0; i < n_bytes; i++)
        if (bench->field.pages.data[i] != 1) return false;
    return true;
}

TEST(reads_stay_within_the_written_extents)
{
    static const FileExtent extents[] = {
        {.offset_bytes = 100, .n_bytes = KIB(64) + 8000},   // one read, from 4096 on
        {.offset_bytes = KIB(512) + 1, .n_bytes = KIB(64)}, // none: not whole after alignment
        {.offset_bytes = KIB(1024), .n_bytes = KIB(128)},   // two
        {.offset_bytes = FILE_BYTES - KIB(64), .n_bytes = KIB(64)}, // up to the end
    };
    Bench bench;

    for (size_t i = 0; i < COUNT(extents); i++)
        memset(content + extents[i].offset_bytes, 1, extents[i].n_bytes);
    bench_open(&bench, extents, COUNT(extents));
    CHECK(bench.field.n_bytes == 4 * KIB(64) + KIB(64) + 8000);
    for (int i = 0; i < 8; i++) {
        CHECK(window(&bench, KIB(64), 1, 0) > 0);
        CHECK(only_ones_were_read(&bench, KIB(64)));
    }
    bench_close(&bench);
    memset(content, 0, FILE_BYTES);
}

/* Each 64 KiB of the file has its number; a window of one read at a time shows which it was. */
static void check_each_place_once(bool is_sequential)
{
    DriveShape shape = {.read_bytes = KIB(64), .depth = 1, .is_sequential = is_sequential};
    uint8_t seen[FILE_BYTES / KIB(64)] = {0};
    Error err = {0};
    Bench bench;
    double rate;

    for (size_t i = 0; i < COUNT(seen); i++) memset(content + i * KIB(64), (int)i, KIB(64));
    bench_open(&bench, NULL, 0);
    for (size_t i = 0; i < COUNT(seen) / 2; i++) { // two reads and one in flight at the end
        bench.field.n_drawn = 2 * i;
        bench.field.next_bytes = 2 * i * KIB(64);
        CHECK(measure_drive_window(&bench.field, &shape, 0, &rate, &err));
        seen[bench.field.pages.data[0]]++;
    }
    size_t n_seen = 0;
    for (size_t i = 0; i < COUNT(seen); i++) {
        CHECK(seen[i] <= 1);
        n_seen += seen[i];
    }
    CHECK(n_seen == COUNT(seen) / 2);
    bench_close(&bench);
    memset(content, 0, FILE_BYTES);
}

TEST(no_place_comes_again_before_all_others_had_their_turn)
{
    check_each_place_once(false);
    check_each_place_once(true);
}

/* Each 64 KiB of the file has its number. The first read of the list is 64 KiB, the second four
 * times as much; the next window goes on after what the one before had asked for. */
TEST(listed_reads_have_their_length_and_their_turn)
{
    static const ReadRequest list[] = {
        {.offset_bytes = 40 * KIB(64), .n_bytes = KIB(64)},
        {.offset_bytes = 7 * KIB(64), .n_bytes = 4 * KIB(64)},
        {.offset_bytes = 20 * KIB(64), .n_bytes = KIB(64)},
    };
    static const int third[] = {20, 7, 40}; // the third read of each window, on its way at its end
    DriveShape shape = {.read_bytes = 4 * KIB(64), .depth = 1, .is_listed = true};
    Error err = {0};
    Bench bench;
    double rate;

    for (size_t i = 0; i < FILE_BYTES / KIB(64); i++)
        memset(content + i * KIB(64), (int)i, KIB(64));
    bench_open(&bench, NULL, 0);
    bench.field.listed = list;
    bench.field.n_listed = COUNT(list);
    for (size_t i = 0; i < COUNT(third); i++) {
        bench.field.n_drawn = 2 * i;
        CHECK(measure_drive_window(&bench.field, &shape, 0, &rate, &err));
        CHECK(bench.field.pages.data[0] == third[i]);
        CHECK(bench.field.n_drawn == 2 * i + 3);
    }
    // One read a tick, and all three in turn: their mean length a tick.
    CHECK(measure_drive_window(&bench.field, &shape, 31 * TICK_NS, &rate, &err));
    CHECK(is_near(rate, 2 * KIB(64) * 1e3));
    bench_close(&bench);
    memset(content, 0, FILE_BYTES);
}

TEST(extents_without_a_whole_read_have_no_rate)
{
    static const FileExtent small = {.n_bytes = KIB(60)};
    Bench bench;

    bench_open(&bench, &small, 1);
    CHECK(window(&bench, KIB(64), 1, 0) < 1);
    CHECK(bench.sim.counts.n_requests == 0);
    bench_close(&bench);
}

// clang-format off
static const struct {
    const char *label;
    SimFault fault;
    ErrorId want;
} faults[] = {
    {"a failing drive", SIM_EIO,  ERROR_READ},
    {"a short read",    SIM_SHORT, ERROR_FILE_CHANGED},
    {"an empty read",   SIM_ZERO, ERROR_FILE_CHANGED},
};
// clang-format on

TEST(a_failed_read_is_an_error_with_its_place)
{
    for (size_t i = 0; i < COUNT(faults); i++) {
        DriveShape shape = {.read_bytes = KIB(64), .depth = 4};
        Error err = {0};
        Bench bench;
        double rate = 7;

        bench_open(&bench, NULL, 0);
        bench.sim.per_mille[faults[i].fault] = 300;
        CHECK_CASE(faults[i].label,
            !measure_drive_window(&bench.field, &shape, 500 * TICK_NS, &rate, &err));
        CHECK_ERROR(err, faults[i].want);
        CHECK_CASE(faults[i].label, strstr(err.message, "at byte "));
        CHECK_CASE(faults[i].label, rate > 6 && rate < 8);
        bench_close(&bench);
    }
}

TEST(a_broken_reader_is_an_error)
{
    DriveShape shape = {.read_bytes = KIB(64), .depth = 4};
    Error err = {0};
    Bench bench;
    double rate;

    bench_open(&bench, NULL, 0);
    bench.sim.breaks_at_reap = 5;
    CHECK(!measure_drive_window(&bench.field, &shape, 50 * TICK_NS, &rate, &err));
    CHECK_ERROR(err, ERROR_RING);
    bench_close(&bench);
}

TEST(a_field_of_files_has_what_they_hold)
{
    Error err = {0};
    File file = {0};
    DriveField field = {0};

    CHECK(read_sim_file(&file, content, FILE_BYTES, &err));
    CHECK(drive_field_init(&field, &file, 1, &err));
    CHECK(field.n_bytes > 0 && field.n_bytes <= FILE_BYTES);
    drive_field_destroy(&field);
    CHECK(!field.extents && field.n_bytes == 0);
    drive_field_destroy(&field); // twice is harmless
    file_close(&file);
    CHECK(ledger_total() == 0);
}

/* tests/sys/test_read_sim.c - the drive that misbehaves (sys/read_sim.h) */
#include "sys/read_sim.h"

#include <fcntl.h>

#include "base/rng.h"
#include "sys/child.h"
#include "sys/read.h"

#define BLOCK   512u
#define N_BYTES (64u * BLOCK)
#define DEPTH   16u
#define N_SLOTS DEPTH
#define RUBBISH 0xa5

static uint8_t content[N_BYTES];
static uint8_t *memory; // [N_SLOTS * 4 * BLOCK], aligned

static uint8_t *slot_data(uint32_t slot)
{
    return memory + (size_t)slot * 4 * BLOCK;
}

static Reader *create(ReadSim *sim, File *file)
{
    Error err = {0};
    Rng rng = rng_seeded(7);

    if (!memory) {
        rng_fill(&rng, content, sizeof(content));
        memory = aligned_alloc(4096, N_SLOTS * 4 * BLOCK);
    }
    memset(memory, 0, N_SLOTS * 4 * BLOCK);
    if (sim->alignment == 0) sim->alignment = BLOCK;
    CHECK(read_sim_file(file, content, sizeof(content), &err));
    ReaderOptions options = {
        .backend = READ_SIM, .depth = DEPTH, .files = file, .n_files = 1, .sim = sim};
    Reader *reader = reader_create(&options, &err);
    CHECK(reader != NULL);
    return reader;
}

/* The slot's request: four blocks, from block `slot` on. */
static ReadRequest request_of(uint32_t slot)
{
    return (ReadRequest){.tag = slot,
        .offset_bytes = (uint64_t)slot * BLOCK,
        .data = slot_data(slot),
        .n_bytes = 4 * BLOCK};
}

static void submit_all(Reader *reader)
{
    Error err = {0};

    for (uint32_t slot = 0; slot < N_SLOTS; slot++) {
        ReadRequest request = request_of(slot);
        CHECK(reader_submit(reader, &request, 1, &err));
    }
}

/* All completions until nothing is left, also of duplicates. Returns how many. */
static uint32_t reap_all(Reader *reader, ReadCompletion *out, uint32_t n_max)
{
    uint32_t n_taken = 0, n = 1;
    Error err = {0};

    while (n > 0 && n_taken < n_max) {
        if (!CHECK(reader_reap(reader, READ_WAIT, out + n_taken, n_max - n_taken, &n, &err))) break;
        n_taken += n;
    }
    return n_taken;
}

/* Runs all slots once on a drive; gives the completions in their order. */
static uint32_t run(ReadSim *sim, ReadCompletion *out, uint32_t n_max)
{
    File file = {0};
    Reader *reader = create(sim, &file);

    if (!reader) return 0;
    submit_all(reader);
    uint32_t n = reap_all(reader, out, n_max);
    reader_free(reader);
    file_close(&file);
    return n;
}

TEST(sim_without_faults_answers_whole_and_in_order)
{
    ReadSim sim = {.seed = 1};
    ReadCompletion got[40];

    CHECK(run(&sim, got, COUNT(got)) == N_SLOTS);
    for (uint32_t i = 0; i < N_SLOTS; i++) {
        CHECK(got[i].tag == i);
        CHECK(got[i].result == 4 * BLOCK);
        CHECK_BITS(content + i * BLOCK, slot_data(i), 4 * BLOCK);
    }
    CHECK(sim.counts.n_requests == N_SLOTS);
    CHECK(sim.counts.n_request_bytes == N_SLOTS * 4 * BLOCK);
    CHECK(sim.counts.n_completions == N_SLOTS);
    for (int f = 0; f < SIM_FAULTS; f++) CHECK(sim.counts.n_faults[f] == 0);
}

TEST(sim_is_a_function_of_its_seed)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        ReadSim first = read_sim_swarm(seed), second = read_sim_swarm(seed);
        ReadCompletion a[100] = {0}, b[100] = {0};
        uint32_t n = run(&first, a, COUNT(a));
        CHECK(n == run(&second, b, COUNT(b)));
        CHECK_BITS(a, b, sizeof(a));
        CHECK_BITS(&first.counts, &second.counts, sizeof(first.counts));
    }
}

/* Each class alone and at every request: it does what its name says, and is counted. */
TEST(sim_makes_each_fault_as_it_is_described)
{
    for (int fault = 0; fault < SIM_FAULTS; fault++) {
        ReadSim sim = {.seed = harness_seed(), .latency_ticks_max = 5};
        ReadCompletion got[100] = {0};
        char label[16];
        snprintf(label, sizeof(label), "fault %d", fault);
        sim.per_mille[fault] = 1000;
        uint32_t n = run(&sim, got, COUNT(got));
        CHECK_CASE(label, sim.counts.n_faults[fault] == N_SLOTS);
        CHECK_CASE(label, n == (fault == SIM_DUPLICATE ? 2 * N_SLOTS : N_SLOTS));
        for (uint32_t i = 0; i < n; i++) {
            int64_t result = got[i].result;
            switch ((SimFault)fault) {
            case SIM_REORDER:
            case SIM_LATE:
            case SIM_DUPLICATE: CHECK_CASE(label, result == 4 * BLOCK); break;
            case SIM_SHORT:
                CHECK_CASE(label, result > 0 && result < 4 * BLOCK && result % BLOCK == 0);
                break;
            case SIM_RAGGED:
                CHECK_CASE(label, result > 0 && result < 4 * BLOCK && result % BLOCK != 0);
                break;
            case SIM_ZERO: CHECK_CASE(label, result == 0); break;
            case SIM_EIO: CHECK_CASE(label, result == -EIO); break;
            case SIM_EINTR: CHECK_CASE(label, result == -EINTR); break;
            case SIM_EAGAIN: CHECK_CASE(label, result == -EAGAIN); break;
            case SIM_FAULTS: break;
            }
        }
    }
}

TEST(sim_reorders)
{
    ReadSim sim = {.seed = 3, .latency_ticks_max = 20};
    ReadCompletion got[40] = {0};
    bool in_order = true;

    sim.per_mille[SIM_REORDER] = 500;
    CHECK(run(&sim, got, COUNT(got)) == N_SLOTS);
    for (uint32_t i = 0; i < N_SLOTS; i++) in_order = in_order && got[i].tag == i;
    CHECK(!in_order);
}

TEST(sim_duplicates_come_after_the_first_and_touch_no_memory)
{
    ReadSim sim = {.seed = 4, .late_ticks = 1};
    File file = {0};
    Error err = {0};
    uint32_t n = 0, n_seen[N_SLOTS] = {0};

    sim.per_mille[SIM_DUPLICATE] = 1000;
    Reader *reader = create(&sim, &file);
    if (!reader) return;
    submit_all(reader);
    for (;;) {
        ReadCompletion completion = {0};
        CHECK(reader_reap(reader, READ_WAIT, &completion, 1, &n, &err));
        if (n == 0) break;
        uint32_t slot = (uint32_t)completion.tag;
        CHECK(slot < N_SLOTS);
        if (n_seen[slot]++ == 0) {
            CHECK_BITS(content + slot * BLOCK, slot_data(slot), 4 * BLOCK);
            memset(slot_data(slot), 0x11, 4 * BLOCK); // the caller's again
        } else {
            for (uint32_t i = 0; i < 4 * BLOCK; i++) CHECK(slot_data(slot)[i] == 0x11);
        }
    }
    for (uint32_t slot = 0; slot < N_SLOTS; slot++) CHECK(n_seen[slot] == 2);
    CHECK(reader_free_depth(reader) == DEPTH);
    reader_free(reader);
    file_close(&file);
}

TEST(sim_fills_memory_with_rubbish_until_the_completion)
{
    ReadSim sim = {.seed = 5};
    File file = {0};
    Error err = {0};
    ReadCompletion completion = {0};
    uint32_t n = 0;

    sim.per_mille[SIM_SHORT] = 1000;
    Reader *reader = create(&sim, &file);
    if (!reader) return;
    ReadRequest request = request_of(3);
    CHECK(reader_submit(reader, &request, 1, &err));
    for (uint32_t i = 0; i < 4 * BLOCK; i++) CHECK(slot_data(3)[i] == RUBBISH);
    CHECK(slot_data(3)[-1] == 0); // and nothing beside it
    CHECK(slot_data(4)[0] == 0);
    CHECK(reader_reap(reader, READ_WAIT, &completion, 1, &n, &err) && n == 1);
    CHECK_BITS(content + 3 * BLOCK, slot_data(3), (size_t)completion.result);
    for (uint32_t i = (uint32_t)completion.result; i < 4 * BLOCK; i++)
        CHECK(slot_data(3)[i] == RUBBISH);
    reader_free(reader);
    file_close(&file);
}

TEST(sim_polls_without_waiting)
{
    ReadSim sim = {.seed = 6, .late_ticks = 10};
    File file = {0};
    Error err = {0};
    ReadCompletion completion = {0};
    uint32_t n = 0, n_polls = 0;

    sim.per_mille[SIM_LATE] = 1000;
    Reader *reader = create(&sim, &file);
    if (!reader) return;
    ReadRequest request = request_of(0);
    CHECK(reader_submit(reader, &request, 1, &err));
    for (; n == 0 && n_polls < 100; n_polls++)
        CHECK(reader_reap(reader, READ_POLL, &completion, 1, &n, &err));
    CHECK(n_polls == 11); // one tick of latency, ten late
    reader_free(reader);
    file_close(&file);
}

TEST(sim_damage_fails_once_or_always)
{
    ReadSim sim = {.seed = 7, .n_damage = 2};
    ReadCompletion got[40] = {0};
    File file = {0};

    sim.damage[0] = (SimDamage){.offset_bytes = 1 * BLOCK, .n_bytes = 1, .n_failures = UINT32_MAX};
    sim.damage[1] = (SimDamage){.offset_bytes = 12 * BLOCK, .n_bytes = 1, .n_failures = 1};
    Reader *reader = create(&sim, &file);
    if (!reader) return;
    for (int round = 0; round < 2; round++) {
        submit_all(reader);
        CHECK(reap_all(reader, got, COUNT(got)) == N_SLOTS);
        for (uint32_t i = 0; i < N_SLOTS; i++) {
            // Blocks 0 and 1 touch the first place; block 9 is the first to touch the second.
            bool fails = got[i].tag <= 1 || (round == 0 && got[i].tag == 9);
            CHECK(got[i].result == (fails ? -EIO : 4 * (int)BLOCK));
        }
    }
    CHECK(sim.counts.n_faults[SIM_EIO] == 5);
    reader_free(reader);
    file_close(&file);
}

TEST(sim_stops_after_the_most_faults_allowed)
{
    ReadSim sim = {.seed = 8, .n_faults_max = 3};
    ReadCompletion got[40] = {0};
    uint32_t n_failed = 0;

    sim.per_mille[SIM_EINTR] = 1000;
    CHECK(run(&sim, got, COUNT(got)) == N_SLOTS);
    for (uint32_t i = 0; i < N_SLOTS; i++) n_failed += got[i].result == -EINTR;
    CHECK(n_failed == 3);
}

TEST(sim_breaks_when_told)
{
    ReadSim sim = {.seed = 9, .breaks_at_reap = 2};
    File file = {0};
    Error err = {0};
    ReadCompletion got[1] = {0};
    uint32_t n = 0;
    Reader *reader = create(&sim, &file);

    if (!reader) return;
    submit_all(reader);
    CHECK(reader_reap(reader, READ_WAIT, got, 1, &n, &err) && n == 1);
    CHECK(!reader_reap(reader, READ_WAIT, got, 1, &n, &err));
    CHECK_ERROR(err, ERROR_RING);
    CHECK(!reader_reap(reader, READ_POLL, got, 1, &n, &err));
    reader_free(reader); // what was in flight lands first
    CHECK_BITS(content + 15 * BLOCK, slot_data(15), 4 * BLOCK);
    file_close(&file);
}

TEST(sim_short_results_end_with_the_file)
{
    ReadSim sim = {.alignment = 4096};
    static const uint8_t text[5000] = {1, 2, 3};
    uint8_t *data = aligned_alloc(4096, 8192);
    File file = {0};
    Error err = {0};
    ReadCompletion completion = {0};
    uint32_t n = 0;

    CHECK(read_sim_file(&file, text, sizeof(text), &err));
    CHECK(file.n_bytes == sizeof(text));
    CHECK(write(file.fd, text, 1) < 0); // nobody writes to it
    ReaderOptions options = {
        .backend = READ_SIM, .depth = 1, .files = &file, .n_files = 1, .sim = &sim};
    Reader *reader = reader_create(&options, &err);
    if (CHECK(reader != NULL)) {
        ReadRequest request = {.data = data, .n_bytes = 8192};
        CHECK(reader_submit(reader, &request, 1, &err));
        CHECK(reader_reap(reader, READ_WAIT, &completion, 1, &n, &err) && n == 1);
        CHECK(completion.result == 5000);
        CHECK_BITS(text, data, sizeof(text));
    }
    reader_free(reader);
    file_close(&file);
    free(data);
}

static void share_memory(const void *argument)
{
    ReadSim sim = {0};
    File file = {0};
    Error err = {0};
    ReadRequest requests[2] = {request_of(0), request_of(8)};
    Reader *reader = create(&sim, &file);

    // The first request again, or its last block.
    requests[1].data = slot_data(0) + *(const uint32_t *)argument;
    int quiet = open("/dev/null", O_WRONLY);
    dup2(quiet, STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);
    (void)!reader_submit(reader, requests, 2, &err);
}

TEST(sim_asserts_that_requests_in_flight_share_no_memory)
{
    static const uint32_t offsets[] = {0, 3 * BLOCK, 4 * BLOCK};
    ReadSim sim = {0};
    File file = {0};

    reader_free(create(&sim, &file)); // makes `memory` before the fork
    file_close(&file);
    CHECK(child_was_killed_by(child_status(share_memory, &offsets[0]), SIGABRT));
    CHECK(child_was_killed_by(child_status(share_memory, &offsets[1]), SIGABRT));
    CHECK(child_status(share_memory, &offsets[2]) == 0);
}

TEST(sim_swarm_turns_each_fault_on_and_off)
{
    uint32_t n_on[SIM_FAULTS] = {0};

    for (uint64_t seed = 0; seed < 200; seed++) {
        ReadSim sim = read_sim_swarm(seed);
        for (int f = 0; f < SIM_FAULTS; f++) n_on[f] += sim.per_mille[f] > 0;
    }
    for (int f = 0; f < SIM_FAULTS; f++) CHECK(n_on[f] > 50 && n_on[f] < 150);
}

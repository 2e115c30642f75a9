/* The simulated drive (sys/read_sim.h). What becomes of a request is drawn when it is
 * submitted: a result and the tick of its completion. Memory gets its bytes in the call
 * that hands the completion out, as late as a drive could. */
#include "sys/read_sim.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/size.h"
#include "sys/internal.h"

#define RUBBISH            0xa5
#define LATE_TICKS_DEFAULT 64

/* A request, or the duplicate of a completion that was handed out. */
typedef struct Pending {
    ReadRequest request;
    int64_t result;
    uint64_t turned_offset; // of the file: the byte of which a bit is turned; UINT64_MAX: none
    uint64_t due_tick;
    uint64_t order; // among those of one tick
    bool is_duplicated;
} Pending;

typedef struct Drive {
    ReadSim *sim; // borrowed
    const int *fds;
    const File *files;
    uint32_t depth;
    uint32_t alignment;
    Rng rng;
    uint64_t tick;
    uint64_t last_due_tick;                  // of the requests that keep their order
    uint64_t busy_until_tick[SIM_RATES_MAX]; // of files with a rate
    uint64_t n_submitted;
    Pending *requests; // [depth]
    uint32_t n_requests;
    Pending *duplicates; // [depth]; where it is full there are fewer
    uint32_t n_duplicates;
} Drive;

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
    return value > 0 ? value : fallback;
}

/* Draws whether this fault happens, and counts it. */
static bool strikes(Drive *drive, SimFault fault)
{
    if (rng_below(&drive->rng, 1000) >= drive->sim->per_mille[fault]) return false;
    drive->sim->counts.n_faults[fault]++;
    return true;
}

static bool faults_used_up(const ReadSim *sim)
{
    uint64_t n = 0;

    for (SimFault fault = SIM_SHORT; fault < SIM_FAULTS; fault++) n += sim->counts.n_faults[fault];
    return sim->n_faults_max > 0 && n >= sim->n_faults_max;
}

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

/* The damage of this kind that a request touches, once more; NULL: there is none. */
static const SimDamage *hit_damage(Drive *drive, const ReadRequest *request, bool is_silent)
{
    ReadSim *sim = drive->sim;

    for (uint32_t i = 0; i < sim->n_damage; i++) {
        SimDamage *damage = &sim->damage[i];
        if (damage->file != request->file || damage->n_failures == 0) continue;
        if (damage->is_silent != is_silent) continue;
        if (!overlap(
                damage->offset_bytes, damage->n_bytes, request->offset_bytes, request->n_bytes))
            continue;
        if (damage->n_failures != UINT32_MAX) damage->n_failures--;
        return damage;
    }
    return NULL;
}

/* What a drive without faults answers. */
static uint64_t bytes_there(const Drive *drive, const ReadRequest *request)
{
    uint64_t file_bytes = drive->files[request->file].n_bytes;
    uint64_t n = request->offset_bytes < file_bytes ? file_bytes - request->offset_bytes : 0;

    return n < request->n_bytes ? n : request->n_bytes;
}

static int64_t draw_result(Drive *drive, const ReadRequest *request)
{
    uint64_t n_bytes = bytes_there(drive, request);
    uint64_t n_units = n_bytes / drive->alignment;

    if (hit_damage(drive, request, false)) {
        drive->sim->counts.n_faults[SIM_EIO]++;
        return -EIO;
    }
    if (faults_used_up(drive->sim)) return (int64_t)n_bytes;
    if (strikes(drive, SIM_EIO)) return -EIO;
    if (strikes(drive, SIM_EINTR)) return -EINTR;
    if (strikes(drive, SIM_EAGAIN)) return -EAGAIN;
    if (n_bytes > 0 && strikes(drive, SIM_ZERO)) return 0;
    if (n_bytes % drive->alignment == 0 && n_units > 0) n_units--; // must leave something out
    if (n_units > 0 && strikes(drive, SIM_SHORT))
        return (int64_t)((1 + rng_below(&drive->rng, n_units)) * drive->alignment);
    if (n_bytes >= drive->alignment && strikes(drive, SIM_RAGGED)) {
        uint64_t unit = rng_below(&drive->rng, n_bytes / drive->alignment);
        return (
            int64_t)(unit * drive->alignment + 1 + rng_below(&drive->rng, drive->alignment - 1));
    }
    return (int64_t)n_bytes;
}

/* The tick in which a drive of that rate has served all that it was asked for. */
static uint64_t serve_at_rate(Drive *drive, const ReadRequest *request, uint32_t bytes_per_tick)
{
    uint64_t *until = &drive->busy_until_tick[request->file];

    if (*until < drive->tick) *until = drive->tick;
    *until += (request->n_bytes + bytes_per_tick - 1) / bytes_per_tick;
    return *until;
}

static void draw_time(Drive *drive, Pending *pending)
{
    uint32_t file = pending->request.file;
    uint32_t rate = file < SIM_RATES_MAX ? drive->sim->bytes_per_tick[file] : 0;

    if (rate > 0) {
        pending->order = ++drive->n_submitted;
        pending->due_tick = serve_at_rate(drive, &pending->request, rate);
        return;
    }
    uint64_t due =
        drive->tick + 1 + rng_below(&drive->rng, or_default(drive->sim->latency_ticks_max, 1));

    pending->order = ++drive->n_submitted;
    if (strikes(drive, SIM_REORDER)) {
        pending->order = 0;
    } else {
        if (due < drive->last_due_tick) due = drive->last_due_tick;
        drive->last_due_tick = due;
    }
    if (strikes(drive, SIM_LATE)) due += or_default(drive->sim->late_ticks, LATE_TICKS_DEFAULT);
    pending->due_tick = due;
}

static void assert_memory_is_free(const Drive *drive, const ReadRequest *request)
{
    for (uint32_t i = 0; i < drive->n_requests; i++) {
        const ReadRequest *other = &drive->requests[i].request;
        assert(!overlap(
            (uintptr_t)request->data, request->n_bytes, (uintptr_t)other->data, other->n_bytes));
    }
}

static bool sim_submit(void *state, const ReadRequest *requests, uint32_t n, Error *err)
{
    Drive *drive = state;

    (void)err;
    for (uint32_t i = 0; i < n; i++) {
        Pending pending = {.request = requests[i]};
        assert_memory_is_free(drive, &requests[i]);
        pending.result = draw_result(drive, &requests[i]);
        const SimDamage *silent = hit_damage(drive, &requests[i], true);
        pending.turned_offset = silent ? silent->offset_bytes : UINT64_MAX;
        draw_time(drive, &pending);
        pending.is_duplicated = drive->n_duplicates < drive->depth && strikes(drive, SIM_DUPLICATE);
        memset(requests[i].data, RUBBISH, requests[i].n_bytes);
        drive->requests[drive->n_requests++] = pending;
        drive->sim->counts.n_requests++;
        drive->sim->counts.n_request_bytes += requests[i].n_bytes;
    }
    return true;
}

static bool comes_before(const Pending *a, const Pending *b)
{
    return a->due_tick != b->due_tick ? a->due_tick < b->due_tick : a->order < b->order;
}

/* Index of the one that is due first; n: there is none. */
static uint32_t first_due(const Pending *pending, uint32_t n)
{
    uint32_t first = n;

    for (uint32_t i = 0; i < n; i++)
        if (first == n || comes_before(&pending[i], &pending[first])) first = i;
    return first;
}

static Pending take(Pending *pending, uint32_t *n, uint32_t index)
{
    Pending taken = pending[index];

    pending[index] = pending[--*n];
    return taken;
}

/* The moment in which the bytes reach memory. */
static void deliver(Drive *drive, const Pending *pending)
{
    const ReadRequest *request = &pending->request;
    uint64_t n_done = 0;

    while (pending->result > 0 && n_done < (uint64_t)pending->result) {
        ssize_t n = pread(drive->fds[request->file], request->data + n_done,
            (size_t)pending->result - n_done, (off_t)(request->offset_bytes + n_done));
        assert(n > 0); // the file is shorter than it was at open: a test's own mistake
        n_done += (uint64_t)n;
    }
    if (pending->turned_offset >= request->offset_bytes
        && pending->turned_offset - request->offset_bytes < n_done)
        request->data[pending->turned_offset - request->offset_bytes] ^= 1;
}

static void remember_duplicate(Drive *drive, const Pending *pending)
{
    Pending duplicate = *pending;

    if (drive->n_duplicates == drive->depth) return;
    duplicate.due_tick =
        drive->tick + 1
        + rng_below(&drive->rng, or_default(drive->sim->late_ticks, LATE_TICKS_DEFAULT));
    drive->duplicates[drive->n_duplicates++] = duplicate;
}

/* A completion whose time has come; false: there is none. */
static bool take_due(Drive *drive, ReadCompletion *out)
{
    uint32_t first = first_due(drive->requests, drive->n_requests);
    uint32_t again = first_due(drive->duplicates, drive->n_duplicates);
    Pending pending;

    if (again < drive->n_duplicates && drive->duplicates[again].due_tick <= drive->tick) {
        pending = take(drive->duplicates, &drive->n_duplicates, again);
    } else if (first < drive->n_requests && drive->requests[first].due_tick <= drive->tick) {
        pending = take(drive->requests, &drive->n_requests, first);
        deliver(drive, &pending);
        if (pending.is_duplicated) remember_duplicate(drive, &pending);
    } else {
        return false;
    }
    *out = (ReadCompletion){.tag = pending.request.tag, .result = pending.result};
    return true;
}

/* Lets time pass until something is due. Without requests, until a duplicate is. */
static void wait_for_due(Drive *drive)
{
    const Pending *pending = drive->n_requests > 0 ? drive->requests : drive->duplicates;
    uint32_t n = drive->n_requests > 0 ? drive->n_requests : drive->n_duplicates;

    if (n == 0) return;
    uint64_t due_tick = pending[first_due(pending, n)].due_tick;
    if (due_tick > drive->tick) drive->tick = due_tick;
}

static bool sim_reap(
    void *state, ReadWait wait, ReadCompletion *out, uint32_t n_max, uint32_t *n, Error *err)
{
    Drive *drive = state;
    ReadSim *sim = drive->sim;

    sim->counts.n_reaps++;
    if (sim->breaks_at_reap > 0 && sim->counts.n_reaps >= sim->breaks_at_reap)
        return error_set(err, ERROR_RING, "the simulated drive broke on purpose");

    drive->tick++;
    if (wait == READ_WAIT) wait_for_due(drive);
    while (*n < n_max && take_due(drive, &out[*n])) (*n)++;
    sim->counts.n_completions += *n;
    sim->counts.ticks = drive->tick;
    return true;
}

static uint32_t sim_in_flight(const void *state)
{
    const Drive *drive = state;

    return drive->n_requests;
}

static uint64_t sim_now_ns(const void *state)
{
    const Drive *drive = state;

    return drive->tick;
}

/* What is in flight still lands in its memory, so that a sanitizer sees who freed it. */
static void sim_free(void *state)
{
    Drive *drive = state;

    for (uint32_t i = 0; i < drive->n_requests; i++) deliver(drive, &drive->requests[i]);
    mem_free(MEM_OTHER, drive->requests);
    mem_free(MEM_OTHER, drive->duplicates);
    mem_free(MEM_OTHER, drive);
}

static void *sim_create(const ReadPlan *plan, int *refusal, Error *err)
{
    const ReaderOptions *options = plan->options;

    *refusal = 0;
    assert(options->sim);
    assert(options->sim->n_damage <= SIM_DAMAGE_MAX);
    Drive *drive = mem_alloc(MEM_OTHER, sizeof(*drive), err);
    if (!drive) return NULL;
    drive->sim = options->sim;
    drive->fds = plan->fds;
    drive->files = options->files;
    drive->depth = options->depth;
    drive->alignment = plan->alignment;
    drive->rng = rng_seeded(options->sim->seed);
    drive->requests = mem_alloc_array(MEM_OTHER, options->depth, sizeof(Pending), err);
    if (!drive->requests) goto fail;
    drive->duplicates = mem_alloc_array(MEM_OTHER, options->depth, sizeof(Pending), err);
    if (!drive->duplicates) goto fail;
    return drive;

fail:
    sim_free(drive);
    return NULL;
}

const ReadBackendTable read_sim = {
    .name = "sim",
    .create = sim_create,
    .free = sim_free,
    .submit = sim_submit,
    .reap = sim_reap,
    .in_flight = sim_in_flight,
    .now_ns = sim_now_ns,
};

ReadSim read_sim_swarm(uint64_t seed)
{
    // Of 1000 requests, when the class is on.
    static const uint32_t rates[SIM_FAULTS] = {[SIM_REORDER] = 500,
        [SIM_LATE] = 50,
        [SIM_DUPLICATE] = 100,
        [SIM_SHORT] = 50,
        [SIM_RAGGED] = 50,
        [SIM_ZERO] = 10,
        [SIM_EIO] = 20,
        [SIM_EINTR] = 50,
        [SIM_EAGAIN] = 50};
    Rng rng = rng_seeded(seed);
    ReadSim sim = {.seed = rng_next(&rng)};

    sim.latency_ticks_max = (uint32_t)(1 + rng_below(&rng, 20));
    sim.late_ticks = (uint32_t)(1 + rng_below(&rng, 200));
    for (int i = 0; i < SIM_FAULTS; i++)
        if (rng_below(&rng, 2) == 1) sim.per_mille[i] = rates[i];
    return sim;
}

bool read_sim_file(File *file, const void *data, uint64_t n_bytes, Error *err)
{
    const uint8_t *bytes = data;
    char path[32];
    uint64_t n_done = 0;
    bool ok = false;

    int fd = memfd_create("hypura-sim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return error_set(err, ERROR_FILE_OPEN, "memfd_create: %s", strerror(errno));
    while (n_done < n_bytes) {
        ssize_t n = write(fd, bytes + n_done, (size_t)(n_bytes - n_done));
        if (n <= 0) break;
        n_done += (uint64_t)n;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (n_done < n_bytes)
        error_set(err, ERROR_WRITE, "file in memory: %s", strerror(errno));
    else if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        error_set(err, ERROR_WRITE, "file in memory: %s", strerror(errno));
    else
        ok = file_open(file, path, err); // through /proc, so that it is read-only
    close(fd);
    return ok;
}

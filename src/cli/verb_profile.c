/* `hypura profile`: the ceilings of drive, memory and processor, within 30 seconds, and kept for
 * plans to come. It writes nothing but the result and the cache file, unless --scratch asks for a
 * file to read. Interrupted it shows what it has, and keeps the kinds that are whole. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/size.h"
#include "cli/interrupt.h"
#include "cli/profile_table.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/scratch.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "engine/facts_json.h"
#include "engine/measure_compute.h"
#include "engine/measure_drive.h"
#include "engine/measure_memory.h"
#include "sys/cpu.h"
#include "sys/large_files.h"
#include "sys/process.h"

#define SECOND_NS       1000000000ull
#define DRIVE_NS        (12 * SECOND_NS) // and what filling and draining the queues takes
#define MEMORY_NS       (3 * SECOND_NS)
#define COMPUTE_NS      (8 * SECOND_NS)
#define FIELD_BYTES_MIN ((uint64_t)256 << 20)
#define MEMORY_BYTES    ((uint64_t)512 << 20) // of all threads together, at least,
#define THREAD_BYTES    ((uint64_t)64 << 20)  // and of each: no core has so much cache to itself
#define COMPUTE_BYTES   ((uint64_t)256 << 20)

typedef enum Part { PART_DRIVE, PART_MEM, PART_COMPUTE, PARTS } Part;

static const char *const part_names[PARTS] = {"drive", "mem", "compute"};

typedef struct Profile {
    const Options *options;
    const char *path;
    bool wanted[PARTS];
    bool is_chosen; // the drive was asked for by --only, --path or --scratch
    Facts facts;
    Progress bar;
    bool has_bar;
} Profile;

/* --only drive,mem: each name once or more; NULL: all. */
static bool parse_only(const char *text, bool wanted[PARTS], Error *err)
{
    for (int part = 0; part < PARTS; part++) wanted[part] = !text;
    for (const char *at = text; at; at = *at ? at + 1 : NULL) {
        size_t n = strcspn(at, ",");
        bool is_known = false;
        for (int part = 0; part < PARTS; part++)
            if (strlen(part_names[part]) == n && strncmp(at, part_names[part], n) == 0)
                wanted[part] = is_known = true;
        if (!is_known)
            return error_set(err, ERROR_USAGE,
                "--only: '%.*s' is not one of drive, mem and compute", (int)n, at);
        at += n;
    }
    return true;
}

static bool show_progress(void *context, uint32_t n_done, uint32_t n_total)
{
    Profile *profile = context;

    if (!profile->has_bar)
        progress_begin(
            &profile->bar, profile->bar.what, "windows", n_total, profile->options->quiet);
    profile->has_bar = true;
    progress_show(&profile->bar, n_done);
    return interrupt_signal() == 0;
}

static MeasureOptions measure_options(Profile *profile, const char *what, uint64_t budget_ns)
{
    profile->bar = (Progress){.what = what};
    profile->has_bar = false;
    return (MeasureOptions){.budget_ns = budget_ns, .progress = show_progress, .context = profile};
}

/* Without a word of its own when the drive is one of all: then the rest still counts. */
static int refuse_drive(const Profile *profile, const char *why)
{
    if (profile->is_chosen)
        return report_usage("profile", "--scratch 1G, which writes a file and removes it",
            "the drive of %s: %s", profile->path, why);
    log_warn("drive not measured: %s: %s; try --path DIR with large files, or --scratch 1G",
        profile->path, why);
    return STATUS_OK;
}

static int measure_files(Profile *profile, const LargeFiles *large)
{
    MeasureOptions options = measure_options(profile, "drive", DRIVE_NS);
    DriveField field = {0};
    Error err = {0};
    bool is_direct = true;
    int status = STATUS_OK;

    if (!drive_field_init(&field, large->files, large->n_files, &err))
        return report_error("profile", &err);
    if (field.n_bytes < FIELD_BYTES_MIN) {
        status = refuse_drive(profile, "no written files of 16 MiB and more, 256 MiB together");
    } else {
        bool ok = measure_drive(&field, &options, &profile->facts, &is_direct, &err);
        progress_end(&profile->bar);
        if (!ok)
            status = report_error("profile: drive", &err);
        else if (!is_direct)
            status = refuse_drive(profile, "this file system has no reads past the page cache");
    }
    drive_field_destroy(&field);
    return status;
}

/* The files that are there, or one that is written for it. */
static int measure_drive_part(Profile *profile)
{
    const char *scratch_size = profile->options->scratch;
    Partial scratch = {.fd = -1};
    LargeFiles large = {0};
    uint64_t n_bytes;
    Error err = {0};
    int status;

    if (scratch_size) {
        if (!size_parse(scratch_size, &n_bytes, &err)) return report_error("profile", &err);
        if (n_bytes < FIELD_BYTES_MIN)
            return report_usage("profile", NULL, "--scratch %s: at least 256M", scratch_size);
        if (!scratch_write(&scratch, profile->path, n_bytes, &err))
            return report_error("profile: scratch file", &err);
    }
    if (large_files_open(&large, scratch_size ? scratch.partial_path : profile->path, &err))
        status = measure_files(profile, &large);
    else
        status = report_error("profile", &err);
    large_files_close(&large);
    if (scratch_size) scratch_remove(&scratch);
    return status;
}

/* At most a quarter of what there is. */
static uint64_t bytes_within(uint64_t n_bytes)
{
    uint64_t available = machine_available_memory();

    return available > 0 && available / 4 < n_bytes ? size_align_down(available / 4, 4096)
                                                    : n_bytes;
}

static int measure_memory_part(Profile *profile)
{
    MeasureOptions options = measure_options(profile, "memory", MEMORY_NS);
    uint32_t n_cores = cpu_usable_cores();
    uint64_t n_bytes = n_cores * THREAD_BYTES;
    Error err = {0};

    if (n_bytes < MEMORY_BYTES) n_bytes = MEMORY_BYTES;
    bool ok = measure_memory(n_cores, bytes_within(n_bytes), &options, &profile->facts, &err);

    progress_end(&profile->bar);
    return ok ? STATUS_OK : report_error("profile: memory", &err);
}

static int measure_compute_part(Profile *profile)
{
    MeasureOptions options = measure_options(profile, "compute", COMPUTE_NS);
    Error err = {0};
    const Kernels *kernels = kernels_select(cpu_features(), getenv("HYPURA_ISA"), &err);
    bool ok = kernels
              && measure_compute(kernels, cpu_usable_cores(), bytes_within(COMPUTE_BYTES), &options,
                  &profile->facts, &err);

    progress_end(&profile->bar);
    return ok ? STATUS_OK : report_error("profile: compute", &err);
}

/* Keeps what is whole. `unfinished` is the count of the kind that a signal cut short; NULL: none.
 * A machine without a cache folder still gets its result. */
static void keep_facts(Facts *facts, uint32_t *unfinished)
{
    uint32_t n = unfinished ? *unfinished : 0;
    Error err = {0};

    if (unfinished) *unfinished = 0;
    if (json_available() && !facts_save(facts, &err))
        log_warn("not kept for plans to come: %s", err.message);
    if (unfinished) *unfinished = n;
}

static int measure_parts(Profile *profile)
{
    static int (*const measures[PARTS])(Profile *) = {
        measure_drive_part, measure_memory_part, measure_compute_part};
    uint32_t *const counts[PARTS] = {
        &profile->facts.n_drive, &profile->facts.n_memory, &profile->facts.n_compute};
    uint32_t *unfinished = NULL;
    int status = STATUS_OK;

    for (int part = 0; part < PARTS && !unfinished; part++) {
        if (!profile->wanted[part]) continue;
        int one = measures[part](profile);
        if (status == STATUS_OK) status = one;
        if (interrupt_signal()) unfinished = counts[part];
    }
    keep_facts(&profile->facts, unfinished);
    return unfinished ? STATUS_OF_SIGNAL + interrupt_signal() : status;
}

static int write_result(const Profile *profile)
{
    const Facts *facts = &profile->facts;

    if (profile->options->json)
        return terminal_write_json("profile", facts_to_json(facts, profile->path));
    if (facts->n_drive + facts->n_memory + facts->n_compute > 0) profile_write_table(stdout, facts);
    return STATUS_OK;
}

int verb_profile(const Options *options)
{
    Error err = {0};
    Profile *profile = mem_alloc(MEM_OTHER, sizeof(*profile), &err);
    int status = STATUS_OK;

    if (!profile) return report_error("profile", &err);
    profile->options = options;
    profile->path = options->path ? options->path : ".";
    profile->is_chosen = options->path || options->only || options->scratch;
    if (!parse_only(options->only, profile->wanted, &err)
        || !facts_name_machine(
            &profile->facts, profile->wanted[PART_DRIVE] ? profile->path : NULL, &err)) {
        status = report_error("profile", &err);
    } else {
        status = measure_parts(profile);
        int written = write_result(profile);
        if (status == STATUS_OK) status = written;
    }
    mem_free(MEM_OTHER, profile);
    return status;
}

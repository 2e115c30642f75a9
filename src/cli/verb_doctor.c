/* `hypura doctor`: one question after another, each with what its answer means for a run. It
 * changes nothing and measures nothing. Essential is what promises rest on: a path that can be
 * read, and memory figures, without which no budget can be kept. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/size.h"
#include "cli/findings.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "engine/facts.h"
#include "kernels/kernels.h"
#include "sys/cgroup.h"
#include "sys/cpu.h"
#include "sys/large_files.h"
#include "sys/probe.h"
#include "sys/process.h"
#include "sys/read.h"
#include "sys/user_cache.h"

#define DAY_S       86400u
#define AGE_DAYS    90
#define MEMLOCK_MIN ((uint64_t)64 << 20) // a ring and its buffers

static void find_processor(Findings *findings)
{
    Error err = {0};
    const char *limit = getenv("HYPURA_ISA");
    const Kernels *kernels = kernels_select(cpu_features(), limit, &err);
    const Kernels *best = kernels_select(cpu_features(), NULL, NULL);

    if (!kernels)
        findings_add(findings, "processor", FINDING_FAILS, "no model runs with this setting",
            "unset HYPURA_ISA", "%s", err.message);
    else if (strcmp(kernels->isa, "scalar") == 0)
        findings_add(findings, "processor", FINDING_LACKS,
            "models run on plain code, ten times slower than with vectors",
            limit ? "unset HYPURA_ISA" : NULL, "%s: scalar, %u cores", cpu_model_name(),
            cpu_usable_cores());
    else if (best && strcmp(best->isa, kernels->isa) != 0)
        findings_add(findings, "processor", FINDING_LACKS, "a wider instruction set lies idle",
            "unset HYPURA_ISA", "%s: %s, %u cores; it has %s", cpu_model_name(), kernels->isa,
            cpu_usable_cores(), best->isa);
    else
        findings_add(findings, "processor", FINDING_GOOD,
            "the fastest kernels of this build run here", NULL, "%s: %s, %u cores",
            cpu_model_name(), kernels->isa, cpu_usable_cores());
}

static void find_memory(Findings *findings, const Probe *probe)
{
    char total[24], available[24];
    uint64_t room = cgroup_memory_room("");

    if (machine_memory() == 0 || machine_available_memory() == 0)
        findings_add(findings, "memory", FINDING_FAILS,
            "no default budget can be chosen, and pressure goes unseen", "mount /proc",
            "unknown: /proc/meminfo can't be read");
    else
        findings_add(findings, "memory", FINDING_GOOD,
            "the default budget is what is available less a reserve", NULL, "%s, %s available",
            size_format(machine_memory(), total),
            size_format(machine_available_memory(), available));

    const char *version = probe->has_cgroup_v2   ? "version 2"
                          : probe->has_cgroup_v1 ? "version 1"
                                                 : "none";
    if (room == CGROUP_UNLIMITED)
        findings_add(findings, "control group", FINDING_GOOD,
            "no limit but the machine's own memory binds a run", NULL, "%s, no memory limit",
            version);
    else
        findings_add(findings, "control group", FINDING_GOOD,
            "budgets stay below the limit of every ancestor", NULL, "%s, room for %s", version,
            size_format(room, total));
    if (probe->swap_bytes > 0)
        findings_add(findings, "swap", FINDING_LACKS,
            "under pressure the system may write a model's memory to the drive",
            "a --memory that leaves room for others, or a higher memlock limit", "%s, %s free",
            size_format(probe->swap_bytes, total), size_format(probe->swap_free_bytes, available));
    else
        findings_add(findings, "swap", FINDING_GOOD, "a run never causes writes by being swapped",
            NULL, "none");
}

static void find_paging(Findings *findings, const Probe *probe)
{
    char text[24];

    if (probe->memlock_bytes == UINT64_MAX)
        findings_add(findings, "memory lock", FINDING_GOOD,
            "read buffers are registered and pinned weights stay in memory", NULL, "no limit");
    else
        findings_add(findings, "memory lock",
            probe->memlock_bytes < MEMLOCK_MIN ? FINDING_LACKS : FINDING_GOOD,
            probe->memlock_bytes < MEMLOCK_MIN
                ? "buffers stay unregistered, and under pressure weights may be paged out"
                : "read buffers can be registered",
            probe->memlock_bytes < MEMLOCK_MIN ? "ulimit -l unlimited, or LimitMEMLOCK=infinity"
                                               : NULL,
            "limit %s", size_format(probe->memlock_bytes, text));

    bool has_huge =
        strcmp(probe->huge_pages, "always") == 0 || strcmp(probe->huge_pages, "madvise") == 0;
    findings_add(findings, "huge pages", has_huge ? FINDING_GOOD : FINDING_LACKS,
        has_huge ? "reads into weights' memory need few descriptors"
                 : "reads from the drive run at a third to two thirds of their rate",
        has_huge ? NULL : "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled", "%s",
        *probe->huge_pages ? probe->huge_pages : "unknown");
    findings_add(findings, "pressure", probe->has_pressure ? FINDING_GOOD : FINDING_LACKS,
        probe->has_pressure ? "cache memory is given back when others need it"
                            : "pressure is seen by polling use and limits alone",
        probe->has_pressure ? NULL : "boot with psi=1", "%s",
        probe->has_pressure ? "/proc/pressure/memory" : "no /proc/pressure/memory");
}

static const struct {
    const char *value, *advice;
} ring_texts[] = {
    [RING_WORKS] = {"works", NULL},
    [RING_ABSENT] = {"not in this kernel", "Linux 5.13 or newer"},
    [RING_DISABLED] = {"switched off by kernel.io_uring_disabled",
        "sysctl kernel.io_uring_disabled=0"},
    [RING_FILTERED] = {"refused by a seccomp filter or a security module",
        "allow io_uring_setup, _enter and _register in the container's profile"},
    [RING_FAILED] = {"could not be set up now", "ulimit -l, ulimit -n, free memory"},
};

static void find_ring(Findings *findings, const Probe *probe)
{
    bool works = probe->ring == RING_WORKS && HYPURA_WITH_URING;

    findings_add(findings, "io_uring", works ? FINDING_GOOD : FINDING_LACKS,
        works ? "reads are queued with almost no work for the processor"
              : "reads are made by threads, at up to 2.5 times the processor time",
        HYPURA_WITH_URING ? ring_texts[probe->ring].advice : "build with liburing", "%s",
        HYPURA_WITH_URING ? ring_texts[probe->ring].value : "this build has no liburing");
}

/* One direct read of the largest file there is. */
static void find_direct(Findings *findings, const char *path)
{
    LargeFiles large = {0};
    Error err = {0};
    Reader *reader = NULL;

    if (!large_files_open(&large, path, &err)) {
        findings_add(findings, "direct reads", FINDING_FAILS, "models there can't be read",
            "--path DIR", "%s", err.message);
        return;
    }
    if (large.n_files == 0) {
        findings_add(findings, "direct reads", FINDING_LACKS,
            "whether this file system reads past the page cache is not known",
            "--path with the folder of a model", "no file of 16 MiB below %s", path);
        return;
    }
    ReaderOptions options = {.backend = READ_THREADS,
        .direct = DIRECT_ON,
        .depth = 1,
        .files = &large.files[0],
        .n_files = 1};
    reader = reader_create(&options, &err);
    if (!reader)
        findings_add(findings, "direct reads", FINDING_FAILS, "models there can't be read", NULL,
            "%s", err.message);
    else if (reader_is_direct(reader))
        findings_add(findings, "direct reads", FINDING_GOOD,
            "models are read past the page cache, which is left to others", NULL,
            "work, aligned to %u bytes", reader_alignment(reader));
    else
        findings_add(findings, "direct reads", FINDING_LACKS,
            "reads go through the page cache, at a third to two thirds of the rate",
            "a drive with ext4, xfs or btrfs", "refused by the file system of %.80s",
            large.files[0].path);
    reader_free(reader);
    large_files_close(&large);
}

static void find_sandbox(Findings *findings, const Probe *probe)
{
    if (probe->landlock_abi > 0)
        findings_add(findings, "Landlock", FINDING_GOOD,
            "a run can't write but where it was told to", NULL, "ABI %d", probe->landlock_abi);
    else
        findings_add(findings, "Landlock", FINDING_LACKS,
            "a run that may write at all may write anywhere its user may",
            "boot with lsm=landlock,…", "not in this kernel, or switched off");
    findings_add(findings, "seccomp", probe->has_seccomp_filters ? FINDING_GOOD : FINDING_LACKS,
        probe->has_seccomp_filters ? "a run gives up the calls that it never needs"
                                   : "a run keeps all calls of its user",
        NULL, "%s", probe->has_seccomp_filters ? "filters work" : "no filters in this kernel");
}

/* The folder itself, or the nearest one above that is there. */
static bool may_be_made(char *path)
{
    for (;;) {
        if (access(path, F_OK) == 0) return access(path, W_OK | X_OK) == 0;
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) return access("/", W_OK) == 0;
        *slash = '\0';
    }
}

static void find_cache(Findings *findings)
{
    char folder[USER_CACHE_PATH_BYTES], path[USER_CACHE_PATH_BYTES];
    bool is_named = user_cache_folder(folder);

    if (is_named) memcpy(path, folder, sizeof(path));
    bool is_good = is_named && may_be_made(path);
    findings_add(findings, "cache folder", is_good ? FINDING_GOOD : FINDING_LACKS,
        is_good ? "profiles and heat maps are kept between runs"
                : "every start is a first one: no profile, no heat map",
        is_good ? NULL : "set XDG_CACHE_HOME to a folder of yours", "%.120s%s",
        is_named ? folder : "neither XDG_CACHE_HOME nor HOME is set",
        is_named && !is_good ? ": may not be written" : "");
}

static void find_facts(Findings *findings, const char *path)
{
    Facts facts;
    Error err = {0};
    bool found = false;

    if (!facts_load(&facts, path, &found, &err)) {
        findings_add(findings, "profile", FINDING_LACKS, "plans guess", NULL, "%s", err.message);
        return;
    }
    if (!found || facts.n_drive == 0) {
        findings_add(findings, "profile", FINDING_LACKS,
            "plans guess the drive, and say so by wide intervals", "hypura profile", "none of %s",
            facts.device);
        return;
    }
    uint64_t now_s = (uint64_t)time(NULL), age_days = 0; // after 1970
    if (now_s > facts.measured_unix_s) age_days = (now_s - facts.measured_unix_s) / DAY_S;
    bool is_old = age_days > AGE_DAYS;
    findings_add(findings, "profile", is_old ? FINDING_LACKS : FINDING_GOOD,
        is_old ? "the drive may have become slower or fuller since"
               : "plans know the drive and the memory",
        is_old ? "hypura profile" : NULL, "%s, %u days old", facts.device, (unsigned)age_days);
}

int verb_doctor(const Options *options)
{
    const char *path = options->path ? options->path : ".";
    Probe probe = probe_machine("");
    Error err = {0};
    Findings *findings = mem_alloc(MEM_OTHER, sizeof(*findings), &err);
    int status = STATUS_OK;

    if (!findings) return report_error("doctor", &err);
    find_processor(findings);
    find_memory(findings, &probe);
    find_paging(findings, &probe);
    find_ring(findings, &probe);
    find_direct(findings, path);
    find_sandbox(findings, &probe);
    find_cache(findings);
    find_facts(findings, path);
    if (options->json)
        status = terminal_write_json("doctor", findings_to_json(findings));
    else
        findings_write_table(stdout, findings);
    uint32_t n_fails = findings_count(findings, FINDING_FAILS);
    mem_free(MEM_OTHER, findings);
    if (status != STATUS_OK || n_fails == 0) return status;
    error_set(&err, ERROR_CHECK_FAILED, "%u essential things are missing", n_fails);
    return report_error("doctor", &err);
}

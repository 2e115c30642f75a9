/* The kernel's files on memory pressure, kept open (Linux Documentation/accounting/psi.rst,
 * admin-guide/cgroup-v2.rst "Memory", admin-guide/cgroup-v1/memory.rst).
 *
 * They are polled. Triggers of PSI and events of control groups would have to be written to the
 * files, which a program that promises to write nothing leaves alone, and they tell of stalls
 * only, not of room that is getting small. */
#include "sys/pressure.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/cgroup.h"
#include "sys/kernel_text.h"

#define PATH_BYTES  1200
#define TEXT_BYTES  4096
#define STALL_SHARE 10 // one in so many: "tasks wait for memory"
#define NS_PER_US   1000

/* What a source's descriptors are. */
typedef enum FileRole {
    LIMIT,
    HIGH, // a limit above which the kernel slows the group down
    USAGE,
    SWAP_LIMIT, // of memory and swap together
    SWAP_USAGE,
    FIGURES, // memory.stat; of the machine meminfo
    STALLS,
    EVENTS, // how often a limit was reached
    FILE_ROLES
} FileRole;

_Static_assert(FILE_ROLES == PRESSURE_FILES_MAX, "a descriptor for each role");

// clang-format off
static const char *const names_machine[FILE_ROLES] = {
    [FIGURES] = "proc/meminfo", [STALLS] = "proc/pressure/memory",
};
static const char *const names_v1[FILE_ROLES] = {
    [LIMIT] = "memory.limit_in_bytes", [USAGE] = "memory.usage_in_bytes",
    [SWAP_LIMIT] = "memory.memsw.limit_in_bytes", [SWAP_USAGE] = "memory.memsw.usage_in_bytes",
    [FIGURES] = "memory.stat", [EVENTS] = "memory.failcnt",
};
static const char *const names_v2[FILE_ROLES] = {
    [LIMIT] = "memory.max", [HIGH] = "memory.high", [USAGE] = "memory.current",
    [FIGURES] = "memory.stat", [STALLS] = "memory.pressure", [EVENTS] = "memory.events",
};
// clang-format on

/* ---- life ---- */

static PressureSource open_source(const char *folder, const char *const *names)
{
    PressureSource source = {0};
    char path[PATH_BYTES];

    for (uint32_t i = 0; i < FILE_ROLES; i++) {
        source.fds[i] = -1;
        if (!names[i]) continue;
        int n = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (n > 0 && (size_t)n < sizeof(path)) source.fds[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
    return source;
}

static void close_source(PressureSource *source)
{
    for (uint32_t i = 0; i < FILE_ROLES; i++)
        if (source->fds[i] >= 0) close(source->fds[i]);
}

/* A group without limits, the root as a rule, says nothing. */
static void add_group(void *context, const char *folder, bool is_v1)
{
    Pressure *pressure = context;

    if (pressure->n_sources == PRESSURE_SOURCES_MAX) return;
    PressureSource source = open_source(folder, is_v1 ? names_v1 : names_v2);
    source.is_v1 = is_v1;
    if (source.fds[LIMIT] >= 0 || source.fds[HIGH] >= 0)
        pressure->sources[pressure->n_sources++] = source;
    else
        close_source(&source);
}

void pressure_open(Pressure *pressure, const char *root)
{
    *pressure = (Pressure){.n_sources = 1};
    pressure->sources[0] = open_source(root, names_machine);
    pressure->sources[0].is_machine = true;
    cgroup_visit_memory(root, add_group, pressure);
}

void pressure_close(Pressure *pressure)
{
    for (uint32_t i = 0; i < pressure->n_sources; i++) close_source(&pressure->sources[i]);
    *pressure = (Pressure){0};
}

/* ---- a look ---- */

static bool read_number(const PressureSource *source, FileRole role, uint64_t *out)
{
    char text[64];

    return kernel_text_read_again(source->fds[role], text, sizeof(text))
           && kernel_text_field(text, "", out);
}

static void take_room(PressureReading *reading, uint64_t room, uint64_t limit)
{
    if (room >= reading->room_bytes) return;
    reading->room_bytes = room;
    reading->limit_bytes = limit;
}

static void look_at_limit(const PressureSource *source, FileRole limit_role, FileRole usage_role,
    const char *figures, PressureReading *reading)
{
    uint64_t limit, usage = 0;

    if (!read_number(source, limit_role, &limit)) return; // absent, or "max"
    if (source->is_v1 && limit >= CGROUP_V1_UNLIMITED) return;
    (void)read_number(source, usage_role, &usage);
    take_room(reading, cgroup_room(limit, usage, figures, source->is_v1), limit);
}

static void look_at_room(const PressureSource *source, PressureReading *reading)
{
    char figures[TEXT_BYTES];
    uint64_t available, total = 0;

    bool is_read = kernel_text_read_again(source->fds[FIGURES], figures, sizeof(figures));
    if (!source->is_machine) {
        look_at_limit(source, LIMIT, USAGE, figures, reading);
        look_at_limit(source, HIGH, USAGE, figures, reading);
        look_at_limit(source, SWAP_LIMIT, SWAP_USAGE, figures, reading);
        return;
    }
    if (!is_read || !kernel_text_field(figures, "MemAvailable:", &available)) return;
    (void)kernel_text_field(figures, "MemTotal:", &total);
    take_room(reading, available * 1024, total * 1024);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=47444": microseconds so far. */
static uint64_t stalled_us(const PressureSource *source)
{
    char text[256];

    if (!kernel_text_read_again(source->fds[STALLS], text, sizeof(text))) return 0;
    const char *total = strstr(text, "total=");
    return total ? strtoull(total + strlen("total="), NULL, 10) : 0;
}

/* How often the group ran into a limit: one number (v1), or a line for each (v2). */
static uint64_t count_events(const PressureSource *source)
{
    static const char *const keys[] = {"high ", "max ", "oom "};
    char text[256];
    uint64_t n = 0, n_all = 0;

    if (!kernel_text_read_again(source->fds[EVENTS], text, sizeof(text))) return 0;
    if (source->is_v1) return kernel_text_field(text, "", &n) ? n : 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (kernel_text_field(text, keys[i], &n)) n_all += n;
    return n_all;
}

/* Whether tasks waited since the last look, which was interval_ns ago. */
static bool look_at_stalls(PressureSource *source, uint64_t interval_ns)
{
    uint64_t us = stalled_us(source), n_events = count_events(source);
    bool is_stalling = us > source->stalled_us
                       && (us - source->stalled_us) * NS_PER_US > interval_ns / STALL_SHARE;

    if (n_events > source->n_events) is_stalling = true;
    source->stalled_us = us;
    source->n_events = n_events;
    return is_stalling;
}

PressureReading pressure_read(Pressure *pressure, uint64_t now_ns)
{
    PressureReading reading = {.room_bytes = UINT64_MAX};
    bool is_first = pressure->looked_at_ns == 0;
    uint64_t interval_ns = now_ns - pressure->looked_at_ns;

    for (uint32_t i = 0; i < pressure->n_sources; i++) {
        PressureSource *source = &pressure->sources[i];
        look_at_room(source, &reading);
        if (look_at_stalls(source, interval_ns) && !is_first) reading.is_stalling = true;
    }
    pressure->looked_at_ns = now_ns;
    return reading;
}

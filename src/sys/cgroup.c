/* Limits of control groups (Linux Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
 *
 * /proc/self/cgroup says which group the process is in per hierarchy, and
 * /proc/self/mountinfo where each hierarchy is mounted and from which group on: inside a
 * container only a part of the tree is visible, and the ancestors above it can't be asked.
 * Whatever is missing counts as no limit. */
#include "sys/cgroup.h"

#include <stdio.h>
#include <string.h>

#include "sys/kernel_text.h"

#define LINE_BYTES 2048
#define PATH_BYTES 1024 // group names in orchestrators have about 300
#define STAT_BYTES 4096 // memory.stat has 60 lines or so

typedef enum Version { CGROUP_V1, CGROUP_V2 } Version;

typedef void FolderVisit(void *context, const char *folder, Version version);

/* Adds "/name" to a folder; an answer that does not fit becomes the empty path. */
static void join_path(char *out, size_t room, const char *folder, const char *name)
{
    int n = snprintf(out, room, "%s/%s", folder, name);

    if (n < 0 || (size_t)n >= room) out[0] = '\0';
}

static bool read_number(const char *folder, const char *name, uint64_t *out)
{
    char path[PATH_BYTES];

    join_path(path, sizeof(path), folder, name);
    return kernel_text_number(path, out);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t cgroup_room(uint64_t limit, uint64_t usage, const char *stat_text, bool is_v1)
{
    uint64_t inactive = 0, active = 0;

    (void)kernel_text_field(
        stat_text, is_v1 ? "total_inactive_file " : "inactive_file ", &inactive);
    (void)kernel_text_field(stat_text, is_v1 ? "total_active_file " : "active_file ", &active);
    usage -= least(usage, inactive + active);
    return limit - least(limit, usage);
}

/* What one pair of files leaves: a limit and the use it is compared with. */
static uint64_t room_below(
    const char *folder, const char *limit_name, const char *usage_name, Version version)
{
    char path[PATH_BYTES], text[STAT_BYTES];
    uint64_t limit, usage = 0;
    bool is_v1 = version == CGROUP_V1;

    // "max" is not a number, so it sets no limit.
    if (!read_number(folder, limit_name, &limit)) return CGROUP_UNLIMITED;
    if (is_v1 && limit >= CGROUP_V1_UNLIMITED) return CGROUP_UNLIMITED;
    (void)read_number(folder, usage_name, &usage);
    join_path(path, sizeof(path), folder, "memory.stat");
    if (!kernel_text_read(path, text, sizeof(text))) text[0] = '\0';
    return cgroup_room(limit, usage, text, is_v1);
}

static void add_memory_room(void *context, const char *folder, Version version)
{
    uint64_t *room = context;

    if (version == CGROUP_V1) {
        *room = least(
            *room, room_below(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", version));
        *room = least(*room, room_below(folder, "memory.memsw.limit_in_bytes",
                                 "memory.memsw.usage_in_bytes", version));
    } else {
        *room = least(*room, room_below(folder, "memory.max", "memory.current", version));
        *room = least(*room, room_below(folder, "memory.high", "memory.current", version));
    }
}

static uint64_t cpus_of(const char *folder, Version version)
{
    char path[PATH_BYTES], text[64];
    uint64_t quota, period;

    if (version == CGROUP_V1) {
        // A quota of -1 means none and is not read as a number.
        if (!read_number(folder, "cpu.cfs_quota_us", &quota)) return CGROUP_UNLIMITED;
        if (!read_number(folder, "cpu.cfs_period_us", &period)) return CGROUP_UNLIMITED;
    } else {
        join_path(path, sizeof(path), folder, "cpu.max"); // "QUOTA PERIOD" or "max PERIOD"
        if (!kernel_text_read(path, text, sizeof(text))) return CGROUP_UNLIMITED;
        if (!kernel_text_field(text, "", &quota)) return CGROUP_UNLIMITED;
        const char *blank = strchr(text, ' ');
        if (!blank || !kernel_text_field(blank, "", &period)) return CGROUP_UNLIMITED;
    }
    if (period == 0) return CGROUP_UNLIMITED;
    uint64_t n_cpus = quota / period + (quota % period != 0);
    return n_cpus > 0 ? n_cpus : 1;
}

/* Where a hierarchy is mounted, and the group that its top folder shows. */
typedef struct Mount {
    char group[PATH_BYTES];
    char folder[PATH_BYTES];
} Mount;

/* Whether `word` is one of the comma-separated words of `list`. */
static bool list_has(const char *list, const char *word)
{
    size_t word_bytes = strlen(word);

    for (const char *at = list; at; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, word, word_bytes) == 0 && strchr(",\n ", at[word_bytes])) return true;
    }
    return false;
}

/*
 * A line of mountinfo (proc(5)):
 *   36 35 98:0 GROUP FOLDER rw,noatime master:1 - cgroup SOURCE rw,memory
 * True when it mounts the hierarchy that has `controller`, or the one of version 2.
 */
static bool parse_mount(
    const char *line, const char *controller, Version version, const char *root, Mount *mount)
{
    char folder[PATH_BYTES], type[16], options[PATH_BYTES];
    const char *rest = strstr(line, " - ");

    if (!rest) return false;
    if (sscanf(rest, " - %15s %*s %1023s", type, options) != 2) return false;
    if (strcmp(type, version == CGROUP_V2 ? "cgroup2" : "cgroup") != 0) return false;
    if (version == CGROUP_V1 && !list_has(options, controller)) return false;
    if (sscanf(line, "%*s %*s %*s %1023s %1023s", mount->group, folder) != 2) return false;
    int n = snprintf(mount->folder, sizeof(mount->folder), "%s%s", root, folder);
    return n > 0 && (size_t)n < sizeof(mount->folder);
}

static bool find_mount(const char *root, const char *controller, Version version, Mount *mount)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    bool found = false;

    join_path(path, sizeof(path), root, "proc/self/mountinfo");
    FILE *stream = fopen(path, "re");
    if (!stream) return false;
    while (!found && fgets(line, sizeof(line), stream))
        found = parse_mount(line, controller, version, root, mount);
    fclose(stream);
    return found;
}

/*
 * The group of this process in the hierarchy, from a line "ID:CONTROLLERS:GROUP" of
 * /proc/self/cgroup; version 2 has the line "0::GROUP".
 */
static bool find_group(const char *root, const char *controller, Version version, char *group)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    bool found = false;

    join_path(path, sizeof(path), root, "proc/self/cgroup");
    FILE *stream = fopen(path, "re");
    if (!stream) return false;
    while (!found && fgets(line, sizeof(line), stream)) {
        char *controllers = strchr(line, ':');
        char *name = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!name) continue;
        *name = '\0';
        name[1 + strcspn(name + 1, "\n")] = '\0';
        bool is_v2 = controllers[1] == '\0';
        found = version == CGROUP_V2 ? is_v2 : list_has(controllers + 1, controller);
        int n = snprintf(group, PATH_BYTES, "%s", name + 1);
        if (n < 0 || n >= PATH_BYTES) found = false;
    }
    fclose(stream);
    return found;
}

/* The part of `group` below what the mount shows; "" when it lies elsewhere. */
static const char *group_below(const char *group, const char *top)
{
    size_t top_bytes = strcmp(top, "/") == 0 ? 0 : strlen(top);

    if (strncmp(group, top, top_bytes) != 0) return "";
    if (group[top_bytes] != '/' || strstr(group, "..")) return "";
    return group + top_bytes;
}

static void visit_hierarchy(
    const char *root, const char *controller, Version version, FolderVisit *visit, void *context)
{
    char group[PATH_BYTES], folder[PATH_BYTES];
    Mount mount;

    if (!find_group(root, controller, version, group)) return;
    if (!find_mount(root, controller, version, &mount)) return;
    int n = snprintf(folder, sizeof(folder), "%s%s", mount.folder, group_below(group, mount.group));
    if (n < 0 || (size_t)n >= sizeof(folder)) return;

    size_t top_bytes = strlen(mount.folder);
    for (;;) {
        visit(context, folder, version);
        char *last = strrchr(folder, '/');
        if (!last || (size_t)(last - folder) < top_bytes) return;
        *last = '\0';
    }
}

/* Both versions can be mounted; a controller is in one of them, and the other is silent. */
static void visit_all(const char *root, const char *controller, FolderVisit *visit, void *context)
{
    visit_hierarchy(root, controller, CGROUP_V1, visit, context);
    visit_hierarchy(root, controller, CGROUP_V2, visit, context);
}

uint64_t cgroup_memory_room(const char *root)
{
    uint64_t room = CGROUP_UNLIMITED;

    visit_all(root, "memory", add_memory_room, &room);
    return room;
}

static void add_cpus(void *context, const char *folder, Version version)
{
    uint64_t *n_cpus = context;

    *n_cpus = least(*n_cpus, cpus_of(folder, version));
}

uint64_t cgroup_cpus(const char *root)
{
    uint64_t n_cpus = CGROUP_UNLIMITED;

    visit_all(root, "cpu", add_cpus, &n_cpus);
    return n_cpus;
}

/* Who is called with which version. */
typedef struct Visitor {
    CgroupVisit *visit;
    void *context;
} Visitor;

static void call_visitor(void *context, const char *folder, Version version)
{
    const Visitor *visitor = context;

    visitor->visit(visitor->context, folder, version == CGROUP_V1);
}

void cgroup_visit_memory(const char *root, CgroupVisit *visit, void *context)
{
    Visitor visitor = {.visit = visit, .context = context};

    visit_all(root, "memory", call_visitor, &visitor);
}

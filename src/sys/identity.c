/* A drive is named by what sysfs tells of the block device behind a path (Linux
 * Documentation/ABI/stable/sysfs-block). File systems that span devices, or have none, have an
 * identifier of their own, which outlives a mount; their device numbers do not. */
#include "sys/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "base/size.h"
#include "sys/cpu.h"
#include "sys/kernel_text.h"

#define PATH_BYTES 512
#define NAME_BYTES 40

// clang-format off
/* statfs(2), linux/magic.h */
static const struct {
    uint32_t magic;
    const char *name;
} file_systems[] = {
    {0xef53, "ext4"}, {0x58465342, "xfs"}, {0x9123683e, "btrfs"}, {0xf2f52010, "f2fs"},
    {0x01021994, "tmpfs"}, {0x858458f6, "ramfs"}, {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"},
    {0x6969, "nfs"}, {0xff534d42, "cifs"}, {0x65735546, "fuse"}, {0x01021997, "9p"},
    {0xca451a4e, "bcachefs"}, {0xe0f5e1e2, "erofs"}, {0x4d44, "vfat"}, {0x2011bab0, "exfat"},
};
// clang-format on

static const char *file_system_name(uint64_t magic)
{
    for (size_t i = 0; i < COUNT(file_systems); i++)
        if (file_systems[i].magic == magic) return file_systems[i].name;
    return "unknown";
}

/* A small file of a device's folder; empty: there is none. */
static void read_file(const char *folder, const char *name, char *out, size_t room)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

    out[0] = '\0';
    if (n > 0 && (size_t)n < sizeof(path)) (void)kernel_text_read(path, out, room);
}

/* Its first line, without blanks around it. */
static void read_line(const char *folder, const char *name, char out[NAME_BYTES])
{
    char text[NAME_BYTES];

    read_file(folder, name, text, sizeof(text));
    const char *begin = text + strspn(text, " ");
    size_t n = strcspn(begin, "\n");
    while (n > 0 && begin[n - 1] == ' ') n--;
    snprintf(out, NAME_BYTES, "%.*s", (int)n, begin);
}

/* The value behind a key of a device's uevent: "vda" of DEVNAME. */
static void read_device_name(const char *folder, char out[NAME_BYTES])
{
    char text[512];

    out[0] = '\0';
    read_file(folder, "uevent", text, sizeof(text));
    const char *at = strstr(text, "DEVNAME=");
    if (!at) return;
    at += strlen("DEVNAME=");
    snprintf(out, NAME_BYTES, "%.*s", (int)strcspn(at, "\n"), at);
}

bool identity_drive(const char *root, const char *path, char out[IDENTITY_BYTES], Error *err)
{
    char folder[PATH_BYTES], text[32], name[NAME_BYTES], model[NAME_BYTES], bytes_text[24];
    struct statfs system;
    struct stat st;
    uint64_t n_sectors = 0;

    if (stat(path, &st) != 0 || statfs(path, &system) != 0)
        return error_set(err, ERROR_FILE_OPEN, "%s: %s", path, strerror(errno));
    const char *system_name = file_system_name((uint64_t)system.f_type);
    snprintf(
        folder, sizeof(folder), "%s/sys/dev/block/%u:%u", root, major(st.st_dev), minor(st.st_dev));
    read_device_name(folder, name);
    if (!*name) {
        uint32_t id[2];
        memcpy(id, &system.f_fsid, sizeof(id));
        uint64_t n_bytes = (uint64_t)system.f_blocks * (uint64_t)system.f_bsize;
        snprintf(out, IDENTITY_BYTES, "%s %08x%08x %s", system_name, id[0], id[1],
            size_format(n_bytes, bytes_text));
        return true;
    }
    read_line(folder, "device/model", model);
    if (!*model) read_line(folder, "../device/model", model); // of a partition
    read_file(folder, "size", text, sizeof(text));
    (void)kernel_text_field(text, "", &n_sectors);
    snprintf(out, IDENTITY_BYTES, "%s%s%s %s %s", name, *model ? " " : "", model,
        size_format(n_sectors * 512, bytes_text), system_name);
    return true;
}

void identity_kernel(char out[IDENTITY_BYTES])
{
    struct utsname name;

    if (uname(&name) == 0)
        snprintf(out, IDENTITY_BYTES, "%.20s %.70s", name.sysname, name.release);
    else
        snprintf(out, IDENTITY_BYTES, "unknown");
}

/* The number of the first processor's line "cpu family\t: 26". */
static bool read_cpu_number(const char *text, const char *key, uint64_t *out)
{
    char field[32];

    snprintf(field, sizeof(field), "%s\t: ", key);
    if (kernel_text_field(text, field, out)) return true;
    snprintf(field, sizeof(field), "%s\t\t: ", key);
    return kernel_text_field(text, field, out);
}

void identity_cpu(const char *root, char out[IDENTITY_BYTES])
{
    char path[PATH_BYTES], text[1024];
    uint64_t family, model;

    snprintf(path, sizeof(path), "%s/proc/cpuinfo", root);
    (void)kernel_text_read(path, text, sizeof(text));
    if (read_cpu_number(text, "cpu family", &family) && read_cpu_number(text, "model", &model))
        snprintf(out, IDENTITY_BYTES, "%.60s, family %u model %u", cpu_model_name(),
            (unsigned)family, (unsigned)model);
    else
        snprintf(out, IDENTITY_BYTES, "%.90s", cpu_model_name());
}

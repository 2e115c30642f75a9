/* What /proc says about this process and its machine. Every figure has an "unknown". */
#include "sys/process.h"

#include <stddef.h>
#include <sys/resource.h>

#include "sys/cgroup.h"
#include "sys/kernel_text.h"

#define TEXT_BYTES 4096 // /proc/self/status and /proc/meminfo have about 1500

static uint64_t kilobytes_field(const char *path, const char *key)
{
    char text[TEXT_BYTES];
    uint64_t value = 0;

    if (!kernel_text_read(path, text, sizeof(text))) return 0;
    if (!kernel_text_field(text, key, &value)) return 0;
    return value * 1024;
}

ProcessIo process_io(void)
{
    char text[TEXT_BYTES];
    ProcessIo io = {0};

    if (!kernel_text_read("/proc/self/io", text, sizeof(text))) return io;
    io.known = kernel_text_field(text, "read_bytes:", &io.read_bytes)
               && kernel_text_field(text, "write_bytes:", &io.written_bytes);
    return io;
}

/* Where there is no /proc the kernel still counts; this is what wait4 gives a parent. */
static uint64_t peak_by_usage(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_maxrss < 0) return 0;
    return (uint64_t)usage.ru_maxrss * 1024; // not negative
}

uint64_t process_peak_memory(void)
{
    uint64_t peak = kilobytes_field("/proc/self/status", "VmHWM:");

    return peak > 0 ? peak : peak_by_usage();
}

uint64_t process_memory(void)
{
    uint64_t resident = kilobytes_field("/proc/self/status", "VmRSS:");

    return resident > 0 ? resident : peak_by_usage();
}

uint64_t machine_memory(void)
{
    return kilobytes_field("/proc/meminfo", "MemTotal:");
}

uint64_t machine_available_memory(void)
{
    uint64_t available = kilobytes_field("/proc/meminfo", "MemAvailable:");
    uint64_t room = cgroup_memory_room("");

    if (available == 0 || room < available) return room == CGROUP_UNLIMITED ? available : room;
    return available;
}

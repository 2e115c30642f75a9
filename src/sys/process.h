/* What the kernel counts for this process. */
#ifndef HYPURA_SYS_PROCESS_H
#define HYPURA_SYS_PROCESS_H

#include "base/error.h"

typedef struct ProcessIo {
    bool known;
    uint64_t read_bytes;    // fetched from the drive (/proc/self/io)
    uint64_t written_bytes; // sent to the drive
} ProcessIo;

ProcessIo process_io(void);

/* Highest resident memory so far in bytes, page tables aside (VmHWM; without
 * /proc getrusage's figure, which may be that of the program before execve); 0: unknown. */
uint64_t process_peak_memory(void);
/* Resident memory now (VmRSS; without /proc the peak, which is never less); 0: unknown. */
uint64_t process_memory(void);

/* Physical memory, and what could be had now: the least of MemAvailable and the room
 * below the cgroup limits (v1 and v2) of every ancestor. 0: unknown. */
uint64_t machine_memory(void);
uint64_t machine_available_memory(void);

#endif

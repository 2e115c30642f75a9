/* One window of a drive's ceiling: reads of one size at one depth on written extents of real
 * files, timed while the queue is full. profile takes a grid of them, and a bench takes them in
 * turn with decode, on the extents, the size and the depth that decode reads with. */
#ifndef HYPURA_ENGINE_MEASURE_WINDOW_H
#define HYPURA_ENGINE_MEASURE_WINDOW_H

#include "sys/extents.h"
#include "sys/read.h"

#define DRIVE_IN_FLIGHT_MAX ((uint64_t)64 << 20) // bytes
#define DRIVE_DEPTH_MAX     64
#define DRIVE_EXTENTS_MAX   1024
#define DRIVE_BELIEVED_MAX  60e9 // bytes per second; more than any link carries: a cache answered

/* What is read. Places are taken in an order that comes back to one only after all others. */
typedef struct DriveField {
    const File *files; // borrowed
    uint32_t n_files;
    FileExtent *extents; // owned
    uint32_t n_extents;
    uint64_t n_bytes;          // of the extents
    uint64_t n_drawn;          // random places, or listed reads, so far
    uint64_t next_bytes;       // where sequential reads go on
    const ReadRequest *listed; // [n_listed] reads of their own place and length; borrowed
    uint32_t n_listed;
    Pages pages;         // of all reads in flight; mapped by a window, grown by a larger one
    struct ReadSim *sim; // for tests: a simulated drive, whose ticks are milliseconds
} DriveField;

/* All that is written in the files. OUT_OF_MEMORY. drive_field_destroy ends it. */
CHECKED bool drive_field_init(DriveField *field, const File *files, uint32_t n_files, Error *err);
/* The same for these extents alone, which are copied. */
CHECKED bool drive_field_init_extents(DriveField *field, const File *files, uint32_t n_files,
    const FileExtent *extents, uint32_t n_extents, Error *err);
void drive_field_destroy(DriveField *field);

typedef struct DriveShape {
    uint32_t read_bytes; // multiple of 4 KiB
    uint32_t depth;      // 1 to DRIVE_DEPTH_MAX; read_bytes * depth <= DRIVE_IN_FLIGHT_MAX
    ReadBackend backend;
    bool is_sequential;
    bool is_listed; // the field's list, again and again; read_bytes holds each of them
} DriveShape;

/*
 * Reads for window_ns and until twice the depth has come back, but three times as long at most.
 * The clock starts when the first `depth` reads are back and others fly in their place.
 *
 * *bytes_per_s  0 where the figure would not be the drive's: the file system has no direct reads,
 *               there is no read of that size, or it is more than DRIVE_BELIEVED_MAX
 *
 * READ: a read failed. FILE_CHANGED: a file ends early. On failure the output is unchanged.
 */
CHECKED bool measure_drive_window(DriveField *field, const DriveShape *shape, uint64_t window_ns,
    double *bytes_per_s, Error *err);

#endif

/* Files from end to end, past the page cache and at the full depth of the drive. */
#ifndef HYPURA_STORE_SCAN_H
#define HYPURA_STORE_SCAN_H

#include "sys/read.h"

#define SCAN_PIECE_BYTES (1u << 20)

typedef struct ScanPiece {
    uint32_t file;
    uint64_t offset_bytes; // a multiple of SCAN_PIECE_BYTES
    const uint8_t *data;   // borrowed for the call
    uint64_t n_bytes;      // SCAN_PIECE_BYTES, or up to the end of the file
} ScanPiece;

typedef struct ScanOptions {
    const File *files;
    uint32_t n_files;
    ReadBackend backend;
    DirectMode direct;
    struct ReadSim *sim; // READ_SIM only
    // Takes each piece once, in order. False: the scan ends with the error that it has set.
    bool (*take)(void *context, const ScanPiece *piece, Error *err);
    void *context;
} ScanOptions;

/* READ: a read failed after its retries. FILE_CHANGED: a file was written to meanwhile. Waits for
 * all reads before it returns. */
CHECKED bool scan_files(const ScanOptions *options, Error *err);

#endif

/* Recording a run: what its experts' cache was asked for, every read of the drive, and when the
 * caller waited. Records go through a buffer of fixed size into a file that was opened before
 * rights were given up. A full disk ends the recording with one line, never the run.
 *
 * The file: a header, n_layers times uint64_t (bytes of an expert of that layer), then records to
 * its end, all in the byte order of the machine. */
#ifndef HYPURA_STORE_TRACE_RECORD_H
#define HYPURA_STORE_TRACE_RECORD_H

#include "base/mem.h"

#define RECORD_MAGIC   "HYPTRACE"
#define RECORD_VERSION 1u
#define RECORD_LANES   64 // reads in flight at most: MOVER_DEPTH

typedef enum RecordKind {
    RECORD_USE = 1, // of an expert: lane is its layer, number the expert
    RECORD_READ,    // a request, from its submission to its completion: lane is its place in flight
    RECORD_STALL,   // the caller waited for the drive
    RECORD_LAYER,   // experts of a layer, from the router's word to the last one: lane is the layer
    RECORD_PASS,
    RECORD_KINDS
} RecordKind;

/* `detail` of a use. */
#define RECORD_HIT    0u
#define RECORD_MISS   1u
#define RECORD_LOAD   2u // on its way in the first filling: counts as a hit
#define RECORD_PROMPT 4u // added to one of these: the call had more than one row

typedef struct Record {
    uint8_t kind;   // RecordKind
    uint8_t detail; // of a read: its MovePurpose (slot.h)
    uint16_t lane;
    uint32_t number;
    uint64_t begin_ns; // monotonic clock; the same for all uses of a call
    uint64_t duration_ns;
    uint64_t n_bytes;
} Record;

typedef struct RecordHeader {
    char magic[8];
    uint32_t version, record_bytes;
    uint32_t n_layers, n_expert;
} RecordHeader;

typedef struct Recorder {
    Record *buffer;                  // owned
    uint32_t n;                      // in the buffer
    uint64_t begin_ns[RECORD_LANES]; // of the reads in flight, for the mover
    int fd;
    bool is_open;
    char *path; // owned, for the message
} Recorder;

/* Creates or empties the file. WRITE: it can't be opened. A zeroed recorder records nothing. */
CHECKED bool recorder_open(Recorder *recorder, const char *path, const uint64_t *expert_bytes,
    uint32_t n_layers, uint32_t n_expert, Error *err);

/* Does nothing without a file. May write, so it is not called while the drive waits for work. */
void recorder_add(Recorder *recorder, Record record);

void recorder_close(Recorder *recorder);

#endif

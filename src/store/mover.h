/* The mover fills slots: it cuts blocks into requests, keeps the drive busy with them in
 * order of urgency, and believes no completion before it has checked its length, slot and
 * generation. What can be tried again is tried again, a stated number of times.
 *
 * It has no thread: requests move when its owner calls (docs/adr/0004). Nothing here
 * allocates after mover_init. */
#ifndef HYPURA_STORE_MOVER_H
#define HYPURA_STORE_MOVER_H

#include "store/sidecar.h"
#include "store/slot_queue.h"
#include "store/sources.h"
#include "store/trace_record.h"
#include "sys/read.h"

#define MOVER_DEPTH             64         // requests in flight
#define MOVER_REQUEST_BYTES     (4u << 20) // the most of one request
#define MOVER_LOAD_BYTES        (8u << 20) // of MOVE_LOAD in flight: a demand waits for few others
#define MOVER_GUESS_BYTES       (1u << 20) // of MOVE_GUESS in flight, and the most of one request
#define MOVER_GUESS_DEPTH       4          // requests of MOVE_GUESS in flight
#define MOVER_FAILURES_MAX      3          // retries of a request that failed or got nowhere
#define MOVER_INTERRUPTIONS_MAX 64         // retries of a request that the kernel put off

/* read = missed + load + padding + wasted + unsettled + again, at every moment. */
typedef struct MoverCounters {
    uint64_t read_bytes;      // moved by the drive
    uint64_t missed_bytes;    // payload of MOVE_DEMAND, and of MOVE_AHEAD when it was taken
    uint64_t demand_bytes;    // of these, of MOVE_DEMAND: nobody knew before
    uint64_t load_bytes;      // payload of MOVE_LOAD and MOVE_GUESS
    uint64_t padding_bytes;   // widening to the alignment
    uint64_t wasted_bytes;    // payload that nobody took
    uint64_t unsettled_bytes; // payload that is there and not yet one of these
    uint64_t again_bytes;     // moved for nothing by requests that were tried again or failed
    uint64_t checked_bytes;   // held against checksums, and right
    uint64_t n_retries;
    uint64_t n_strays; // completions of no request in flight: duplicates; dropped
    uint64_t stall_ns; // in mover_wait
    // Spells in which the drive had work all along and somebody waited for their end: the rate
    // that it gave when it was needed. A spell that ended unseen is not counted.
    uint64_t busy_ns, busy_bytes;
    uint64_t n_requests;
    uint64_t depth_sum; // over all requests: how many were in flight, itself included
} MoverCounters;

/* A part of a slot's read: one request, and what has become of it. */
typedef struct Transfer {
    Slot *slot; // NULL: the transfer is not in use
    uint8_t *data;
    uint64_t offset_bytes;
    uint32_t file;
    uint32_t source;       // the copy that it is read from
    uint32_t n_bytes;      // aligned
    uint32_t needed_bytes; // up to the end of the payload; the rest may be past the file's end
    uint32_t payload_bytes;
    uint32_t done_bytes;  // landed by earlier submissions, aligned
    uint64_t moved_bytes; // by all submissions
    uint32_t generation;  // of the slot
    uint32_t serial;      // of the last submission; a completion with another one is a stray
    uint32_t n_failures, n_interruptions;
    MovePurpose queue; // it came from: what it counts towards while in flight
    bool is_in_flight; // else it waits to be submitted again
    bool was_damaged;  // it has differed from its checksums once
} Transfer;

/* Requests in flight, and what they were asked for. */
typedef struct MoverLoad {
    uint32_t n_requests;
    uint64_t n_bytes;
} MoverLoad;

typedef struct Mover {
    Reader *reader;    // owned
    const File *files; // [sources.n][n_files], borrowed
    uint32_t n_files;  // of one copy
    Sources sources;
    uint32_t alignment;
    SlotQueue queues[MOVE_PURPOSES]; // slots with requests still to be made
    Transfer transfers[MOVER_DEPTH];
    uint32_t n_in_flight;
    uint32_t n_again; // transfers that wait to be submitted again
    uint32_t serial;
    uint64_t bytes_in_flight;           // asked for; the kernel counts them already
    MoverLoad in_flight[MOVE_PURPOSES]; // the same, by the queue they came from
    uint64_t spell_begin_ns;            // the drive has had work since then; 0: it has none
    uint64_t spell_bytes;               // arrived in the spell so far
    bool is_unchecked;                  // bytes came since the files were last seen to be unchanged
    bool is_broken;                     // the reader failed as a whole: nothing moves any more
    Error broken;                       // why
    Recorder *recorder;                 // borrowed; NULL: nothing is recorded
    const Sidecar *sidecar;             // borrowed; NULL: nothing is held against checksums
    MoverCounters counters;
} Mover;

/* Makes the reader. Slots are laid out for `alignment`, which must be the reader's own.
 * options->depth is ignored. On failure nothing is held. */
CHECKED bool mover_init(Mover *mover, const ReaderOptions *options, uint32_t alignment, Error *err);

/* From now on what arrives is held against the checksums of these files, read once more where it
 * differs, and then refused. The alignment is a page's or more. `sidecar` is borrowed. */
void mover_check_sums(Mover *mover, const Sidecar *sidecar);

/* The files are n_copies of the same, one set after the other: reads are shared among them. A copy
 * that fails is dropped with a line, and what it failed to give is read from another one. */
void mover_use_copies(Mover *mover, uint32_t n_copies);

/* Waits for all requests in flight; slots are not touched any more. A zeroed one is fine. */
void mover_destroy(Mover *mover);

/* FREE -> LOADING: the slot will hold these extents, one after the other, each widened to
 * the alignment. `extents` is borrowed for as long as the slot holds them. Nothing moves yet. */
void mover_read(
    Mover *mover, Slot *slot, const Extent *extents, uint32_t n_extents, MovePurpose purpose);

/* Lets a LOADING slot pass all that is not demanded; it still counts under its purpose. */
void mover_hurry(Mover *mover, Slot *slot);

/* LOADING -> DOOMED, or FREE at once when none of its requests is in flight. */
void mover_cancel(Mover *mover, Slot *slot);

/* What landed of a READY slot counts as missed or as wasted from now on (MOVE_AHEAD). */
void mover_settle_missed(Mover *mover, Slot *slot);
void mover_settle_wasted(Mover *mover, Slot *slot);

/* Takes what has completed, without waiting. Slots become READY, or FREE with a failure. */
CHECKED bool mover_poll(Mover *mover, Error *err);

/* Submits what there is room for, in one batch: demands first, then what is streamed ahead, loads,
 * and guesses, which wait until no demand is queued or in flight. */
CHECKED bool mover_submit(Mover *mover, Error *err);

/* Submits, then waits for at least one completion. INTERNAL: nothing is in flight or queued, so
 * that it would wait for ever. */
CHECKED bool mover_wait(Mover *mover, Error *err);

/* Waits until a LOADING slot is READY; false when its read failed for good. */
CHECKED bool mover_await(Mover *mover, Slot *slot, Error *err);

/* FILE_CHANGED: a file was written to since it was opened, so what was read of it may be
 * anything, now and from now on. Looks only if bytes came since the last look. */
CHECKED bool mover_check_files(Mover *mover, Error *err);

/* The error of a slot that is FREE because its read failed; returns false. A file that has
 * changed explains any failure: FILE_CHANGED. */
bool mover_failure(const Mover *mover, const Slot *slot, Error *err);

#endif

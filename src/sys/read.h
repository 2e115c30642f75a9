/* Asynchronous reads of whole aligned ranges. Three backends behind one table: io_uring,
 * threads with pread, and a simulator of drives that misbehave.
 *
 * One thread at a time uses a reader; it may be another one at each call, also with reads
 * in flight. A request's memory belongs to the reader until its completion has been
 * returned, whatever happens; reader_free waits for all of them.
 *
 * The reader does not retry and does not judge: it reports what happened, and the mover
 * (store/mover.c) checks each completion for length, slot and generation. */
#ifndef HYPURA_SYS_READ_H
#define HYPURA_SYS_READ_H

#include "sys/file.h"
#include "sys/pages.h"

typedef struct ReadRequest {
    uint64_t tag;          // comes back with the completion
    uint64_t offset_bytes; // multiple of reader_alignment()
    uint8_t *data;         // aligned likewise
    uint32_t n_bytes;      // likewise; at most to the end of the file's last, cut block
    uint32_t file;         // index into the files given at creation
} ReadRequest;

typedef struct ReadCompletion {
    uint64_t tag;
    int64_t result; // bytes read (short at the end of the file), or -errno
} ReadCompletion;

typedef enum ReadBackend { READ_AUTO, READ_URING, READ_THREADS, READ_SIM } ReadBackend;

typedef struct ReaderOptions {
    ReadBackend backend;
    DirectMode direct;
    uint32_t depth;         // most requests in flight, 1 to 4096
    uint32_t alignment_min; // a power of two, at most 65536; 0: what the files ask for
    const File *files;      // borrowed for the reader's life; at least one
    uint32_t n_files;
    // Where requests will read to; registered where the memory lock limit allows. May be NULL.
    const Pages *buffers;
    uint32_t n_buffers;
    struct ReadSim *sim; // READ_SIM only: sys/read_sim.h
} ReaderOptions;

typedef struct Reader Reader;

/* READ_AUTO and READ_URING take io_uring and, where the kernel refuses (ENOSYS, EPERM,
 * ENOMEM), threads, with one line on stderr; AUTO is silent in a build without liburing.
 * DIRECT_AUTO and DIRECT_ON open the files again with O_DIRECT and try one real read of
 * each; where a file system refuses, reads are buffered and the pages dropped after use,
 * with one line on stderr.
 * FILE_CHANGED: a file is not the one that was opened. */
CHECKED Reader *reader_create(const ReaderOptions *options, Error *err);
void reader_free(Reader *reader);

const char *reader_backend_name(const Reader *reader); // "uring", "threads", "sim"
bool reader_is_direct(const Reader *reader);
/* Of memory, offset and length: a power of two, 512 to 65536. */
uint32_t reader_alignment(const Reader *reader);

/* The alignment that a reader of these files will have, before it exists (STATX_DIOALIGN,
 * else 4096; 4096 with DIRECT_OFF); buffers are laid out by it. A simulated drive may ask
 * for less. */
uint32_t reader_probe_alignment(const File *files, uint32_t n_files, DirectMode direct);

/* Nanoseconds: of the monotonic clock, or of a simulated drive's own time. */
uint64_t reader_now_ns(const Reader *reader);

/* Room for more requests right now. */
uint32_t reader_free_depth(const Reader *reader);

/* Queues n requests (n <= reader_free_depth, asserted) and starts them all at once. RING:
 * the backend broke; the reader is then good for reader_free alone. Fault point FAULT_READ,
 * once per request: that one completes with -EIO. */
CHECKED bool reader_submit(Reader *reader, const ReadRequest *requests, uint32_t n, Error *err);

/* Takes up to n_max completions in any order. Waits until there is at least one when
 * `wait`, and returns 0 only if nothing is in flight; without `wait` it never blocks.
 * `n` gets the number of completions; false (RING) only when the backend itself broke. */
typedef enum ReadWait { READ_POLL, READ_WAIT } ReadWait;
CHECKED bool reader_reap(
    Reader *reader, ReadWait wait, ReadCompletion *out, uint32_t n_max, uint32_t *n, Error *err);

#endif

/* What files of this folder share and others must not see. */
#ifndef HYPURA_SYS_INTERNAL_H
#define HYPURA_SYS_INTERNAL_H

#include "sys/read.h"

/* All that a backend starts from. Borrowed for the backend's life, but for `probe`. */
typedef struct ReadPlan {
    const ReaderOptions *options;
    const int *fds; // [options->n_files]; O_DIRECT when is_direct
    bool is_direct;
    uint32_t alignment;
    const Pages *probe; // memory for a test read of `alignment` bytes, during create only
} ReadPlan;

/*
 * create  NULL: failed. *refusal is then what the kernel said (an errno) where another
 *         backend should be tried, and 0 where the failure is final; `err` is filled.
 * free    waits for everything in flight
 * submit  at most depth - in_flight requests, each checked by read.c
 * reap    as reader_reap; `n` is 0 on entry
 */
typedef struct ReadBackendTable {
    const char *name;
    void *(*create)(const ReadPlan *plan, int *refusal, Error *err);
    void (*free)(void *state);
    bool (*submit)(void *state, const ReadRequest *requests, uint32_t n, Error *err);
    bool (*reap)(
        void *state, ReadWait wait, ReadCompletion *out, uint32_t n_max, uint32_t *n, Error *err);
    uint32_t (*in_flight)(const void *state);
    uint64_t (*now_ns)(const void *state); // NULL: the monotonic clock
} ReadBackendTable;

extern const ReadBackendTable read_uring;
extern const ReadBackendTable read_threads;
extern const ReadBackendTable read_sim;

/* Drops the pages that a buffered read of this range left in the page cache; those that
 * begin or end outside of it too. (file.c) */
void file_drop_cached(int fd, uint64_t offset_bytes, uint64_t n_bytes);

/* The two halves of sandbox_enter. `abi` is 0 and `is_on` false where the kernel lacks them. */
CHECKED bool landlock_enter(
    const char *const *write_paths, uint32_t n_write_paths, int *abi, Error *err);
CHECKED bool seccomp_enter(bool writes, bool *is_on, Error *err);
/* The half of sandbox_end_writing that holds for all threads. */
CHECKED bool seccomp_end_writing(bool *is_on, Error *err);

/* cpu_usable_threads and cpu_usable_cores with a folder in front of every path of /proc and
 * /sys; "" is the machine. */
uint32_t cpu_usable_threads_below(const char *root);
uint32_t cpu_usable_cores_below(const char *root);

/* open(2) for reading, without letting the file's access time be written where we may ask for
 * that (its owner may, and root): a run that only reads must not send a single byte to the
 * drive. -1 and errno as open. */
int file_open_untouched(const char *path, int flags);

/* The same inode once more, with O_DIRECT. By its path only where there is no /proc, and then
 * it may be another file by now: file_check_unchanged tells. -1 and errno: refused. */
int file_open_direct(const File *file);

/* What a failed open is: FILE_LIMIT where the process or the machine has too many open. */
ErrorId file_open_error(int error);

#endif

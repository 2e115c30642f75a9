/* A child process that does a part of the work under limits of its own: rights that it gives up,
 * memory that counts for it alone. Parent and child talk through two pipes; nothing else is
 * shared. Started by a process without threads. */
#ifndef HYPURA_SYS_FORK_H
#define HYPURA_SYS_FORK_H

#include "base/error.h"

/* One end of the talk. A zeroed one talks to nobody. */
typedef struct Talk {
    int in, out; // descriptors, owned; 0: none
} Talk;

typedef struct Child {
    Talk talk; // the parent's end
    int pid;   // 0: none
} Child;

/* Runs in the child, whose exit status it returns. Buffered output of the parent's is not the
 * child's to write: it ends without flushing. */
typedef int ChildMain(void *context, Talk *talk);

/* THREAD: the system has no process to give. `context` is the child's own copy. */
CHECKED bool child_start(Child *child, ChildMain *run, void *context, Error *err);

/* Closes the talk and waits for the child's end; its exit status, 128 + n after a signal. A
 * zeroed one is fine: 0. */
int child_end(Child *child);

/* The whole of it, or false: the other side is gone, or a signal asked to end. */
CHECKED bool talk_send(const Talk *talk, const void *data, size_t n_bytes);
CHECKED bool talk_receive(const Talk *talk, void *data, size_t n_bytes);

#endif

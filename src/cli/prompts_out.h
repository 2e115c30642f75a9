/* OUT of --prompts: a result a line, in the order of the input. It only grows, a whole line at a
 * time, so that after any end (an interrupt, a full disk, a power cut) a next run goes on behind
 * the last whole line. A file with other results than those of its input is never touched. */
#ifndef HYPURA_CLI_PROMPTS_OUT_H
#define HYPURA_CLI_PROMPTS_OUT_H

#include "cli/prompts_in.h"

typedef struct PromptsOut {
    const char *name; // for messages; borrowed
    int fd;           // -1: none
    bool is_file;     // a regular one, which can be read and cut; else it only takes
    bool is_new;      // was not there before
    uint32_t n_lines; // that it holds, whole
    uint64_t n_bytes; // of these
    uint64_t n_added_bytes;
} PromptsOut;

/* Opens, and makes, the file; "-" is standard output. USAGE: it cannot be, it holds a model, or
 * another run writes it. On failure nothing is held. */
CHECKED bool prompts_out_open(PromptsOut *out, const char *path, Error *err);

/* Counts the results that are there already, and cuts off what is behind the last whole line.
 * USAGE, and all is as it was: one of them is not that of the input's line. */
CHECKED bool prompts_out_resume(PromptsOut *out, const PromptsIn *in, Error *err);

/* Appends a result. DISK_FULL, OUTPUT or OUT_OF_MEMORY: the file ends with the last whole line. */
CHECKED bool prompts_out_add(PromptsOut *out, const Json *result, Error *err);

/* `keeps` false: a file that this run made and that holds nothing is removed. */
void prompts_out_close(PromptsOut *out, bool keeps);

#endif

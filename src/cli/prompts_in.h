/* FILE of --prompts: a JSON object a line, {"id": any, "prompt": "…"} and what a line may say of
 * its own (docs/cli.md, "Many prompts"). A line that cannot be used is no reason to stop: its
 * error is its result. */
#ifndef HYPURA_CLI_PROMPTS_IN_H
#define HYPURA_CLI_PROMPTS_IN_H

#include "base/json.h"
#include "cli/input.h"
#include "hypura/hypura.h"

typedef struct PromptsLine {
    StringView text;
    uint32_t number; // from 1, blank lines counted
} PromptsLine;

typedef struct PromptsIn {
    const char *name; // for messages; borrowed
    Text text;
    PromptsLine *lines; // that are not blank; owned
    uint32_t n_lines;
} PromptsIn;

/* Path "-": standard input. On failure nothing is held. */
CHECKED bool prompts_in_read(PromptsIn *in, const char *path, Error *err);
void prompts_in_destroy(PromptsIn *in); // a zeroed one is fine

/* What a line asks for; prompts_task_destroy ends it. */
typedef struct PromptsTask {
    Json *line;           // owned; NULL: it is no JSON
    const Json *id;       // of it; NULL: it has none
    StringView prompt;    // of it
    const Json *stop;     // of it: a text or a list of texts, none empty; NULL: none
    int64_t n_tokens_max; // -1: to the end of the answer or of the context
    hypura_sampling sampling;
} PromptsTask;

/* `defaults` holds what the command says. On failure `err` is USAGE or OUT_OF_MEMORY, and `out`
 * has the id, where it can be read. */
CHECKED bool prompts_task_parse(
    PromptsTask *out, const PromptsLine *line, const PromptsTask *defaults, Error *err);
void prompts_task_destroy(PromptsTask *task);

#endif

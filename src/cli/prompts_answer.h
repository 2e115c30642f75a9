/* The answer to one line of --prompts as it grows: tokens to text, to where it ends, to the line
 * that says so. */
#ifndef HYPURA_CLI_PROMPTS_ANSWER_H
#define HYPURA_CLI_PROMPTS_ANSWER_H

#include "cli/prompts_in.h"
#include "cli/statistics.h"

typedef struct PromptsAnswer {
    uint32_t line;    // index into the input
    PromptsTask task; // owned
    int32_t *ids;     // of the prompt; hypura_free
    size_t n_ids;
    uint64_t n_tokens, n_tokens_max; // so far, and at most
    hypura_text_stream *stream;
    Text text; // owned, not NUL-terminated
    size_t text_capacity;
    bool has_ended;
    Finish finish;
} PromptsAnswer;

/* Takes over the task, of line `line`, whatever comes of it. USAGE or CONTEXT_FULL: the prompt
 * cannot be answered within a context of n_ctx. It may have ended already (no token is wanted). */
CHECKED bool prompts_answer_begin(PromptsAnswer *answer, const hypura_model *model, uint32_t n_ctx,
    uint32_t line, PromptsTask task, hypura_error *err);

/* The next token. It ends the answer when it ends generation, when a text of `stop` is there, or
 * when it is the last that is wanted. */
CHECKED bool prompts_answer_take(
    PromptsAnswer *answer, const hypura_model *model, int32_t token, hypura_error *err);

/* {"id", "text", "prompt_tokens", "generated_tokens", "finish"} of an answer that has ended. */
Json *prompts_answer_json(const PromptsAnswer *answer);
/* {"id", "line", "error": {"id", "message"}}. */
Json *prompts_error_json(const Json *id, uint32_t line_number, const hypura_error *err);

void prompts_answer_destroy(PromptsAnswer *answer); // a zeroed one is fine

/* Where the first of the stop texts begins that ends behind `from`; n_bytes: none does. */
size_t prompts_find_stop(StringView text, size_t from, const Json *stop);

#endif

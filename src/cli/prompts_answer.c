/* A stop text may lie across tokens: with each new piece of text, the search begins so far back
 * that one which ends in it is found. What is held back of a character counts as text when the
 * answer ends by itself, as in a run alone. */
#include "cli/prompts_answer.h"

#include <stdio.h>

#include "base/mem.h"
#include "cli/report.h"

/* False: the prompt leaves no room. */
static bool choose_length(PromptsAnswer *answer, uint32_t n_ctx, Error *err)
{
    int64_t n_wanted = answer->task.n_tokens_max;

    if (answer->n_ids == 0) return error_set(err, ERROR_USAGE, "the prompt is empty");
    if (answer->n_ids >= n_ctx)
        return error_set(err, ERROR_CONTEXT_FULL,
            "the prompt has %zu tokens, the context room for %u", answer->n_ids, n_ctx);
    answer->n_tokens_max = n_ctx - answer->n_ids;
    if (n_wanted >= 0 && (uint64_t)n_wanted < answer->n_tokens_max)
        answer->n_tokens_max = (uint64_t)n_wanted;
    return true;
}

static void end(PromptsAnswer *answer, Finish finish)
{
    answer->has_ended = true;
    answer->finish = finish;
}

bool prompts_answer_begin(PromptsAnswer *answer, const hypura_model *model, uint32_t n_ctx,
    uint32_t line, PromptsTask task, hypura_error *err)
{
    Error e = {0};

    *answer = (PromptsAnswer){.line = line, .task = task};
    if (!hypura_tokenize(model, task.prompt.data, task.prompt.n_bytes, true, true, &answer->ids,
            &answer->n_ids, err))
        return false;
    if (!choose_length(answer, n_ctx, &e)) {
        report_to_api(err, &e);
        return false;
    }
    if (answer->n_tokens_max == 0) end(answer, FINISH_LENGTH);
    answer->stream = hypura_text_stream_create(model, err);
    return answer->stream != NULL;
}

void prompts_answer_destroy(PromptsAnswer *answer)
{
    prompts_task_destroy(&answer->task);
    hypura_text_stream_free(answer->stream);
    hypura_free(answer->ids);
    input_free(&answer->text);
    *answer = (PromptsAnswer){0};
}

static bool append(PromptsAnswer *answer, const char *text, size_t n_bytes, hypura_error *err)
{
    Text *all = &answer->text;
    Error e = {0};

    if (answer->text_capacity - all->n_bytes < n_bytes) {
        size_t capacity = 2 * (all->n_bytes + n_bytes);
        char *data = mem_resize(MEM_OTHER, all->data, capacity, &e);
        if (!data) {
            report_to_api(err, &e);
            return false;
        }
        all->data = data;
        answer->text_capacity = capacity;
    }
    if (n_bytes > 0) memcpy(all->data + all->n_bytes, text, n_bytes);
    all->n_bytes += n_bytes;
    return true;
}

/* The first place of `what` that ends behind `from`; n_bytes: none. */
static size_t find_text(StringView text, size_t from, StringView what)
{
    size_t begin = from >= what.n_bytes ? from - what.n_bytes + 1 : 0;

    for (size_t i = begin; i + what.n_bytes <= text.n_bytes; i++)
        if (memcmp(text.data + i, what.data, what.n_bytes) == 0) return i;
    return text.n_bytes;
}

size_t prompts_find_stop(StringView text, size_t from, const Json *stop)
{
    size_t first = text.n_bytes;

    if (json_is_text(stop)) return find_text(text, from, json_get_text(stop));
    for (size_t i = 0; i < json_count(stop); i++) {
        size_t found = find_text(text, from, json_get_text(json_at(stop, i)));
        if (found < first) first = found;
    }
    return first;
}

/* Appends, and ends the answer in front of a stop text. */
static bool add_text(PromptsAnswer *answer, const char *text, size_t n_bytes, hypura_error *err)
{
    size_t n_before = answer->text.n_bytes;

    if (!append(answer, text, n_bytes, err)) return false;
    StringView all = {answer->text.data, answer->text.n_bytes};
    answer->text.n_bytes = prompts_find_stop(all, n_before, answer->task.stop);
    if (answer->text.n_bytes < all.n_bytes) end(answer, FINISH_STOP);
    return true;
}

bool prompts_answer_take(
    PromptsAnswer *answer, const hypura_model *model, int32_t token, hypura_error *err)
{
    const char *text = NULL;
    size_t n_bytes = 0;

    if (hypura_ends_generation(model, token)) {
        end(answer, FINISH_STOP);
    } else {
        answer->n_tokens++;
        if (!hypura_text_stream_token(answer->stream, token, &text, &n_bytes, err)
            || !add_text(answer, text, n_bytes, err))
            return false;
        if (answer->has_ended) return true;
        if (answer->n_tokens == answer->n_tokens_max) end(answer, FINISH_LENGTH);
    }
    if (!answer->has_ended) return true;
    return hypura_text_stream_end(answer->stream, &text, &n_bytes, err)
           && add_text(answer, text, n_bytes, err);
}

Json *prompts_answer_json(const PromptsAnswer *answer)
{
    Json *out = json_object();

    json_set(out, "id", json_share(answer->task.id));
    json_set_text(out, "text", (StringView){answer->text.data, answer->text.n_bytes});
    json_set_u64(out, "prompt_tokens", answer->n_ids);
    json_set_u64(out, "generated_tokens", answer->n_tokens);
    json_set_text(out, "finish", view_of(statistics_finish_name(answer->finish)));
    return out;
}

Json *prompts_error_json(const Json *id, uint32_t line_number, const hypura_error *err)
{
    Json *out = json_object(), *error = json_object();
    char number[16];

    snprintf(number, sizeof number, "E%04d", err->number);
    json_set_text(error, "id", view_of(number));
    json_set_text(error, "message", view_of(err->message));
    json_set(out, "id", json_share(id));
    json_set_u64(out, "line", line_number);
    json_set(out, "error", error);
    return out;
}

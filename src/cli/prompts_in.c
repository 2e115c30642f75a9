/* Lines are found once and parsed each time they are needed, so that what is held is the text
 * alone. Unknown members are ignored, null is as absent. */
#include "cli/prompts_in.h"

#include "base/mem.h"

static bool is_blank(StringView text)
{
    for (size_t i = 0; i < text.n_bytes; i++)
        if (text.data[i] != ' ' && text.data[i] != '\t' && text.data[i] != '\r') return false;
    return true;
}

/* Cuts the first line off `rest`, its end dropped. */
static StringView take_line(StringView *rest)
{
    const char *end = memchr(rest->data, '\n', rest->n_bytes);
    StringView line = {rest->data, end ? (size_t)(end - rest->data) : rest->n_bytes};
    size_t n_taken = end ? line.n_bytes + 1 : line.n_bytes;

    *rest = (StringView){rest->data + n_taken, rest->n_bytes - n_taken};
    return line;
}

/* Counts the lines that are not blank and, where there is room, notes them. */
static uint32_t find_lines(const PromptsIn *in, PromptsLine *lines)
{
    StringView rest = {in->text.data, in->text.n_bytes};
    uint32_t n = 0;

    for (uint32_t number = 1; rest.n_bytes > 0; number++) {
        StringView text = take_line(&rest);
        if (is_blank(text)) continue;
        if (lines) lines[n] = (PromptsLine){.text = text, .number = number};
        n++;
    }
    return n;
}

bool prompts_in_read(PromptsIn *in, const char *path, Error *err)
{
    *in = (PromptsIn){.name = strcmp(path, "-") == 0 ? "standard input" : path};
    if (!input_read(path, &in->text, err)) return false;
    in->n_lines = find_lines(in, NULL);
    in->lines = mem_alloc_array(MEM_OTHER, in->n_lines, sizeof *in->lines, err);
    if (!in->lines) {
        prompts_in_destroy(in);
        return false;
    }
    find_lines(in, in->lines);
    return true;
}

void prompts_in_destroy(PromptsIn *in)
{
    mem_free(MEM_OTHER, in->lines);
    input_free(&in->text);
    *in = (PromptsIn){0};
}

/* NULL: the line says nothing about it. */
static const Json *find_member(const PromptsTask *task, const char *key)
{
    const Json *value = json_get(task->line, key);

    return json_is_null(value) ? NULL : value;
}

static bool read_prompt(PromptsTask *task, Error *err)
{
    const Json *value = find_member(task, "prompt");

    if (!value) return error_set(err, ERROR_USAGE, "'prompt' is missing");
    if (!json_is_text(value)) return error_set(err, ERROR_USAGE, "'prompt' is not a text");
    task->prompt = json_get_text(value);
    return true;
}

static bool read_n(PromptsTask *task, Error *err)
{
    const Json *value = find_member(task, "n");

    if (!value) return true;
    int64_t n = json_get_i64(value, INT64_MIN);
    if (n < -1) return error_set(err, ERROR_USAGE, "'n' is not a number of tokens, or -1");
    task->n_tokens_max = n;
    return true;
}

static bool read_seed(PromptsTask *task, Error *err)
{
    const Json *value = find_member(task, "seed");

    if (!value) return true;
    int64_t seed = json_get_i64(value, INT64_MIN);
    if (seed < -1) return error_set(err, ERROR_USAGE, "'seed' is not a whole number from 0 on");
    if (seed >= 0) task->sampling.seed = (uint64_t)seed; // -1: as on the command line, not given
    return true;
}

static bool read_temperature(PromptsTask *task, Error *err)
{
    const Json *value = find_member(task, "temp");

    if (!value) return true;
    double temperature = json_get_number(value, 1e9);
    if (!(temperature >= -1000 && temperature <= 1000))
        return error_set(err, ERROR_USAGE, "'temp' is not a number from -1000 to 1000");
    task->sampling.temperature = (float)temperature;
    return true;
}

static bool is_stop_text(const Json *value)
{
    return json_is_text(value) && json_get_text(value).n_bytes > 0;
}

static bool read_stop(PromptsTask *task, Error *err)
{
    const Json *value = find_member(task, "stop");
    bool ok = !value || is_stop_text(value) || json_is_list(value);

    for (size_t i = 0; i < json_count(value); i++) ok = ok && is_stop_text(json_at(value, i));
    if (!ok)
        return error_set(
            err, ERROR_USAGE, "'stop' is neither a text nor a list of texts, or one is empty");
    task->stop = value;
    return true;
}

bool prompts_task_parse(
    PromptsTask *out, const PromptsLine *line, const PromptsTask *defaults, Error *err)
{
    *out = (PromptsTask){.n_tokens_max = defaults->n_tokens_max, .sampling = defaults->sampling};
    out->line = json_parse(line->text, err);
    if (!out->line) return false;
    if (!json_is_object(out->line)) return error_set(err, ERROR_USAGE, "not a JSON object");
    out->id = json_get(out->line, "id");
    return read_prompt(out, err) && read_n(out, err) && read_seed(out, err)
           && read_temperature(out, err) && read_stop(out, err);
}

void prompts_task_destroy(PromptsTask *task)
{
    json_free(task->line);
    *task = (PromptsTask){0};
}

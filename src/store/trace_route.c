/* Routing as text: which experts a model chose, row by row. Traces published for other engines
 * come in this form; it has no times and no cache in it.
 *
 *     # model=... n_expert=128
 *     # expert_bytes=3059712,2654208
 *     phase,token,layer,rank,expert         phase 0: prompt, 1: decode
 *
 * A decode row belongs to the call of its token and layer. The rows of a prompt come layer by
 * layer, as one chunk computes them, and all rows of a layer are one call. */
#include "store/trace.h"

#define FIELDS 5

typedef struct RouteReader {
    Trace *trace;
    StringView rest; // lines not read yet
    uint64_t line;   // of the last one read, from 1
    uint32_t n_expert;
    StringView expert_bytes; // "" until its comment was read
    uint64_t *seen_in;       // [n_expert] the last call that had it, plus 1; owned
    uint32_t phase, token;   // of the last row
} RouteReader;

/* The next line without its end; false: there is none. */
static bool next_line(RouteReader *reader, StringView *line)
{
    StringView rest = reader->rest;
    if (rest.n_bytes == 0) return false;

    const char *end = memchr(rest.data, '\n', rest.n_bytes);
    size_t n_bytes = end ? (size_t)(end - rest.data) : rest.n_bytes;
    size_t n_taken = end ? n_bytes + 1 : n_bytes;
    reader->rest = (StringView){rest.data + n_taken, rest.n_bytes - n_taken};
    if (n_bytes > 0 && rest.data[n_bytes - 1] == '\r') n_bytes--;
    *line = (StringView){rest.data, n_bytes};
    reader->line++;
    return true;
}

/* A decimal number up to `max` at the front of the text, taken off it. */
static bool take_number(StringView *text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < text->n_bytes && text->data[i] >= '0' && text->data[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(text->data[i] - '0');
        if (value > (max - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (i == 0) return false;
    *text = (StringView){text->data + i, text->n_bytes - i};
    *out = value;
    return true;
}

static bool take_comma(StringView *text)
{
    if (text->n_bytes == 0 || text->data[0] != ',') return false;
    *text = (StringView){text->data + 1, text->n_bytes - 1};
    return true;
}

/* What follows "key=" in a comment, up to the next blank; "" where it is not there. */
static StringView find_value(StringView line, const char *key)
{
    size_t n_key = strlen(key);

    for (size_t i = 1; i + n_key < line.n_bytes; i++) {
        if (line.data[i - 1] != ' ' && line.data[i - 1] != '#') continue;
        if (memcmp(line.data + i, key, n_key) != 0 || line.data[i + n_key] != '=') continue;
        StringView value = {line.data + i + n_key + 1, line.n_bytes - i - n_key - 1};
        const char *blank = memchr(value.data, ' ', value.n_bytes);
        if (blank) value.n_bytes = (size_t)(blank - value.data);
        return value;
    }
    return (StringView){0};
}

static bool read_comment(RouteReader *reader, StringView line, Error *err)
{
    StringView bytes = find_value(line, "expert_bytes"), experts = find_value(line, "n_expert");
    uint64_t n_expert;

    if (bytes.n_bytes > 0) reader->expert_bytes = bytes;
    if (experts.n_bytes == 0) return true;
    if (!take_number(&experts, TRACE_BLOCKS_MAX, &n_expert) || experts.n_bytes > 0)
        return error_set(
            err, ERROR_FORMAT_VALUE, "n_expert is not a number up to %u", TRACE_BLOCKS_MAX);
    reader->n_expert = (uint32_t)n_expert;
    return true;
}

/* The first row has come, so all that comments say is known. */
static bool begin_rows(RouteReader *reader, Error *err)
{
    StringView list = reader->expert_bytes;
    uint32_t n_layers = 1;

    if (reader->n_expert == 0 || list.n_bytes == 0)
        return error_set(err, ERROR_FORMAT_VALUE,
            "a row comes before '# n_expert=' and '# expert_bytes=' were read");
    for (size_t i = 0; i < list.n_bytes; i++) n_layers += list.data[i] == ',';
    if (!trace_init(reader->trace, n_layers, reader->n_expert, err)) return false;
    for (uint32_t i = 0; i < n_layers; i++) {
        uint64_t *n_bytes = &reader->trace->expert_bytes[i];
        bool ok = (i == 0 || take_comma(&list))
                  && take_number(&list, TRACE_EXPERT_BYTES_MAX, n_bytes) && *n_bytes > 0;
        if (!ok)
            return error_set(err, ERROR_FORMAT_VALUE, "expert_bytes: of layer %u: not a size", i);
    }
    if (list.n_bytes > 0) return error_set(err, ERROR_FORMAT_VALUE, "expert_bytes: not a list");
    reader->seen_in = mem_alloc_array(MEM_OTHER, reader->n_expert, sizeof(uint64_t), err);
    return reader->seen_in != NULL;
}

static bool add_row(RouteReader *reader, const uint64_t row[FIELDS], Error *err)
{
    Trace *trace = reader->trace;
    uint32_t phase = (uint32_t)row[0], token = (uint32_t)row[1], layer = (uint32_t)row[2];
    const TraceCall *last = trace->n_calls > 0 ? &trace->calls[trace->n_calls - 1] : NULL;
    bool joins = last && layer == last->layer && phase == reader->phase
                 && (phase == 0 || token == reader->token);

    if (phase > 1 || layer >= trace->n_layers || row[4] >= trace->n_expert)
        return error_set(err, ERROR_FORMAT_VALUE,
            "phase %u, layer %u, expert %u: not below 2, %u, %u", phase, layer, (uint32_t)row[4],
            trace->n_layers, trace->n_expert);
    if (!joins && !trace_add_call(trace, layer, phase == 0, err)) return false;
    reader->phase = phase;
    reader->token = token;
    if (reader->seen_in[row[4]] == trace->n_calls) {
        if (phase == 0) return true; // another row of the chunk chose it too
        return error_set(err, ERROR_FORMAT_VALUE, "expert %u is there twice", (uint32_t)row[4]);
    }
    reader->seen_in[row[4]] = trace->n_calls;
    return trace_add_expert(trace, (uint32_t)row[4], err);
}

static bool read_line(RouteReader *reader, StringView line, Error *err)
{
    uint64_t row[FIELDS];

    if (line.n_bytes == 0) return true;
    if (line.data[0] == '#') return read_comment(reader, line, err);
    if (!reader->seen_in && !begin_rows(reader, err)) return false;
    for (size_t i = 0; i < FIELDS; i++)
        if ((i > 0 && !take_comma(&line)) || !take_number(&line, UINT32_MAX, &row[i]))
            return error_set(
                err, ERROR_FORMAT_VALUE, "not five numbers: phase,token,layer,rank,expert");
    if (line.n_bytes > 0)
        return error_set(err, ERROR_FORMAT_VALUE, "more than phase,token,layer,rank,expert");
    return add_row(reader, row, err);
}

bool trace_read_route(Trace *out, StringView text, Error *err)
{
    RouteReader reader = {.trace = out, .rest = text};
    StringView line;
    bool ok = true;

    *out = (Trace){0};
    while (ok && next_line(&reader, &line)) {
        ok = read_line(&reader, line, err);
        if (!ok) error_at(err, "line %llu", (unsigned long long)reader.line);
    }
    if (ok && out->n_calls == 0) ok = error_set(err, ERROR_FORMAT_VALUE, "no row of routing");
    mem_free(MEM_OTHER, reader.seen_in);
    if (!ok) trace_destroy(out);
    return ok;
}

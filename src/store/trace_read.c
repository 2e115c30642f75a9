/* A recorded run as accesses, and as a timeline. Nothing in the file is believed. */
#include "store/trace_read.h"

#include <inttypes.h>

#include "store/slot.h"

static bool read_header(StringView *data, RecordHeader *header, Error *err)
{
    if (data->n_bytes < sizeof *header)
        return error_set(err, ERROR_FORMAT_TRUNCATED, "shorter than a trace's header");
    memcpy(header, data->data, sizeof *header);
    if (memcmp(header->magic, RECORD_MAGIC, sizeof header->magic) != 0)
        return error_set(err, ERROR_FORMAT_VALUE, "not a trace");
    if (header->version != RECORD_VERSION || header->record_bytes != sizeof(Record))
        return error_set(err, ERROR_FORMAT_VALUE,
            "a trace of version %u with records of %u bytes, not %u and %zu", header->version,
            header->record_bytes, RECORD_VERSION, sizeof(Record));
    if (header->n_layers > TRACE_LAYERS_MAX)
        return error_set(err, ERROR_FORMAT_VALUE, "%u layers", header->n_layers);
    size_t n_bytes = sizeof *header + header->n_layers * sizeof(uint64_t);
    if (data->n_bytes < n_bytes)
        return error_set(err, ERROR_FORMAT_TRUNCATED, "ends within its header");
    *data = (StringView){data->data + sizeof *header, data->n_bytes - sizeof *header};
    return true;
}

bool trace_is_recorded(StringView data)
{
    return view_starts_with(data, RECORD_MAGIC);
}

static bool add_use(Trace *trace, const Record *record, uint64_t *call_ns, Error *err)
{
    const TraceCall *last = trace->n_calls > 0 ? &trace->calls[trace->n_calls - 1] : NULL;
    bool joins = last && last->layer == record->lane && *call_ns == record->begin_ns;

    if (record->lane >= trace->n_layers || record->number >= trace->n_expert)
        return error_set(err, ERROR_FORMAT_VALUE, "layer %u, expert %u: not below %u, %u",
            record->lane, record->number, trace->n_layers, trace->n_expert);
    if (joins && last->n >= trace->n_expert)
        return error_set(err, ERROR_FORMAT_VALUE, "more experts than layer %u has", record->lane);
    if (!joins && !trace_add_call(trace, record->lane, record->detail & RECORD_PROMPT, err))
        return false;
    *call_ns = record->begin_ns;
    return trace_add_expert(trace, record->number, err);
}

/* The record number `index`; a last one that is not whole was being written when the run ended. */
static bool next_record(StringView *data, Record *record)
{
    if (data->n_bytes < sizeof *record) return false;
    memcpy(record, data->data, sizeof *record);
    *data = (StringView){data->data + sizeof *record, data->n_bytes - sizeof *record};
    return true;
}

static bool read_uses(Trace *trace, StringView data, Error *err)
{
    uint64_t call_ns = 0;
    Record record;

    for (uint64_t i = 0; next_record(&data, &record); i++) {
        if (record.kind != RECORD_USE || add_use(trace, &record, &call_ns, err)) continue;
        return error_at(err, "record %" PRIu64, i);
    }
    return trace->n_calls > 0
           || error_set(err, ERROR_FORMAT_VALUE, "no expert was used: there is nothing to replay");
}

bool trace_read_recorded(Trace *out, StringView data, Error *err)
{
    RecordHeader header;

    *out = (Trace){0};
    if (!read_header(&data, &header, err)) return false;
    if (header.n_layers == 0)
        return error_set(err, ERROR_FORMAT_VALUE, "the model has no experts: nothing to replay");
    if (!trace_init(out, header.n_layers, header.n_expert, err)) return false;
    for (uint32_t i = 0; i < header.n_layers; i++) {
        memcpy(&out->expert_bytes[i], data.data + i * sizeof(uint64_t), sizeof(uint64_t));
        if (out->expert_bytes[i] == 0 || out->expert_bytes[i] > TRACE_EXPERT_BYTES_MAX) {
            error_set(err, ERROR_FORMAT_VALUE, "bytes of an expert of layer %u", i);
            goto fail;
        }
    }
    size_t n_sizes = header.n_layers * sizeof(uint64_t);
    if (!read_uses(out, (StringView){data.data + n_sizes, data.n_bytes - n_sizes}, err)) goto fail;
    return true;

fail:
    trace_destroy(out);
    return false;
}

/* ---- timeline ---- */

#define TRACK_PASSES 1u
#define TRACK_LAYERS 2u
#define TRACK_STALLS 3u
#define TRACK_DRIVE  100u // and one for each request in flight

static void write_event(
    FILE *stream, const Record *record, uint64_t zero_ns, const char *name, uint32_t track)
{
    uint64_t begin_ns = record->begin_ns > zero_ns ? record->begin_ns - zero_ns : 0;

    fprintf(stream,
        ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"name\":\"%s\",\"ts\":%.3f,\"dur\":%.3f,"
        "\"args\":{\"bytes\":%" PRIu64 ",\"number\":%u}}",
        track, name, (double)begin_ns / 1e3, (double)record->duration_ns / 1e3, record->n_bytes,
        record->number);
}

static void write_record(FILE *stream, const Record *record, uint64_t zero_ns)
{
    static const char *const purposes[MOVE_PURPOSES] = {[MOVE_DEMAND] = "demand",
        [MOVE_AHEAD] = "ahead",
        [MOVE_LOAD] = "load",
        [MOVE_GUESS] = "guess"};
    const char *purpose = record->detail < MOVE_PURPOSES ? purposes[record->detail] : "read";

    if (record->kind == RECORD_READ)
        write_event(stream, record, zero_ns, purpose, TRACK_DRIVE + record->lane);
    if (record->kind == RECORD_STALL) write_event(stream, record, zero_ns, "stall", TRACK_STALLS);
    if (record->kind == RECORD_LAYER) write_event(stream, record, zero_ns, "experts", TRACK_LAYERS);
    if (record->kind == RECORD_PASS) write_event(stream, record, zero_ns, "pass", TRACK_PASSES);
}

bool trace_write_timeline(StringView data, FILE *stream, Error *err)
{
    static const struct {
        uint32_t track;
        const char *name;
    } tracks[] = {{TRACK_PASSES, "passes"}, {TRACK_LAYERS, "experts: read and computed"},
        {TRACK_STALLS, "stalls"}, {TRACK_DRIVE, "drive"}};
    RecordHeader header;
    Record record;

    if (!read_header(&data, &header, err)) return false;
    size_t n_sizes = header.n_layers * sizeof(uint64_t);
    data = (StringView){data.data + n_sizes, data.n_bytes - n_sizes};
    uint64_t zero_ns = UINT64_MAX;
    for (StringView rest = data; next_record(&rest, &record);)
        if (record.begin_ns < zero_ns) zero_ns = record.begin_ns;

    fprintf(stream,
        "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
        "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"hypura\"}}");
    for (size_t i = 0; i < COUNT(tracks); i++)
        fprintf(stream,
            ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\","
            "\"args\":{\"name\":\"%s\"}}",
            tracks[i].track, tracks[i].name);
    while (next_record(&data, &record)) write_record(stream, &record, zero_ns);
    fprintf(stream, "\n]}\n");
    return fflush(stream) == 0 || error_set(err, ERROR_OUTPUT, "the timeline cannot be written");
}

/* store/trace_read - a recorded run as accesses, and as a timeline */
#include "store/trace_read.h"

#include "base/json.h"
#include "harness.h"

/* A file in memory: header, sizes, records. */
typedef struct Image {
    RecordHeader header;
    uint64_t expert_bytes[2];
    Record records[8];
} Image;

static const Image whole = {
    .header = {.magic = RECORD_MAGIC,
        .version = RECORD_VERSION,
        .record_bytes = sizeof(Record),
        .n_layers = 2,
        .n_expert = 8},
    .expert_bytes = {100, 200},
    .records =
        {
            {.kind = RECORD_USE,
                .detail = RECORD_MISS | RECORD_PROMPT,
                .number = 1,
                .begin_ns = 5000},
            {.kind = RECORD_USE,
                .detail = RECORD_MISS | RECORD_PROMPT,
                .number = 2,
                .begin_ns = 5000},
            {.kind = RECORD_READ, .lane = 3, .begin_ns = 5100, .duration_ns = 700, .n_bytes = 100},
            {.kind = RECORD_USE, .detail = RECORD_HIT, .lane = 1, .number = 7, .begin_ns = 6000},
            {.kind = RECORD_STALL, .begin_ns = 6100, .duration_ns = 300},
            {.kind = RECORD_USE, .lane = 1, .number = 6, .begin_ns = 7000},
            {.kind = RECORD_LAYER, .lane = 1, .begin_ns = 7000, .duration_ns = 50},
            {.kind = RECORD_PASS, .begin_ns = 5000, .duration_ns = 2500},
        },
};

static StringView bytes_of(const Image *image)
{
    return (StringView){(const char *)image, sizeof *image};
}

TEST(uses_become_calls)
{
    static const struct {
        uint32_t layer, n, first;
        bool is_prompt, begins_pass;
    } want[] = {{0, 2, 1, true, true}, {1, 1, 7, false, true}, {1, 1, 6, false, true}};
    Trace trace;
    Error err = {0};
    CHECK(trace_is_recorded(bytes_of(&whole)));
    CHECK(trace_read_recorded(&trace, bytes_of(&whole), &err));

    CHECK(trace.n_layers == 2 && trace.n_expert == 8 && trace.expert_bytes[1] == 200);
    CHECK(trace.n_calls == COUNT(want));
    for (size_t i = 0; i < COUNT(want) && i < trace.n_calls; i++) {
        const TraceCall *call = &trace.calls[i];
        CHECK(call->layer == want[i].layer && call->n == want[i].n);
        CHECK(call->is_prompt == want[i].is_prompt && call->begins_pass == want[i].begins_pass);
        CHECK(trace.experts[call->first] == want[i].first);
    }
    trace_destroy(&trace);

    StringView cut = bytes_of(&whole);
    cut.n_bytes -= 3 * sizeof(Record) - 1; // within the last use: a run that was killed
    CHECK(trace_read_recorded(&trace, cut, &err));
    CHECK(trace.n_calls == 2);
    trace_destroy(&trace);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(a_damaged_file_is_refused)
{
    // clang-format off
    static const struct {
        const char *label, *message;
        size_t offset;
        uint8_t byte;
        size_t n_bytes; // 0: all
    } cases[] = {
        {"another magic",     "not a trace",            0,                                       'X', 0},
        {"another version",   "version 9",              offsetof(RecordHeader, version),         9,   0},
        {"other records",     "records of 9 bytes",     offsetof(RecordHeader, record_bytes),    9,   0},
        {"no layers",         "no experts",             offsetof(RecordHeader, n_layers),        0,   0},
        {"no expert",         "2 layers of 0",          offsetof(RecordHeader, n_expert),        0,   0},
        {"many layers",       "layers",                 offsetof(RecordHeader, n_layers) + 3,    9,   0},
        {"a size of 0",       "expert of layer 0",      offsetof(Image, expert_bytes),           0,   0},
        {"no such expert",    "record 0: layer 0, expert 9", offsetof(Image, records) + offsetof(Record, number), 9, 0},
        {"no such layer",     "record 0: layer 9",      offsetof(Image, records) + offsetof(Record, lane), 9, 0},
        {"half a header",     "shorter",                0,                                       'H', 20},
        {"half the sizes",    "within its header",      0,                                       'H', 30},
        {"no records",        "no expert was used",     0,                                       'H', 40},
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(cases); i++) {
        Image image = whole;
        Trace trace;
        Error err = {0};
        ((uint8_t *)&image)[cases[i].offset] = cases[i].byte;
        StringView data = bytes_of(&image);
        if (cases[i].n_bytes > 0) data.n_bytes = cases[i].n_bytes;
        CHECK_CASE(cases[i].label, !trace_read_recorded(&trace, data, &err));
        CHECK_CASE(cases[i].label, strstr(err.message, cases[i].message));
        if (!strstr(err.message, cases[i].message)) printf("    got '%s'\n", err.message);
        CHECK_CASE(cases[i].label, !trace.calls && !trace.expert_bytes);
    }
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(the_timeline_has_a_track_for_each_kind)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    static char text[8192];
    Error err = {0};
    FILE *stream = fmemopen(text, sizeof text, "w");
    CHECK(stream && trace_write_timeline(bytes_of(&whole), stream, &err));
    if (stream) fclose(stream);

    static const struct {
        const char *name;
        int64_t track;
        double begin_us, duration_us;
    } want[] = {{"demand", 103, 0.1, 0.7}, {"stall", 3, 1.1, 0.3}, {"experts", 2, 2.0, 0.05},
        {"pass", 1, 0, 2.5}};
    Json *document = json_parse(view_of(text), &err);
    const Json *events = json_get(document, "traceEvents");
    size_t n_found = 0;
    for (size_t i = 0; i < json_count(events); i++) {
        const Json *event = json_at(events, i);
        for (size_t k = 0; k < COUNT(want); k++) {
            if (!view_is(json_get_text(json_get(event, "name")), want[k].name)) continue;
            n_found++;
            CHECK(json_get_i64(json_get(event, "tid"), 0) == want[k].track);
            CHECK(json_get_number(json_get(event, "ts"), -1) == want[k].begin_us);
            CHECK(json_get_number(json_get(event, "dur"), -1) == want[k].duration_us);
        }
    }
    CHECK(n_found == COUNT(want));
    json_free(document);
}

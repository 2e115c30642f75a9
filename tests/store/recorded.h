/* Routing that real models were recorded with; its figures are in the notes beside it. */
#ifndef HYPURA_TESTS_STORE_RECORDED_H
#define HYPURA_TESTS_STORE_RECORDED_H

#include "harness.h"
#include "store/trace.h"

#define QWEN3   "traces/qwen3-30b-a3b.route.csv"
#define GPT_OSS "traces/gpt-oss-120b.route.csv"

/* False: it is not on this machine. */
static inline bool load_trace(const char *name, Trace *out)
{
    static char text[1 << 20];
    const char *path = harness_shared_path(name);
    Error err = {0};
    FILE *stream = path ? fopen(path, "r") : NULL;
    if (!stream) return false;
    size_t n_bytes = fread(text, 1, sizeof text, stream);
    CHECK(feof(stream));
    fclose(stream);
    CHECK(trace_read_route(out, (StringView){text, n_bytes}, &err));
    return true;
}

#endif

/* Reading what trace_record.h wrote. */
#ifndef HYPURA_STORE_TRACE_READ_H
#define HYPURA_STORE_TRACE_READ_H

#include <stdio.h>

#include "store/trace.h"
#include "store/trace_record.h"

/* Does the file begin as a recorded run? Else it may be routing as text. */
bool trace_is_recorded(StringView data);

/* The uses of experts. FORMAT_VALUE, FORMAT_TRUNCATED, TOO_LARGE: names what is wrong. On failure
 * `out` holds nothing. */
CHECKED bool trace_read_recorded(Trace *out, StringView data, Error *err);

/* Passes, layers, stalls and reads as the JSON that Perfetto and chrome://tracing show. */
CHECKED bool trace_write_timeline(StringView data, FILE *stream, Error *err);

#endif

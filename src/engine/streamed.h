/* What a dense model's passes read of the drive at a budget: so that a ceiling can be taken with
 * the run's own reads, in the run's order. */
#ifndef HYPURA_ENGINE_STREAMED_H
#define HYPURA_ENGINE_STREAMED_H

#include "gguf/gguf.h"
#include "sys/read.h"

/*
 * The reads of one pass, in its order, as a store makes them whose weights may take weights_bytes;
 * tags and memory are not set. *n 0: nothing streams, or it is a mixture, whose reads nobody knows
 * before its routers speak. The caller ends *out with mem_free(MEM_OTHER). BUDGET: no store has so
 * little. On failure the outputs are unchanged.
 */
CHECKED bool streamed_reads(
    const GgufFile *gguf, uint64_t weights_bytes, ReadRequest **out, uint32_t *n, Error *err);

#endif

/* What doctor found, one finding a thing: how it is, what follows, and what to do about it. */
#ifndef HYPURA_CLI_FINDINGS_H
#define HYPURA_CLI_FINDINGS_H

#include <stdio.h>

#include "base/json.h"

#define FINDINGS_MAX       24
#define FINDING_TEXT_BYTES 160

typedef enum FindingState {
    FINDING_GOOD,
    FINDING_LACKS, // something is slower or less safe
    FINDING_FAILS  // essential: exit status 7
} FindingState;

typedef struct Finding {
    const char *name;
    FindingState state;
    char value[FINDING_TEXT_BYTES];
    const char *consequence; // one sentence
    const char *advice;      // what to do; NULL: nothing
} Finding;

typedef struct Findings {
    Finding list[FINDINGS_MAX];
    uint32_t n;
} Findings;

/* Adds one; the value is formatted. */
void findings_add(Findings *findings, const char *name, FindingState state, const char *consequence,
    const char *advice, const char *format, ...) PRINTF(6, 7);

/* How many are of that state. */
uint32_t findings_count(const Findings *findings, FindingState state);

void findings_write_table(FILE *stream, const Findings *findings);
/* {"findings": [{"name", "state", "value", "consequence", "advice"}], "lacks", "fails"} */
Json *findings_to_json(const Findings *findings);

#endif

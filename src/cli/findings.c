/* Both forms say the same. The table keeps a finding to three short lines. */
#include "cli/findings.h"

#include <assert.h>
#include <stdarg.h>

static const char *const state_names[] = {
    [FINDING_GOOD] = "good", [FINDING_LACKS] = "lacks", [FINDING_FAILS] = "fails"};

void findings_add(Findings *findings, const char *name, FindingState state, const char *consequence,
    const char *advice, const char *format, ...)
{
    va_list args;

    assert(findings->n < FINDINGS_MAX);
    Finding *finding = &findings->list[findings->n++];
    *finding =
        (Finding){.name = name, .state = state, .consequence = consequence, .advice = advice};
    va_start(args, format);
    vsnprintf(finding->value, sizeof(finding->value), format, args);
    va_end(args);
}

uint32_t findings_count(const Findings *findings, FindingState state)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < findings->n; i++) n += findings->list[i].state == state;
    return n;
}

void findings_write_table(FILE *stream, const Findings *findings)
{
    for (uint32_t i = 0; i < findings->n; i++) {
        const Finding *finding = &findings->list[i];
        fprintf(stream, "%-15s%-7s%s\n%22s%s\n", finding->name, state_names[finding->state],
            finding->value, "", finding->consequence);
        if (finding->advice) fprintf(stream, "%22stry: %s\n", "", finding->advice);
    }
    fprintf(stream, "\n%u good, %u lacking, %u failing\n", findings_count(findings, FINDING_GOOD),
        findings_count(findings, FINDING_LACKS), findings_count(findings, FINDING_FAILS));
}

Json *findings_to_json(const Findings *findings)
{
    Json *out = json_object(), *list = json_list();

    for (uint32_t i = 0; i < findings->n; i++) {
        const Finding *finding = &findings->list[i];
        Json *item = json_object();
        json_set_text(item, "name", view_of(finding->name));
        json_set_text(item, "state", view_of(state_names[finding->state]));
        json_set_text(item, "value", view_of(finding->value));
        json_set_text(item, "consequence", view_of(finding->consequence));
        json_set(item, "advice", finding->advice ? json_text(view_of(finding->advice)) : NULL);
        json_add(list, item);
    }
    json_set(out, "findings", list);
    json_set_u64(out, "lacks", findings_count(findings, FINDING_LACKS));
    json_set_u64(out, "fails", findings_count(findings, FINDING_FAILS));
    return out;
}

/* `hypura plan`: what to expect of a model within a budget, from its header alone. */
#include "cli/verbs.h"

#include <stdio.h>

#include "base/size.h"
#include "cli/load.h"
#include "cli/plan_json.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/what_if.h"

static void write_tiers(const hypura_plan *plan)
{
    char text[24];

    printf("%-10s %12s %8s\n", "tier", "bytes", "blocks");
    for (uint32_t i = 0; i < plan->n_tiers; i++) {
        const hypura_tier *tier = &plan->tiers[i];
        printf("%-10s %12s %8llu\n", tier->name, size_format(tier->n_bytes, text),
            (unsigned long long)tier->n_blocks);
    }
}

static void write_bytes(const hypura_plan *plan)
{
    const hypura_range *missing = &plan->missing_bytes_per_token;
    char pass[24], expected[24], low[24], high[24];

    printf("\na token touches %s, %s of them not in memory",
        size_format((uint64_t)plan->pass_bytes_per_token, pass),
        size_format((uint64_t)missing->expected, expected));
    if (missing->low < missing->high)
        printf(" (%s to %s)", size_format((uint64_t)missing->low, low),
            size_format((uint64_t)missing->high, high));
    printf("\n\n");
}

/* Three digits that mean something. */
static void write_number(double value)
{
    printf("%10.*f", value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0, value);
}

static void write_row(const char *what, const hypura_range *range)
{
    printf("%-24s", what);
    write_number(range->low);
    write_number(range->expected);
    write_number(range->high);
    putchar('\n');
}

/* Of the prompts that share every pass, what one gets. */
static void write_each(const hypura_plan *plan)
{
    const hypura_range *all = &plan->generate_per_s;
    double n = plan->n_parallel;
    hypura_range each = {all->low / n, all->expected / n, all->high / n};
    char name[32];

    snprintf(name, sizeof name, "  each of %u prompts", plan->n_parallel);
    write_row(name, &each);
}

static void write_bound(const char *name, double per_s)
{
    if (!(per_s > 0)) return; // NAN
    printf("  %s", name);
    write_number(per_s);
}

static void write_assumptions(const hypura_plan *plan)
{
    printf("with a drive of %.2f GB/s%s, memory of %.1f GB/s, products of %.1f GB/s%s\n",
        plan->drive_bytes_per_s / 1e9, plan->drive_is_known ? "" : " (a guess)",
        plan->memory_bytes_per_s / 1e9, plan->compute_bytes_per_s / 1e9,
        plan->compute_is_known ? "" : " (a guess)");
    if (!plan->experts_are_known)
        printf("which experts it will ask for is not known: it has not run here yet\n");
    if (!plan->drive_is_known || !plan->compute_is_known)
        printf("for narrower intervals, run: hypura profile\n");
}

static void write_table(const hypura_plan *plan)
{
    char name[32];

    write_tiers(plan);
    write_bytes(plan);
    printf("%-24s%10s%10s%10s\n", "", "low", "expected", "high");
    snprintf(name, sizeof name, "prompt of %u, 1/s", plan->n_prompt);
    write_row(name, &plan->prompt_per_s);
    write_row("generation, 1/s", &plan->generate_per_s);
    if (plan->n_parallel > 1) write_each(plan);
    write_row("first token, s", &plan->first_token_seconds);
    printf("\nbounds of generation, 1/s:");
    write_bound("drive", plan->bound.drive_per_s);
    write_bound("layers", plan->bound.layers_per_s);
    write_bound("memory", plan->bound.memory_per_s);
    write_bound("compute", plan->bound.compute_per_s);
    printf("; the least is %s\n", plan->bound.name ? plan->bound.name : "unknown");
    write_assumptions(plan);
}

static int write_plan(const Options *options, const hypura_plan *plan)
{
    if (!options->json) {
        write_table(plan);
        return STATUS_OK;
    }
    Json *out = json_object();
    json_set_text(out, "model", view_of(options->model));
    plan_set_json(out, plan);
    return terminal_write_json("plan", out);
}

int verb_plan(const Options *options)
{
    Options wanted = *options; // borrows its lists; --what-if may put other budgets in
    hypura_plan_options ask = HYPURA_PLAN_OPTIONS_INIT;
    hypura_error api_error = {0};
    hypura_plan plan;
    WhatIf what_if;
    Error err = {0};
    int status = STATUS_OK;

    if (!what_if_parse(options->what_if, &what_if, &err)) {
        error_at(&err, "--what-if");
        return report_error("plan", &err);
    }
    if (*what_if.memory) wanted.memory = what_if.memory;
    if (*what_if.weights) wanted.weights = what_if.weights;
    ask.n_prompt = (uint32_t)options->n_prompt.value; // within the option's limits
    ask.n_parallel = (uint32_t)options->n_parallel.value;
    ask.drive_bytes_per_s = what_if.drive_bytes_per_s;
    ask.memory_bytes_per_s = what_if.memory_bytes_per_s;
    ask.compute_bytes_per_s = what_if.compute_bytes_per_s;

    LoadWish wish = {.need = HYPURA_NEED_PLAN, .n_sequences = ask.n_parallel};
    hypura_model *model = load_model(&wanted, wish, &status);
    if (!model) return status;
    if (hypura_model_plan(model, &ask, &plan, &api_error))
        status = write_plan(options, &plan);
    else
        status = report_api_error("plan", &api_error);
    hypura_model_close(model);
    return status;
}

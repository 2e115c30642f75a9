/* The plan: three scenarios (all ceilings low, as expected, high) through one time model.
 *
 *   token  = (attention, routing, head | what streams) + sum of layers max(experts' reads, compute)
 *            (of N prompts that share a pass: N tokens in that time, of the union of their experts)
 *   prompt = sum of chunks (every byte that the chunk needs and memory lacks | compute of its rows)
 *
 * where (a | b) is two things at once (bound.h). Compute is that of the facts, by type and rows,
 * and a fixed time a layer. Guesses are wide on purpose: their interval is the message. */
#include "engine/plan.h"

#include <math.h>

#include "engine/bound.h"
#include "engine/plan_hits.h"

// What waking the workers, norms and the like cost a layer: an estimate from runs on two cores
// (docs/tiers.md).
#define LAYER_SECONDS        6e-6
#define EXPERT_LAYER_SECONDS 12e-6 // routing, three more hand-outs

// A prompt's rows take more than their products: activations to quantise, gates, routing. What that
// is differs most from model to model.
#define PROMPT_ROW_WORK 1.5
#define PROMPT_LOW      0.5

// Where profile never ran. Of one row and one thread; the drive of a plain SATA disk or better.
#define GUESS_DRIVE_BYTES_PER_S   1e9
#define GUESS_MEMORY_BYTES_PER_S  15e9
#define GUESS_COMPUTE_BYTES_PER_S 6e9
#define GUESS_ROW_SHARE           0.3 // a further row of a pass costs that share of the first

/* How far a figure may be off, as factors. */
typedef struct Spread {
    double low, high;
} Spread;

static const Spread drive_guessed = {0.2, 10}, drive_of_facts = {0.6, 1.6},
                    drive_given = {0.87, 1.15};
static const Spread compute_guessed = {0.25, 6}, compute_of_facts = {0.7, 1.3},
                    compute_given = {0.87, 1.15};

typedef enum Scenario { LOW, EXPECTED, HIGH, SCENARIOS } Scenario;

typedef struct Prediction {
    const PlanModel *model;
    const PlanPlaces *places;
    const PlanMachine *machine;
    Spread drive, compute;
    hypura_range hits;
    PlanPopularity popularity;
    double n_rows; // of a pass that generates
} Prediction;

static double of_spread(Spread spread, Scenario scenario)
{
    return scenario == LOW ? spread.low : scenario == HIGH ? spread.high : 1;
}

static double of_range(hypura_range range, Scenario scenario)
{
    return scenario == LOW ? range.low : scenario == HIGH ? range.high : range.expected;
}

static void set_range(hypura_range *range, Scenario scenario, double value)
{
    double *place[] = {&range->low, &range->expected, &range->high};

    *place[scenario] = value;
}

static double sum_of(const double bytes[QUANT_TYPES_END])
{
    double sum = 0;

    for (uint32_t type = 0; type < QUANT_TYPES_END; type++) sum += bytes[type];
    return sum;
}

/* ---- the machine ---- */

static double drive_rate(const Prediction *p, double read_bytes, double depth, Scenario scenario)
{
    const PlanMachine *machine = p->machine;
    double rate = machine->given.drive_bytes_per_s;

    if (rate <= 0 && machine->facts)
        rate = facts_drive(machine->facts, (uint32_t)fmax(read_bytes, 1), (uint32_t)fmax(depth, 1));
    if (rate <= 0) rate = GUESS_DRIVE_BYTES_PER_S;
    return rate * of_spread(p->drive, scenario) / fmax(p->places->widening, 1);
}

static double memory_rate(const Prediction *p)
{
    const PlanMachine *machine = p->machine;
    double rate = machine->given.memory_bytes_per_s;

    if (rate <= 0 && machine->facts) rate = facts_memory(machine->facts, machine->n_threads);
    return rate > 0 ? rate : GUESS_MEMORY_BYTES_PER_S;
}

static double product_seconds(const Prediction *p, QuantType type, double n_rows, double n_bytes)
{
    const PlanMachine *machine = p->machine;
    double rate = machine->given.compute_bytes_per_s;
    uint32_t rows = (uint32_t)fmax(round(n_rows), 1);
    double seconds = 0, one_row = 0;

    if (machine->facts) {
        seconds = facts_product_seconds(
            machine->facts, type, machine->n_threads, rows, (uint64_t)n_bytes);
        one_row =
            facts_product_seconds(machine->facts, type, machine->n_threads, 1, (uint64_t)n_bytes);
    }
    if (seconds > 0 && one_row > 0 && rate <= 0) return seconds;
    double share =
        seconds > 0 && one_row > 0 ? seconds / one_row : 1 + (n_rows - 1) * GUESS_ROW_SHARE;
    if (rate <= 0) rate = GUESS_COMPUTE_BYTES_PER_S * machine->n_threads;
    return n_bytes / rate * share;
}

/* Seconds in which n_rows rows meet these matrices, of which `share` is multiplied with. */
static double products_seconds(const Prediction *p, const double bytes[QUANT_TYPES_END],
    double share, double n_rows, Scenario scenario)
{
    double seconds = 0;

    for (uint32_t type = 0; type < QUANT_TYPES_END; type++)
        if (bytes[type] > 0)
            seconds += product_seconds(p, (QuantType)type, n_rows, bytes[type] * share);
    return seconds / of_spread(p->compute, scenario);
}

/* ---- a token ---- */

static double used_share(const PlanModel *model)
{
    return model->n_expert > 0 ? (double)model->n_expert_used / model->n_expert : 0;
}

/* Of a layer's experts, the share that n rows choose together. */
static double touched_share(const Prediction *p, double n_rows)
{
    return plan_union(&p->popularity, used_share(p->model), n_rows, 1).touched;
}

/* Compute of a pass outside and within experts; the keys and values of half a prompt are read. */
static void fill_compute(const Prediction *p, uint32_t n_prompt, Scenario scenario, TokenWork *work)
{
    const PlanModel *model = p->model;
    const hypura_plan_options *given = &p->machine->given;
    double touched = touched_share(p, p->n_rows);
    double expert_rows = touched > 0 ? p->n_rows * used_share(model) / touched : 1;
    double spread = of_spread(p->compute, scenario);

    work->other_seconds =
        products_seconds(p, model->body_bytes, 1, p->n_rows, scenario)
        + products_seconds(p, model->head_bytes, 1, p->n_rows, scenario)
        + model->n_layer * LAYER_SECONDS / spread
        + p->n_rows * (double)model->position_bytes * n_prompt / memory_rate(p) / spread;
    work->expert_seconds = products_seconds(p, model->expert_bytes, touched, expert_rows, scenario)
                           + model->n_expert_layers * EXPERT_LAYER_SECONDS / spread;
    if (given->other_seconds > 0) work->other_seconds = given->other_seconds / spread;
    if (given->expert_seconds > 0) work->expert_seconds = given->expert_seconds / spread;
}

/* The share of all experts that a pass asks for and memory lacks. One row misses what `hits` says;
 * more rows miss more, as the popularity of what is not kept has it. */
static double missed_share(const Prediction *p, Scenario scenario)
{
    const PlanModel *model = p->model;
    double n_all = (double)model->n_expert * model->n_expert_layers;
    if (n_all <= 0) return 0;

    double kept = fmin(p->places->n_expert_slots / n_all, 1), used = used_share(model);
    double of_one = plan_union(&p->popularity, used, 1, kept).missed;
    PlanUnion all = plan_union(&p->popularity, used, p->n_rows, kept);
    double growth = of_one > 0 ? all.missed / of_one : all.touched / used;
    return fmin((1 - of_range(p->hits, scenario)) * used * growth, all.touched);
}

static TokenWork token_work(const Prediction *p, uint32_t n_prompt, Scenario scenario)
{
    const PlanModel *model = p->model;
    const PlanPlaces *places = p->places;
    double touched = touched_share(p, p->n_rows), missed = missed_share(p, scenario);
    double experts = sum_of(model->expert_bytes);
    double dense = (double)(places->resident_bytes + places->streamed_bytes);
    double rows = p->n_rows * (double)model->row_bytes;
    TokenWork work = {.pass_bytes = dense + experts * touched + rows,
        .missing_bytes = (double)places->streamed_bytes + experts * missed
                         + (places->rows_are_resident ? 0 : rows),
        .missing_expert_bytes = experts * missed,
        .miss_rate = touched > 0 ? missed / touched : 1,
        .n_expert_used = (uint32_t)round(touched * model->n_expert)};

    fill_compute(p, n_prompt, scenario, &work);
    return work;
}

/* One rate for both kinds of reads, by their bytes: what streams and what is asked for. */
static Ceilings ceilings_of(const Prediction *p, const TokenWork *work, Scenario scenario)
{
    const PlanPlaces *places = p->places;
    double depth = fmax(work->miss_rate * work->n_expert_used * places->n_expert_reads, 1);
    double stream = drive_rate(p, places->stream_read_bytes, places->stream_depth, scenario);
    double experts = drive_rate(p, places->expert_read_bytes, depth, scenario);
    double expert_bytes = work->missing_expert_bytes;
    double stream_bytes = fmax(work->missing_bytes - expert_bytes, 0);
    double seconds = stream_bytes / stream + expert_bytes / experts;

    return (Ceilings){
        .drive_bytes_per_s = seconds > 0 ? (stream_bytes + expert_bytes) / seconds : stream,
        .memory_bytes_per_s = memory_rate(p)};
}

/* ---- a prompt ---- */

static double chunk_seconds(
    const Prediction *p, double n_rows, bool is_first, bool is_last, Scenario scenario)
{
    const PlanModel *model = p->model;
    const PlanPlaces *places = p->places;
    double touched = touched_share(p, n_rows);
    double expert_rows = touched > 0 ? n_rows * used_share(model) / touched : 1;
    double kept = model->n_expert > 0 && !is_first
                      ? (double)places->n_expert_slots / (model->n_expert * model->n_expert_layers)
                      : 0;
    double compute = products_seconds(p, model->body_bytes, 1, n_rows, scenario)
                     + products_seconds(p, model->expert_bytes, touched, expert_rows, scenario)
                     + model->n_layer * LAYER_SECONDS;
    // Each row reads the keys and values of half the chunk before it, on average.
    compute = compute * PROMPT_ROW_WORK
              + (double)model->position_bytes * n_rows * n_rows / 2 / memory_rate(p);
    if (is_last) compute += products_seconds(p, model->head_bytes, 1, 1, scenario);
    compute /= scenario == LOW ? PROMPT_LOW : 1;

    double stream = (double)(places->streamed_bytes + (is_first ? places->resident_bytes : 0));
    double experts = sum_of(model->expert_bytes) * touched * (1 - kept);
    // A chunk's experts are many, so their reads are as deep as those that stream.
    double depth = fmax(touched * model->n_expert * places->n_expert_reads, 1);
    double read = stream / drive_rate(p, places->stream_read_bytes, places->stream_depth, scenario);
    if (experts > 0) read += experts / drive_rate(p, places->expert_read_bytes, depth, scenario);
    return bound_together(read, compute);
}

static double prompt_seconds(const Prediction *p, uint32_t n_prompt, Scenario scenario)
{
    uint32_t n_rows = p->machine->n_ubatch > 0 ? p->machine->n_ubatch : n_prompt;
    double seconds = 0;

    for (uint32_t done = 0; done < n_prompt; done += n_rows) {
        uint32_t n = n_prompt - done < n_rows ? n_prompt - done : n_rows;
        seconds += chunk_seconds(p, n, done == 0, done + n == n_prompt, scenario);
    }
    return seconds;
}

/* ---- together ---- */

static void choose_spreads(Prediction *p, hypura_plan *plan)
{
    const PlanMachine *machine = p->machine;
    const hypura_plan_options *given = &machine->given;
    bool has_drive = machine->facts && machine->facts->n_drive > 0;
    bool has_compute = machine->facts && machine->facts->n_compute > 0;
    bool is_given = given->compute_bytes_per_s > 0 || given->other_seconds > 0;

    p->drive = given->drive_bytes_per_s > 0 ? drive_given
               : has_drive                  ? drive_of_facts
                                            : drive_guessed;
    p->compute = is_given ? compute_given : has_compute ? compute_of_facts : compute_guessed;
    plan->drive_is_known = has_drive || given->drive_bytes_per_s > 0;
    plan->compute_is_known = has_compute || is_given;
    plan->memory_is_known =
        given->memory_bytes_per_s > 0 || (machine->facts && machine->facts->n_memory > 0);
}

static void choose_hits(Prediction *p, hypura_plan *plan)
{
    const PlanModel *model = p->model;
    bool is_mixture = model->n_expert > 0;
    bool has_all = p->places->n_expert_slots >= model->n_expert * model->n_expert_layers;

    plan->experts_are_known = !is_mixture || has_all || p->machine->heat_hits.expected > 0;
    p->hits = plan_published_hits(model, p->places->n_expert_slots);
    plan_published_popularity(model, &p->popularity);
    if (!is_mixture) p->popularity.n = 0;
    double seen = p->machine->given.hit_rate;
    if (is_mixture && !has_all && seen > 0) {
        p->hits = (hypura_range){seen, seen, seen};
        plan->experts_are_known = true;
    }
    if (!is_mixture || p->machine->heat_hits.expected <= 0) return;
    if (p->machine->heat.n > 0) p->popularity = p->machine->heat;
    if (!has_all && !(seen > 0)) p->hits = p->machine->heat_hits;
}

static void fill_bytes(const TokenWork *work, double n_rows, Scenario scenario, hypura_plan *plan)
{
    // The best case reads least.
    Scenario bytes = scenario == LOW ? HIGH : scenario == HIGH ? LOW : EXPECTED;

    set_range(&plan->missing_bytes_per_token, bytes, work->missing_bytes / n_rows);
    double hit =
        work->n_expert_used > 0 ? 1 - work->miss_rate : 1 - work->missing_bytes / work->pass_bytes;
    set_range(&plan->hit_rate, scenario, hit);
}

/* Of passes a second, to tokens: n_rows come of each. */
static hypura_bound bound_of_tokens(hypura_bound bound, double n_rows)
{
    bound.drive_per_s *= n_rows;
    bound.memory_per_s *= n_rows;
    bound.compute_per_s *= n_rows;
    bound.layers_per_s *= n_rows;
    bound.least_per_s *= n_rows;
    return bound;
}

void plan_make(
    const PlanModel *model, const PlanPlaces *places, const PlanMachine *machine, hypura_plan *plan)
{
    Prediction p = {.model = model, .places = places, .machine = machine};
    uint32_t n_prompt = machine->given.n_prompt > 0 ? machine->given.n_prompt : PLAN_PROMPT_DEFAULT;

    choose_spreads(&p, plan);
    choose_hits(&p, plan);
    plan->n_prompt = n_prompt;
    plan->n_parallel = machine->given.n_parallel > 0 ? machine->given.n_parallel : 1;
    p.n_rows = plan->n_parallel;
    plan->n_threads = machine->n_threads;
    for (Scenario s = LOW; s < SCENARIOS; s++) {
        TokenWork work = token_work(&p, n_prompt, s);
        Ceilings ceilings = ceilings_of(&p, &work, s);
        double first = prompt_seconds(&p, n_prompt, s);
        double seconds = bound_expected_seconds(&work, &ceilings);
        // Compute is of products alone: more threads than memory feeds, or a slower memory, show
        // here. A guess of memory says nothing against products that were measured.
        if (plan->memory_is_known || (!plan->compute_is_known && s != HIGH))
            seconds = fmax(seconds, work.pass_bytes / ceilings.memory_bytes_per_s);
        set_range(&plan->generate_per_s, s, p.n_rows / seconds);
        set_range(&plan->prompt_per_s, s, n_prompt / first);
        set_range(&plan->first_token_seconds, s == LOW ? HIGH : s == HIGH ? LOW : s, first);
        fill_bytes(&work, p.n_rows, s, plan);
        if (s != EXPECTED) continue;
        plan->pass_bytes_per_token = work.pass_bytes / p.n_rows;
        plan->bound = bound_of_tokens(bound_of(&work, &ceilings), p.n_rows);
        plan->drive_bytes_per_s = ceilings.drive_bytes_per_s;
        plan->memory_bytes_per_s = ceilings.memory_bytes_per_s;
        plan->compute_bytes_per_s = work.pass_bytes / (work.other_seconds + work.expert_seconds);
    }
}

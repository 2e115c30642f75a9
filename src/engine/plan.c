/* The plan: three scenarios (all ceilings low, as expected, high) through one time model.
 *
 *   token  = (attention, routing, head | what streams) + sum of layers max(experts' reads, compute)
 *   prompt = sum of chunks (every byte that the chunk needs and memory lacks | compute of its rows)
 *
 * where (a | b) is two things at once (bound.h). Compute is that of the facts, by type and rows,
 * and a fixed time a layer. Guesses are wide on purpose: their interval is the message. */
#include "engine/plan.h"

#include <math.h>

#include "engine/bound.h"

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

/* Compute of a token outside and within experts; the keys and values of half a prompt are read. */
static void fill_compute(const Prediction *p, uint32_t n_prompt, Scenario scenario, TokenWork *work)
{
    const PlanModel *model = p->model;
    const hypura_plan_options *given = &p->machine->given;
    double spread = of_spread(p->compute, scenario);

    work->other_seconds = products_seconds(p, model->body_bytes, 1, 1, scenario)
                          + products_seconds(p, model->head_bytes, 1, 1, scenario)
                          + model->n_layer * LAYER_SECONDS / spread
                          + (double)model->position_bytes * n_prompt / memory_rate(p) / spread;
    work->expert_seconds = products_seconds(p, model->expert_bytes, used_share(model), 1, scenario)
                           + model->n_expert_layers * EXPERT_LAYER_SECONDS / spread;
    if (given->other_seconds > 0) work->other_seconds = given->other_seconds / spread;
    if (given->expert_seconds > 0) work->expert_seconds = given->expert_seconds / spread;
}

static TokenWork token_work(const Prediction *p, uint32_t n_prompt, Scenario scenario)
{
    const PlanModel *model = p->model;
    const PlanPlaces *places = p->places;
    double experts = sum_of(model->expert_bytes) * used_share(model);
    double dense = (double)(places->resident_bytes + places->streamed_bytes);
    double miss = 1 - of_range(p->hits, scenario);
    TokenWork work = {.pass_bytes = dense + experts + (double)model->row_bytes,
        .missing_bytes = (double)places->streamed_bytes + experts * miss
                         + (places->rows_are_resident ? 0 : (double)model->row_bytes),
        .missing_expert_bytes = experts * miss,
        .miss_rate = miss,
        .n_expert_used = model->n_expert_used};

    fill_compute(p, n_prompt, scenario, &work);
    return work;
}

/* One rate for both kinds of reads, by their bytes: what streams and what is asked for. */
static Ceilings ceilings_of(const Prediction *p, const TokenWork *work, Scenario scenario)
{
    const PlanPlaces *places = p->places;
    double depth = fmax(work->miss_rate * p->model->n_expert_used * places->n_expert_reads, 1);
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

/* Of a layer's experts, the share that n rows choose together when all are as likely. */
static double touched_share(const PlanModel *model, double n_rows)
{
    return 1 - pow(1 - used_share(model), n_rows);
}

static double chunk_seconds(
    const Prediction *p, double n_rows, bool is_first, bool is_last, Scenario scenario)
{
    const PlanModel *model = p->model;
    const PlanPlaces *places = p->places;
    double touched = touched_share(model, n_rows);
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

/* ---- hits ---- */

/* Published curve of hits over the share of experts kept, models of about 128 experts with 4 to 8
 * used (docs/tiers.md names the sources). */
static double published_hit(double share)
{
    static const double curve[][2] = {{0, 0}, {0.03, 0.1}, {0.06, 0.3}, {0.12, 0.48}, {0.25, 0.68},
        {0.5, 0.87}, {0.75, 0.95}, {1, 1}};
    size_t i = 1;

    while (share > curve[i][0] && i + 1 < sizeof curve / sizeof curve[0]) i++;
    double part = (share - curve[i - 1][0]) / (curve[i][0] - curve[i - 1][0]);
    return curve[i - 1][1] + part * (curve[i][1] - curve[i - 1][1]);
}

hypura_range plan_published_hits(const PlanModel *model, uint32_t n_slots)
{
    double n_all = (double)model->n_expert * model->n_expert_layers;
    double n_token = (double)model->n_expert_used * model->n_expert_layers;
    if (n_all <= 0 || n_slots >= n_all) return (hypura_range){1, 1, 1};

    double share = n_slots / n_all;
    // With less than a token's experts kept, most leave before they come again.
    double cycle = fmin(n_slots / n_token, 1);
    // The larger the share that a token uses, the less room there is for favourites.
    double skew = 1 - 0.4 * log2(fmax(used_share(model) * 16, 1));
    double gain = fmax(skew, 0.1) * fmax(published_hit(share) - share, 0);
    hypura_range hits = {.expected = (share + gain) * cycle * cycle};

    hits.low = cycle < 1 ? 0 : share * 0.9;
    hits.high = fmin(4 * cycle, 1) * (1 - 0.5 * (1 - fmax(published_hit(share), share)));
    hits.high = fmax(hits.high, hits.expected);
    hits.low = fmin(hits.low, hits.expected);
    return hits;
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
    if (is_mixture && !has_all && p->machine->heat_hits.expected > 0)
        p->hits = p->machine->heat_hits;
}

static void fill_bytes(const TokenWork *work, Scenario scenario, hypura_plan *plan)
{
    // The best case reads least.
    Scenario bytes = scenario == LOW ? HIGH : scenario == HIGH ? LOW : EXPECTED;

    set_range(&plan->missing_bytes_per_token, bytes, work->missing_bytes);
    double hit =
        work->n_expert_used > 0 ? 1 - work->miss_rate : 1 - work->missing_bytes / work->pass_bytes;
    set_range(&plan->hit_rate, scenario, hit);
}

void plan_make(
    const PlanModel *model, const PlanPlaces *places, const PlanMachine *machine, hypura_plan *plan)
{
    Prediction p = {.model = model, .places = places, .machine = machine};
    uint32_t n_prompt = machine->given.n_prompt > 0 ? machine->given.n_prompt : PLAN_PROMPT_DEFAULT;

    choose_spreads(&p, plan);
    choose_hits(&p, plan);
    plan->n_prompt = n_prompt;
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
        set_range(&plan->generate_per_s, s, 1 / seconds);
        set_range(&plan->prompt_per_s, s, n_prompt / first);
        set_range(&plan->first_token_seconds, s == LOW ? HIGH : s == HIGH ? LOW : s, first);
        fill_bytes(&work, s, plan);
        if (s != EXPECTED) continue;
        plan->pass_bytes_per_token = work.pass_bytes;
        plan->bound = bound_of(&work, &ceilings);
        plan->drive_bytes_per_s = ceilings.drive_bytes_per_s;
        plan->memory_bytes_per_s = ceilings.memory_bytes_per_s;
        plan->compute_bytes_per_s = work.pass_bytes / (work.other_seconds + work.expert_seconds);
    }
}

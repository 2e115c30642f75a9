/* Popularity is a curve: of the most used share of all experts, the share of all choices. Between
 * two of its points all experts are as likely, so what n rows choose together is a sum over its
 * pieces of 1 - (1 - p)^n. Rows are taken to choose independently; texts alike share more. */
#include "engine/plan_hits.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

// Hits as a share of those that the best fixed choice would have had on the texts of the past:
// other texts cost some, a cache that follows the text gains some. HIGH is a share of the misses.
#define HEAT_LOW      0.75
#define HEAT_EXPECTED 0.93
#define HEAT_HIGH     0.6

/* Published curve of hits over the share of experts kept, models of about 128 experts with 4 to 8
 * used (docs/tiers.md names the sources). */
static const double published[][2] = {{0, 0}, {0.03, 0.1}, {0.06, 0.3}, {0.12, 0.48}, {0.25, 0.68},
    {0.5, 0.87}, {0.75, 0.95}, {1, 1}};

static double published_hit(double share)
{
    size_t i = 1;

    while (share > published[i][0] && i + 1 < COUNT(published)) i++;
    double part = (share - published[i - 1][0]) / (published[i][0] - published[i - 1][0]);
    return published[i - 1][1] + part * (published[i][1] - published[i - 1][1]);
}

/* The larger the share that a token uses, the less room there is for favourites: 1 (as published)
 * to 0.1. */
static double skew_of(const PlanModel *model)
{
    double used = model->n_expert > 0 ? (double)model->n_expert_used / model->n_expert : 0;

    return fmax(1 - 0.4 * log2(fmax(used * 16, 1)), 0.1);
}

void plan_published_popularity(const PlanModel *model, PlanPopularity *out)
{
    *out = (PlanPopularity){.n = COUNT(published)};
    for (uint32_t i = 0; i < out->n; i++) {
        double share = published[i][0];
        out->share[i] = share;
        // The published curve begins flatter than it goes on, which no order by use does.
        out->mass[i] = share + skew_of(model) * fmax(published[i][1] - share, 0);
    }
}

hypura_range plan_published_hits(const PlanModel *model, uint32_t n_slots)
{
    double n_all = (double)model->n_expert * model->n_expert_layers;
    double n_token = (double)model->n_expert_used * model->n_expert_layers;
    if (n_all <= 0 || n_slots >= n_all) return (hypura_range){1, 1, 1};

    double share = n_slots / n_all;
    // With less than a token's experts kept, most leave before they come again.
    double cycle = fmin(n_slots / n_token, 1);
    double gain = skew_of(model) * fmax(published_hit(share) - share, 0);
    hypura_range hits = {.expected = (share + gain) * cycle * cycle};

    hits.low = cycle < 1 ? 0 : share * 0.9;
    hits.high = fmin(4 * cycle, 1) * (1 - 0.5 * (1 - fmax(published_hit(share), share)));
    hits.high = fmax(hits.high, hits.expected);
    hits.low = fmin(hits.low, hits.expected);
    return hits;
}

static int compare_shares(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y); // the largest first
}

/* `all` is the sum of the n shares, which descend. */
static void set_curve(const float *shares, uint32_t n, double all, PlanPopularity *out)
{
    double mass = 0;

    *out = (PlanPopularity){.n = n < PLAN_POPULARITY_MAX ? n + 1 : PLAN_POPULARITY_MAX};
    for (uint32_t i = 0, point = 1; i < n; i++) {
        mass += (double)shares[i];
        if ((uint64_t)(i + 1) * (out->n - 1) < (uint64_t)point * n) continue;
        out->share[point] = (double)(i + 1) / n;
        out->mass[point++] = mass / all;
    }
}

bool plan_heat_hits(const Heat *heat, uint32_t n_expert_used, uint32_t n_slots, hypura_range *hits,
    PlanPopularity *popularity, Error *err)
{
    uint32_t n = heat->n_layers * heat->n_expert;
    // A layer's choice always takes slots of its own, whose experts are as likely not kept.
    uint32_t n_kept = n_slots > n_expert_used ? n_slots - n_expert_used : 0;
    double all = 0, kept = 0;

    *hits = (hypura_range){0};
    *popularity = (PlanPopularity){0};
    if (!heat->uses || heat->n_tokens <= 0) return true;
    float *shares = mem_alloc_array(MEM_OTHER, n, sizeof *shares, err);
    if (!shares) return false;
    for (uint32_t i = 0; i < n; i++) shares[i] = heat_share(heat, i);
    qsort(shares, n, sizeof *shares, compare_shares);
    for (uint32_t i = 0; i < n; i++) {
        all += (double)shares[i];
        if (i < n_kept) kept += (double)shares[i];
    }
    if (all > 0) {
        double hit = kept / all;
        *hits = (hypura_range){HEAT_LOW * hit, HEAT_EXPECTED * hit, 1 - HEAT_HIGH * (1 - hit)};
        set_curve(shares, n, all, popularity);
    }
    mem_free(MEM_OTHER, shares);
    return true;
}

PlanUnion plan_union(const PlanPopularity *popularity, double used, double n_rows, double kept)
{
    PlanUnion out = {0};

    for (uint32_t i = 1; i < popularity->n; i++) {
        double begin = popularity->share[i - 1], width = popularity->share[i] - begin;
        double mass = popularity->mass[i] - popularity->mass[i - 1];
        double chance = fmin(used * mass / width, 1);
        double touched = 1 - pow(1 - chance, n_rows);
        out.touched += width * touched;
        out.missed += fmin(fmax(popularity->share[i] - kept, 0), width) * touched;
    }
    return out;
}

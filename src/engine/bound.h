/* What a machine allows a token at most: the bounds of drive, memory, compute and layers, from
 * the bytes and the compute seconds of a token (docs/tiers.md has a worked example of each).
 * Pure arithmetic: plan.c fills it with what it expects, a run's statistics with what they saw,
 * so that prediction and outcome are judged by one formula. */
#ifndef HYPURA_ENGINE_BOUND_H
#define HYPURA_ENGINE_BOUND_H

#include "hypura/hypura.h"

/* One token. All figures are of one pass of one row. */
typedef struct TokenWork {
    double pass_bytes;           // of weights that kernels touch
    double missing_bytes;        // of these, not in memory
    double missing_expert_bytes; // of these, known only when a router has spoken
    double other_seconds;        // compute outside the experts: attention, routing, the head
    double expert_seconds;       // compute of experts
    double miss_rate;            // of the experts that are asked for, 0 to 1
    uint32_t n_expert_used;      // of a layer; 0: no mixture
} TokenWork;

/* 0: not known. */
typedef struct Ceilings {
    double drive_bytes_per_s; // at the reads' own size and depth
    double memory_bytes_per_s;
} Ceilings;

/* Every bound that the ceilings let be known; the others are NAN, and so are bounds that do not
 * bind (nothing is missing, or there are no experts). */
hypura_bound bound_of(const TokenWork *work, const Ceilings *ceilings);

/* The time that a token is expected to take: the bounds, met as far as reads and compute can be
 * told to overlap. What streams is read while all but the experts is computed; a layer's missing
 * experts while its others are. */
double bound_expected_seconds(const TokenWork *work, const Ceilings *ceilings);

/* Two things at once where neither waits much for the other: a little more than the longer one. */
double bound_together(double a_seconds, double b_seconds);

/* What happened between two moments of a run that evaluated n_tokens rows one by one. */
TokenWork bound_work_between(
    const hypura_stats *before, const hypura_stats *after, double n_tokens);

/* What the drive gave while it was waited for; 0: nobody waited long enough to tell. */
double bound_drive_between(const hypura_stats *before, const hypura_stats *after);

#endif

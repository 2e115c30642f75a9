/* The drive's ceiling by read size, depth and backend: a grid of windows, interleaved. */
#ifndef HYPURA_ENGINE_MEASURE_DRIVE_H
#define HYPURA_ENGINE_MEASURE_DRIVE_H

#include "engine/facts.h"
#include "engine/measure.h"
#include "engine/measure_window.h"

/*
 * Fills facts->drive. Every shape has its window in each of three rounds, so that what a drive
 * does for a while meets all of them; a fact is the median of its windows, with the slowest and
 * the fastest beside it. Ended early it holds the shapes that have a window at least.
 *
 * is_direct  gets false where the file system has no direct reads: then there are no facts
 *
 * Where the kernel has no io_uring, threads take its part of the grid. Errors: see
 * measure_drive_window.
 */
CHECKED bool measure_drive(
    DriveField *field, const MeasureOptions *options, Facts *facts, bool *is_direct, Error *err);

/* The median of n values, which are sorted by it; of two in the middle the mean. 0 of none. */
double measure_median(double *values, uint32_t n);

#endif

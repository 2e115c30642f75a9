/* The compute threads: task i runs on worker i. The caller is worker 0. */
#ifndef HYPURA_SYS_POOL_H
#define HYPURA_SYS_POOL_H

#include "base/error.h"

#define POOL_WORKERS_MAX 256

typedef struct Pool Pool;

/* n_workers at least 1 (the caller counts). Workers set the float environment, and spin
 * briefly, then sleep, between tasks. NULL: failed. pool_free joins them. */
CHECKED Pool *pool_create(uint32_t n_workers, Error *err);
void pool_free(Pool *pool);
uint32_t pool_n_workers(const Pool *pool);

/* Runs task(context, worker) once on every worker and returns when all have returned. */
typedef void PoolTask(void *context, uint32_t worker);
void pool_run(Pool *pool, PoolTask *task, void *context);

/* Runs task(context, worker, unit) for every unit in [0, n_units), handed out in order,
 * one at a time, to whichever worker is free. Results must not depend on who ran what. */
typedef void PoolUnitTask(void *context, uint32_t worker, uint32_t unit);
void pool_for(Pool *pool, uint32_t n_units, PoolUnitTask *task, void *context);

#endif

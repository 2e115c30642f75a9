/* What a loaded model has done so far. */
#ifndef HYPURA_ENGINE_STATS_H
#define HYPURA_ENGINE_STATS_H

#include "engine/loaded.h"
#include "hypura/hypura.h"

/* All members of `stats` but `speculates`; zeros where there are no weights. */
void stats_fill(const Loaded *loaded, hypura_stats *stats);

#endif

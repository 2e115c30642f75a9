/* Fewer or more slots for experts, while they are in use. */
#ifndef HYPURA_STORE_CACHE_SHRINK_H
#define HYPURA_STORE_CACHE_SHRINK_H

#include "store/cache.h"

/* Leaves a class its first n slots, 1 to n_slots_placed. What is in the others moves to slots of
 * less value, or is forgotten; their memory is then nobody's. Between calls for experts. Waits for
 * reads under way into them. False: the mover is broken. */
CHECKED bool cache_keep(Cache *cache, Mover *mover, CacheClass *size_class, uint32_t n, Error *err);

#endif

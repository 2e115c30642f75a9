/* Faults on purpose, for tests: the n-th allocation or the n-th read fails. */
#ifndef HYPURA_BASE_FAULT_H
#define HYPURA_BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum FaultPoint { FAULT_ALLOC, FAULT_READ, FAULT_POINTS } FaultPoint;

/* From now on the call number `nth` (1: the next) fails, and all later ones too when
 * `for_good`. nth 0 disarms. The count starts again at each call. */
void fault_arm(FaultPoint point, uint64_t nth, bool for_good);

/* Asked by the allocator and the readers once per call: must this one fail? */
bool fault_hits(FaultPoint point);

/* Calls since the last fault_arm(); a test asserts that it is not 0. */
uint64_t fault_count(FaultPoint point);

#endif

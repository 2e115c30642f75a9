/* Monotonic time. */
#ifndef HYPURA_BASE_CLOCK_H
#define HYPURA_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void);

#endif
